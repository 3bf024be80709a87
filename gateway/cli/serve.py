"""`gateway serve`: the server, what it says when it is up, and its end."""

import argparse
import asyncio
import gc
import logging
import signal
import socket
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import uvicorn

from gateway import checks, clients
from gateway.app import Drain, create_app
from gateway.cli import tunnelling
from gateway.cli.ending import Signals, Uvicorn, drained
from gateway.errors import ConfigurationError, Fault
from gateway.http.protocol import Wire, listening
from gateway.settings import Read, Settings, Target
from gateway.tunnel import Looking, Tunnel
from gateway.types import Agent
from gateway.watching import Sources

logger = logging.getLogger("gateway")

POLL = 0.05
"""Seconds between two looks whether uvicorn has started: it has no other sign of it."""


def add(parser: argparse.ArgumentParser) -> None:
    """The command's own options."""
    parser.add_argument("--host", help="address to listen on (HOST, 127.0.0.1)")
    parser.add_argument("--port", type=int, help="port to listen on (PORT, 8000); 0: a free one")
    parser.add_argument("--llm", action="store_true", help="answer with the packaged local model")
    parser.add_argument("--gguf", type=Path, metavar="PATH", help="answer with this local model")
    words = "open this tunnel, and take its URL for the public one: 'cloudflared tunnel --url {url}'"
    parser.add_argument("--tunnel", metavar="COMMAND", help=words)


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Serve until SIGTERM or Ctrl-C. Returns 0 for a proper end."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # its default is death; served reads it as it is meant
    agents = clients.checked(settings)
    sockets = [bound(settings.server.host, settings.server.port)]
    if settings.admin.listen:
        host, port = settings.admin.listen.rsplit(":", 1)
        sockets.append(bound(host.strip("[]"), int(port), "admin.listen"))
    drain = Drain()
    sources = Sources(arguments.read, arguments.config, asyncio.Event())
    way = tunnelling.made(settings)
    server = Uvicorn(config(settings, agents, drain, sources, way), drain)
    with asyncio.Runner(loop_factory=server.config.get_loop_factory()) as runner:
        return runner.run(served(server, sockets, settings, agents, sources, way=way))


def refused(_: argparse.Namespace, found: Read) -> int:
    """Raise the faults of the settings and those of the agent files, all at once."""
    clients.checked(found.settings, found.faults)
    raise ConfigurationError(found.faults)


def config(
    settings: Settings, agents: Mapping[str, Agent], drain: Drain, sources: Sources, way: Tunnel | Looking
) -> uvicorn.Config:
    """How uvicorn is run: its own log lines off."""
    return uvicorn.Config(
        create_app(settings, agents, drain, sources=sources, missing=way.missing),
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="on",
        ws="none",
        http=Wire,
        proxy_headers=False,  # http/auth.py knows whom to trust
        loop="auto",
        backlog=2048,
        timeout_keep_alive=75,  # above the 60 s that load balancers keep a connection
    )


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


async def served(
    server: Uvicorn,
    sockets: Sequence[socket.socket],
    settings: Settings,
    agents: Mapping[str, Agent],
    sources: Sources,
    *,
    way: Tunnel | Looking,
) -> int:
    """Run uvicorn until a signal says that it is to end, or its tunnel cannot be opened, and then to its end."""
    host, port = sockets[0].getsockname()[:2]
    signals = Signals(sources.asked)
    # A start that failed for a reason of ours is told by __main__, in a sentence: no stack of uvicorn's beside it.
    logging.getLogger("uvicorn.error").addFilter(lambda _: server.drain.failed is None)
    serving = asyncio.create_task(_serve(server, sockets))
    while not serving.done() and not server.started and not signals.asked.is_set():
        await asyncio.wait({serving}, timeout=POLL)
    if server.started:
        settle()
        announce(f"http://{f'[{host}]' if ':' in host else host}:{port}", settings, agents)
        asked = asyncio.create_task(signals.asked.wait())
        remarking = asyncio.create_task(remarked(settings, agents))
        # What runs comes through the tunnel to its end: it is left last.
        async with tunnelling.opened(way, settings, port) as failed:
            ends: set[asyncio.Future[Any]] = {serving, asked, failed}
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            asked.cancel()
            remarking.cancel()
            notice = replace(settings.server, drain_notice=0.0) if failed.done() else settings.server
            await drained(server, serving, signals, notice)
    elif not serving.done():
        serving.cancel()  # still opening: there is nothing to drain
        await asyncio.wait({serving})
    if server.drain.failed:
        raise server.drain.failed
    return 0 if serving.cancelled() else serving.result()


async def _serve(server: uvicorn.Server, sockets: Sequence[socket.socket]) -> int:
    """uvicorn leaves a failed start by SystemExit, which a task throws at the loop itself."""
    try:
        await server.serve(sockets=list(sockets))
    except SystemExit as error:
        return int(error.code or 0)
    return 0


async def remarked(settings: Settings, agents: Mapping[str, Agent]) -> None:
    """Log what is not as it should be and kept nothing from starting, with what to do. `gateway check` shows all."""
    for one in await checks.remarks(settings, agents):
        logger.warning("%s: %s; %s", one.what, one.says, one.remedy)


def settle() -> None:
    """Take what was loaded out of the garbage collector's sight, and let it look less often.

    A turn makes hundreds of small objects and hardly a cycle: at its defaults the collector walks the whole of the
    loaded libraries several times a second, which was 6 % of a busy gateway's time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


def announce(url: str, settings: Settings, agents: Mapping[str, Agent]) -> None:
    """Say on standard output who answers, by what, and where: the line that scripts wait for is the last one."""
    width = max(map(len, agents), default=0)
    for agent in agents.values():
        print(f"  {agent.name:<{width}}  {agent.language:<5}  {agent.description}")
    route = settings.default_route
    targets = settings.routes[route].targets if route in settings.routes else ()
    print(f"answered by {route}: {'; then '.join(map(described, targets)) or 'nothing'}")
    print(f"serving on {url}", flush=True)


def described(target: Target) -> str:
    """One target in one line."""
    if target.embedded == "extractive":
        return "the best sentences of the knowledge, no language model (OPENAI_API_KEY or LLM=1 brings one)"
    if target.embedded == "llm":
        return f"a local language model, {Path(target.model).name or 'SmolLM2 135M'}"
    return f"{target.model or 'the model asked for'} at {target.url}"
