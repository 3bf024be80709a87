"""`gateway sandbox`: a local Simli, to try everything against."""

import argparse
import asyncio
import logging
import signal
import socket
import sys
import threading
from pathlib import Path

import uvicorn

from gateway.sandbox.app import create_app
from gateway.sandbox.avatar.face import drawn
from gateway.sandbox.options import Options
from gateway.settings import Read, Settings

EX_CONFIG = 78
"""sysexits.h's, as for every other setting that cannot be used."""
POLL = 0.02
"""Seconds between two looks whether uvicorn has started: it has no other sign of it."""


def add(parser: argparse.ArgumentParser) -> None:
    """The command's own options."""
    parser.add_argument(
        "--host", dest="bind", default="127.0.0.1", metavar="HOST", help="address to listen on (127.0.0.1)"
    )
    parser.add_argument(
        "--port", dest="bound", type=int, default=8765, metavar="PORT", help="port (8765); 0: a free one"
    )
    parser.add_argument("--directory", type=Path, help="where videos are kept (a temporary folder)")
    parser.add_argument(
        "--voice",
        choices=("speech", "babble"),
        default="speech",
        help="English speech (default), or a babble without words",
    )


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Serve until Ctrl-C or SIGTERM, which end it at once."""
    try:
        listener = listening(arguments.bind, arguments.bound)
    except (OSError, OverflowError) as error:
        why = getattr(error, "strerror", None) or str(error)
        print(f"gateway: {arguments.bind} port {arguments.bound}: {why}; --port chooses another", file=sys.stderr)
        return EX_CONFIG
    try:
        if arguments.directory:
            arguments.directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        listener.close()
        print(f"gateway: {arguments.directory}: {error.strerror}; --directory chooses another", file=sys.stderr)
        return EX_CONFIG
    options = Options(
        settings.simli_key, arguments.bind, listener.getsockname()[1], arguments.directory, arguments.voice
    )
    threading.Thread(target=drawn, name="faces", daemon=True).start()
    config = uvicorn.Config(
        create_app(options),
        log_config=None,
        access_log=False,
        lifespan="on",
        ws="websockets-sansio",
        ws_max_size=1024 * 1024,
        timeout_graceful_shutdown=0,
    )
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)  # what it says at the end is that it ends at once
    with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        return runner.run(_served(uvicorn.Server(config), listener, options))


def refused(arguments: argparse.Namespace, found: Read) -> int:
    """The same where settings have faults: they are not the sandbox's."""
    return run(arguments, found.settings or Settings())


def listening(host: str, port: int) -> socket.socket:
    """Bind before anything else: a taken port is the one thing that goes wrong, and is said in a sentence."""
    made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((host, port))
    except (OSError, OverflowError):
        made.close()
        raise
    return made


async def _served(server: uvicorn.Server, listener: socket.socket, options: Options) -> int:
    loop = asyncio.get_running_loop()
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    while not serving.done() and not server.started:
        await asyncio.wait({serving}, timeout=POLL)
    if server.started:
        for one in (signal.SIGINT, signal.SIGTERM):  # uvicorn's own would raise them again, after its end
            loop.add_signal_handler(one, setattr, server, "should_exit", True)
        host = f"[{options.host}]" if ":" in options.host else options.host
        print(f"sandbox on http://{host}:{options.port}", flush=True)
    await serving
    return 0 if server.started else 1
