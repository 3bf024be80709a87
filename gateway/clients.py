"""The one place that opens clients, for the application and for commands."""

import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

import aiohttp

from gateway.chat import agent as agent_files
from gateway.chat.query import is_greeting
from gateway.errors import ConfigurationError, Fault, GatewayError
from gateway.retrieval import retriever
from gateway.settings import Settings, Target
from gateway.types import Agent, Ask, Complete, Retrieve
from gateway.upstream import extractive, local
from gateway.upstream.completing import Attempt, completing
from gateway.upstream.silence import Silence
from gateway.upstream.target import asking

logger = logging.getLogger("gateway")


class Clients(NamedTuple):
    """What the core is given."""

    retrieve: Retrieve
    complete: Complete
    missing: Callable[[], Sequence[str]]
    """What it has to do without at the moment, by name."""
    end_streams: Callable[[GatewayError], None]
    """Break every running upstream stream off, for this reason."""


def agents(settings: Settings) -> dict[str, Agent]:
    """Read the agent files. Raises ConfigurationError with every fault of all of them."""
    directory = settings.prompts
    if not directory.is_dir():
        raise ConfigurationError([Fault(str(directory), 0, "", "no such folder; agent files are looked for here")])
    files: dict[str, str] = {}
    faults = []
    for path in sorted(directory.glob("*.md")):
        try:
            files[str(path)] = path.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            faults.append(Fault(str(path), 0, "", f"cannot be read as UTF-8 text: {error}"))
    collections = [path.name for path in settings.knowledge.directory.glob("*") if path.is_dir()]
    try:
        loaded = agent_files.loaded(files, settings.routes, collections)
    except ConfigurationError as error:
        raise ConfigurationError([*faults, *error.faults]) from None
    if settings.default_agent and settings.default_agent not in loaded:
        known = ", ".join(sorted(loaded)) or "none"
        faults.append(Fault("settings", 0, "default_agent", f"no agent {settings.default_agent!r}; there are: {known}"))
    if faults:
        raise ConfigurationError(faults)
    return loaded


@asynccontextmanager
async def opened(settings: Settings, agents: Mapping[str, Agent]) -> AsyncIterator[Clients]:
    """Open what the settings name; close it, in reverse, at the end."""
    open_streams: set[Silence] = set()
    async with AsyncExitStack() as stack:
        # No limit of ours: a connection pool that queues silently shows up as seconds of silence (README).
        session = await stack.enter_async_context(
            aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=55, ttl_dns_cache=60),
                skip_auto_headers=("User-Agent",),
            )
        )
        languages = {name: agent.language for agent in agents.values() for name in agent.collections}
        searches = await stack.enter_async_context(retriever.opened(settings, languages))
        asks: dict[str, list[Attempt]] = {}
        for name, route in settings.routes.items():
            asks[name] = [
                await _attempt(name, target, settings, session, open_streams, stack) for target in route.targets
            ]

        def end_streams(error: GatewayError) -> None:
            for silence in tuple(open_streams):
                silence.expire(error)

        yield Clients(searches.retrieve, completing(asks), lambda: searches.missing, end_streams)


async def _attempt(
    route: str,
    target: Target,
    settings: Settings,
    session: aiohttp.ClientSession,
    open_streams: set[Silence],
    stack: AsyncExitStack,
) -> Attempt:
    ask: Ask
    if target.embedded == "extractive":
        ask = partial(extractive.answered, is_greeting=is_greeting)
    elif target.embedded == "llm":
        base = await stack.enter_async_context(local.started(Path(target.model) if target.model else None))
        ask = asking(session, target, open_streams)
    else:
        ask = asking(session, target, open_streams)
    return Attempt(route, target.model, target.first_token, ask)
