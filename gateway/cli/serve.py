"""`gateway serve`: one process that serves, or a supervisor of several.

Which of the two is loaded when the settings say so: what serves is ten times as large as what keeps it.
"""

import argparse
import asyncio
import socket
from importlib import import_module
from pathlib import Path

from gateway import agent_files, running
from gateway.cli.asked import unready
from gateway.errors import ConfigurationError, Fault
from gateway.http.protocol import listening
from gateway.settings import Read, Settings
from gateway.watching import Sources
from gateway.workers import Handed

SERVING = "gateway.cli.serving"
SUPERVISING = "gateway.cli.supervising"
HANDED = "--handed"
"""The option by which a supervisor hands things to a worker; nobody else gives it."""


def add(parser: argparse.ArgumentParser) -> None:
    """The command's own options."""
    parser.add_argument("--host", help="address to listen on (HOST, 127.0.0.1)")
    parser.add_argument("--port", type=int, help="port to listen on (PORT, 8000); 0: a free one")
    parser.add_argument("--workers", type=int, metavar="N", help="processes that serve on the port (1); see SIGUSR2")
    parser.add_argument("--llm", action="store_true", help="answer with the packaged local model")
    parser.add_argument("--gguf", type=Path, metavar="PATH", help="answer with this local model")
    words = "open this tunnel, and take its URL for the public one: 'cloudflared tunnel --url {url}'"
    parser.add_argument("--tunnel", metavar="COMMAND", help=words)
    parser.add_argument(HANDED, type=Handed.read, help=argparse.SUPPRESS)


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Serve until SIGTERM or Ctrl-C. Returns 0 for a proper end."""
    unready()
    read = together(Read(settings))
    agents = agent_files.checked(settings, read.faults)
    sources = Sources(lambda: together(arguments.read()), arguments.config, asyncio.Event())
    if arguments.handed is not None:
        return int(import_module(SERVING).worker(settings, agents, sources, arguments.handed))
    sockets = [bound(settings.server.host, settings.server.port)]
    if settings.admin.listen:
        host, port = settings.admin.listen.rsplit(":", 1)
        sockets.append(bound(host.strip("[]"), int(port), "admin.listen"))
    with running.noted(settings.var, running.address(settings.server.host, sockets[0].getsockname()[1])):
        if settings.server.workers > 1:
            return int(import_module(SUPERVISING).supervise(settings, agents, sockets, HANDED))
        return int(import_module(SERVING).alone(settings, agents, sources, sockets))


def refused(_: argparse.Namespace, found: Read) -> int:
    """Raise the faults of the settings and those of the agent files, all at once."""
    agent_files.checked(found.settings, together(found).faults)
    raise ConfigurationError(found.faults)


def together(read: Read) -> Read:
    """The same, with what cannot be wanted together: each worker would load a local model of its own."""
    settings = read.settings
    if settings is None or settings.server.workers == 1:
        return read
    names = [name for name, route in settings.routes.items() if any(each.embedded == "llm" for each in route.targets)]
    problem = (
        "with several workers each would load the local language model (route {}): take 1, or serve the model with a "
        "program of its own and name its URL"
    )
    return Read(settings, (*read.faults, *(Fault("settings", 0, "server.workers", problem.format(n)) for n in names)))


def bound(host: str, port: int, setting: str = "server.port") -> socket.socket:
    """Bind before anything is opened, so that a taken port is the first thing said."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = listening(family)
    try:
        made.bind((host, port))
    except OSError as error:
        made.close()
        another = "PORT chooses" if setting == "server.port" else "choose"
        problem = f"{host} port {port} cannot be listened on ({error.strerror}); {another} another"
        raise ConfigurationError([Fault("settings", 0, setting, problem)]) from None
    return made
