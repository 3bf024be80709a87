"""`gateway agents`: what an agent's file says, and the URL that opens it without a key."""

import argparse
import asyncio
from dataclasses import fields
from pathlib import Path
from textwrap import shorten

from gateway import clients
from gateway.errors import ConfigurationError, Fault, StoreUnavailable
from gateway.http.capability import Capabilities
from gateway.settings import Settings
from gateway.store import Store, opened
from gateway.types import Agent

WAIT = 5.0
"""Seconds for a store that has yet to start."""


def add(parser: argparse.ArgumentParser) -> None:
    """The command's own verbs."""
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    show = verbs.add_parser("show", help="what its file says, and its URL", description="What an agent's file says.")
    show.add_argument("name", metavar="NAME")
    show.add_argument("--url", action="store_true", help="the whole URL, with the capability: whoever has it may chat")
    renewed = "Give an agent a new URL; the old one opens nothing from then on, on every worker."
    rotate = verbs.add_parser(
        "rotate", help="give it a new URL; the old one opens nothing any more", description=renewed
    )
    rotate.add_argument("name", metavar="NAME")
    for verb in (show, rotate):
        verb.add_argument(
            "--config", metavar="FILE", type=Path, default=argparse.SUPPRESS, help="settings (TOML); or GATEWAY_CONFIG"
        )


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Show or rotate. Raises ConfigurationError for an agent that is none, StoreUnavailable."""
    agents = clients.agents(settings)
    if arguments.name not in agents:
        known = ", ".join(sorted(agents)) or "none"
        problem = f"no agent {arguments.name[:80]!r}; there are: {known}"
        raise ConfigurationError([Fault(str(settings.prompts), 0, "", problem)])
    if arguments.verb == "rotate":
        print(asyncio.run(_rotated(settings, arguments.name)))
    elif arguments.url:
        print(asyncio.run(_url(settings, arguments.name)))
    else:
        print(*described(agents[arguments.name], settings), sep="\n")
    return 0


def described(agent: Agent, settings: Settings) -> list[str]:
    """One line a field, the persona shortened; a capability is shown only where it is asked for."""
    values = {field.name: getattr(agent, field.name) for field in fields(agent)}
    values["file"] = settings.prompts / f"{agent.name}.md"
    values["route"] = agent.route or settings.default_route
    values["url"] = f"{_origin(settings)}/k/…/agents/{agent.name}/v1/chat/completions   (--url shows all of it)"
    width = max(map(len, values))
    return [f"{name:<{width}}  {_said(value)}" for name, value in values.items() if _said(value)]


def _said(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str | Path | int | float):
        return shorten(str(value), 100, placeholder=" …")
    if value is None:
        return ""
    named = ((field.name, getattr(value, field.name)) for field in fields(value))  # type: ignore[arg-type]
    return ", ".join(f"{name} {part}" for name, part in named if part not in {"", 0})


async def _url(settings: Settings, name: str) -> str:
    async with opened(settings) as store:
        # The generation has to be the one of now: a store that is only late would show a URL that opens nothing.
        if not await store.reached(WAIT):
            raise StoreUnavailable("The store cannot be reached, so nobody knows whether the URL was renewed.")
        return _origin(settings) + _known(settings, store, name).path_of(name)


async def _rotated(settings: Settings, name: str) -> str:
    async with opened(settings) as store:
        if not await store.reached(WAIT):
            raise StoreUnavailable("The store cannot be reached, so nothing was renewed.")
        await store.generations.rotate(name)
        return _origin(settings) + _known(settings, store, name).path_of(name)


def _known(settings: Settings, store: Store, name: str) -> Capabilities:
    return Capabilities(store.secret, lambda: (name,), store.generations.current, settings.simli.id)


def _origin(settings: Settings) -> str:
    """Where callers reach the gateway: GATEWAY_PUBLIC_URL, else where it listens."""
    host = settings.server.host.strip("[]")
    return settings.public_url or f"http://{f'[{host}]' if ':' in host else host}:{settings.server.port}"
