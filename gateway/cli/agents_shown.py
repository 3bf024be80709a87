"""What an agent's file says, and the URL that opens it without a key."""

import asyncio
from dataclasses import fields
from pathlib import Path
from textwrap import shorten

from gateway import agent_files, public, running
from gateway.errors import ConfigurationError, Fault, StoreUnavailable
from gateway.http.capability import Capabilities
from gateway.orchestration.origin import listening
from gateway.settings import Settings
from gateway.store import Store, opened
from gateway.types import Agent

WAIT = 5.0
"""Seconds for a store that has yet to start."""


def known(settings: Settings, name: str) -> Agent:
    """The agent of this name. Raises ConfigurationError for one that is none."""
    agents = agent_files.agents(settings)
    if name not in agents:
        others = ", ".join(sorted(agents)) or "none"
        raise ConfigurationError([Fault(str(settings.prompts), 0, "", f"no agent {name[:80]!r}; there are: {others}")])
    return agents[name]


def shown(settings: Settings, name: str, *, url: bool) -> int:
    """Print what its file says, or its URL alone."""
    if url:
        print(asyncio.run(_url(settings, name)))
    else:
        print(*described(known(settings, name), settings), sep="\n")
    return 0


def described(agent: Agent, settings: Settings) -> list[str]:
    """One line a field, the persona shortened; a capability is shown only where it is asked for."""
    values = {field.name: getattr(agent, field.name) for field in fields(agent)}
    values["file"] = settings.prompts / f"{agent.name}.md"
    values["route"] = agent.route or settings.default_route
    values["url"] = f"{base(settings)}/k/…/agents/{agent.name}/v1/chat/completions   (--url shows all of it)"
    width = max(map(len, values))
    return [f"{name:<{width}}  {_said(value)}" for name, value in values.items() if _said(value)]


def base(settings: Settings) -> str:
    """Where callers reach the gateway: by its tunnel, or GATEWAY_PUBLIC_URL, else where it listens."""
    return public.url(settings) or listening(settings) or running.address(settings.server.host, settings.server.port)


def path_of(settings: Settings, store: Store, name: str) -> str:
    """The path that opens this agent now."""
    return Capabilities(store.secret, lambda: (name,), store.generations.current, settings.simli.id).path_of(name)


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
        return base(settings) + path_of(settings, store, name)
