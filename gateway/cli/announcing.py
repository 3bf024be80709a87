"""What `gateway serve` says on standard output once it serves."""

import logging
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from socket import socket

from gateway.settings import Settings, Target
from gateway.types import Agent

logger = logging.getLogger("gateway")


def reached(listener: socket) -> str:
    """The URL of what listens there."""
    host, port = listener.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def announce(url: str, settings: Settings, agents: Mapping[str, Agent]) -> None:
    """Say on standard output who answers, by what, and where: the line that scripts wait for is the last one.

    Where nobody takes it, that is no reason not to serve: the log says so.
    """
    try:
        _announced(url, settings, agents)
    except OSError as error:
        logger.warning("serving on %s; standard output takes nothing (%s)", url, error.strerror)
        with Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), sys.stdout.fileno())  # what is left in its buffer has to go somewhere


def _announced(url: str, settings: Settings, agents: Mapping[str, Agent]) -> None:
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
