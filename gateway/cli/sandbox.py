"""`gateway sandbox`: a local Simli, to try everything against."""

import argparse

import uvicorn

from gateway.sandbox.app import create_app
from gateway.sandbox.options import Options
from gateway.settings import Read, Settings


def add(parser: argparse.ArgumentParser) -> None:
    """The command's own options."""
    parser.add_argument("--port", type=int, default=8765, help="port to listen on (8765); 0: a free one")


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Serve until Ctrl-C or SIGTERM."""
    options = Options(key=settings.simli_key, port=arguments.port)
    uvicorn.run(create_app(options), host=options.host, port=options.port, log_config=None, ws="websockets-sansio")
    return 0


def refused(arguments: argparse.Namespace, found: Read) -> int:
    """The same where settings have faults: they are not the sandbox's."""
    return run(arguments, found.settings or Settings())
