"""The one place that opens clients, for the application and for commands."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import NamedTuple

import aiohttp

from gateway.chat import agent as agent_files
from gateway.chat import prompt as prompts
from gateway.chat.history import History
from gateway.chat.query import reply
from gateway.chat.request import ChatRequest
from gateway.errors import ConfigurationError, Fault, GatewayError
from gateway.processes import supervised
from gateway.retrieval import retriever
from gateway.settings import OPENAI_URL, Route, Settings, Target
from gateway.types import Agent, Complete, Message, Retrieve, Retrieved
from gateway.upstream import extractive, local, probe
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
    routed: Callable[[Mapping[str, Route]], Awaitable[Complete]]
    """Open other routes; those that are open serve what runs. Raises where a local model cannot run."""
    knowledge: retriever.Retriever


def agents(settings: Settings, *, routes: bool = True) -> dict[str, Agent]:
    """Read the agent files. Raises ConfigurationError with every fault of all of them.

    Without `routes` those that agents name are not looked for: the settings' own may be the fault.
    """
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
        loaded = agent_files.loaded(files, settings.routes if routes else None, collections)
    except ConfigurationError as error:
        raise ConfigurationError([*faults, *error.faults]) from None
    if settings.default_agent and settings.default_agent not in loaded:
        known = ", ".join(sorted(loaded)) or "none"
        faults.append(Fault("settings", 0, "default_agent", f"no agent {settings.default_agent!r}; there are: {known}"))
    if faults:
        raise ConfigurationError(faults)
    return loaded


def checked(settings: Settings | None, faults: Sequence[Fault] = ()) -> dict[str, Agent]:
    """The agents, once everything that a start needs from the disk is there. Raises ConfigurationError.

    `faults` are those of the settings themselves: agents' faults are said beside them, all at once.
    """
    found = list(faults)
    loaded: dict[str, Agent] = {}
    routes = settings.routes.values() if settings else ()
    for target in (target for route in routes for target in route.targets):
        if target.embedded == "llm":
            try:
                local.model_file(Path(target.model) if target.model else None)
            except ConfigurationError as error:
                found += error.faults
    if settings:
        try:
            loaded = agents(settings, routes=not faults)
        except ConfigurationError as error:
            found += error.faults
    if found:
        raise ConfigurationError(found)
    return loaded


def languages(agents: Mapping[str, Agent]) -> dict[str, str]:
    """The language of each collection: that of the first agent which uses it."""
    found: dict[str, str] = {}
    for agent in agents.values():
        for collection in agent.collections:
            found.setdefault(collection, agent.language)
    return found


@asynccontextmanager
async def opened(settings: Settings, agents: Mapping[str, Agent]) -> AsyncIterator[Clients]:
    """Open what the settings name; close it, in reverse, at the end."""
    async with AsyncExitStack() as stack:
        searches = await stack.enter_async_context(retriever.opened(settings, languages(agents)))
        upstreams = Upstreams(await stack.enter_async_context(_session()), stack, agents)
        yield Clients(
            retrieve=searches.retrieve,
            complete=await upstreams.routed(settings.routes),
            missing=lambda: searches.missing,
            end_streams=upstreams.end_streams,
            routed=upstreams.routed,
            knowledge=searches,
        )


def _session() -> aiohttp.ClientSession:
    """No limit of connections: a pool that queues shows up as seconds of silence, never as an error (README)."""
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=55, ttl_dns_cache=60)
    return aiohttp.ClientSession(connector=connector, skip_auto_headers=("User-Agent",))


@dataclass(slots=True)
class Upstreams:
    """Opens targets, and knows their running streams."""

    session: aiohttp.ClientSession
    stack: AsyncExitStack
    agents: Mapping[str, Agent]
    open_streams: set[Silence] = field(default_factory=set)
    models: dict[Target, Target] = field(default_factory=dict)
    """Local models that run, by what asks for them; they do until the end."""

    async def routed(self, routes: Mapping[str, Route]) -> Complete:
        """Open these routes. What was returned before goes on to serve those that it had."""
        named = [(name, target) for name, route in routes.items() for target in route.targets]
        probed = await asyncio.gather(*(_probed(name, target) for name, target in named))
        attempts: dict[str, list[Attempt]] = {name: [] for name in routes}
        for (name, _), target in zip(named, probed, strict=True):
            attempts[name].append(await self.attempt(name, target))
        return completing(attempts)

    def end_streams(self, error: GatewayError) -> None:
        """Break every running stream off."""
        for silence in tuple(self.open_streams):
            silence.expire(error)

    async def attempt(self, route: str, target: Target) -> Attempt:
        """Open one target of a route. Raises ConfigurationError or ChildError where the local model cannot run."""
        if target.embedded == "extractive":
            ask = partial(extractive.answered, reply=reply)
            return Attempt("extractive", target.model, target.first_token, ask)
        if target.embedded == "llm":
            target = await self._local(target)
        return Attempt(route, target.model, target.first_token, asking(self.session, target, self.open_streams))

    async def _local(self, target: Target) -> Target:
        if target in self.models:
            return self.models[target]
        model = local.model_file(Path(target.model) if target.model else None)
        port = local.free_port()
        logger.info("loading %s", model.name)
        child = local.child(model, port, warm_up=self._beginning())
        await self.stack.enter_async_context(supervised(child))
        self.models[target] = replace(target, url=local.base_url(port), model=model.stem)
        return self.models[target]

    def _beginning(self) -> Sequence[Message]:
        """How the turns of an agent begin: a model that has read it once finds it in its cache."""
        agent = next(iter(self.agents.values()), Agent("", ""))
        hello = History(messages=({"role": "user", "content": "Hello."},), last=0, question="Hello.")
        today = datetime.now(UTC).astimezone().date()
        return prompts.composed(agent, ChatRequest("", ()), hello, Retrieved(), today, nonce="0").messages


async def _probed(route: str, target: Target) -> Target:
    """Say what is wrong with a target; where nobody chose its model and it has not the default one, take its first."""
    if target.embedded:
        return target
    models, problem = await probe.found(target)
    if problem and models and target.key_env == "OPENAI_API_KEY" and target.url != OPENAI_URL:
        logger.info("route %s: %s %s; %s is taken", route, target.url, problem, models[0])
        return replace(target, model=models[0])
    if problem:
        logger.warning("route %s: %s %s", route, target.url, problem)
    return target
