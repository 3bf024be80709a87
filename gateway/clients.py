"""The one place that opens clients, for the application and for commands."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import NamedTuple

import aiohttp

from gateway import agent_files
from gateway import store as stores
from gateway.chat import prompt as prompts
from gateway.chat.history import History
from gateway.chat.query import reply
from gateway.chat.request import ChatRequest
from gateway.errors import GatewayError
from gateway.processes import supervised
from gateway.retrieval import retriever
from gateway.settings import OPENAI_URL, Breaker, Route, Settings, Target
from gateway.store import Store
from gateway.types import Agent, Ask, Complete, Message, Retrieve, Retrieved
from gateway.upstream import extractive, local, probe
from gateway.upstream.breaker import State
from gateway.upstream.candidate import Candidate, Plan
from gateway.upstream.completing import completing
from gateway.upstream.continuing import continued
from gateway.upstream.hedging import Hedging
from gateway.upstream.silence import Running
from gateway.upstream.target import asking, session, warmed
from gateway.upstream.targets import Targets, missing

logger = logging.getLogger("gateway")


class Clients(NamedTuple):
    """What the core is given."""

    retrieve: Retrieve
    complete: Complete
    missing: Callable[[], Sequence[str]]
    """What it has to do without at the moment, by name."""
    breakers: Callable[[], Mapping[str, State]]
    """Every target's, by `route/model`."""
    targets: Callable[[], Collection[str]]
    """Every target, as `route/model`."""
    end_streams: Callable[[GatewayError], None]
    """Break every running upstream stream off, for this reason."""
    routed: Callable[[Mapping[str, Route], Breaker], Awaitable[Complete]]
    """Open other routes; what runs goes on with its own. Raises GatewayError where a local model cannot run."""
    warm: Callable[[], Coroutine[None, None, None]]
    """Have a kept connection to each target. Never raises; two seconds at most."""
    knowledge: retriever.Retriever
    store: Store


agents = agent_files.agents
"""Reads them all, or raises ConfigurationError with every fault."""
checked = agent_files.checked
"""The same, with every fault of what else a start needs from the disk."""


def languages(agents: Mapping[str, Agent]) -> dict[str, str]:
    """The language of each collection: that of the first agent which uses it."""
    found: dict[str, str] = {}
    for agent in agents.values():
        for collection in agent.collections:
            found.setdefault(collection, agent.language)
    return found


@asynccontextmanager
async def opened(
    settings: Settings, agents: Mapping[str, Agent], overloaded: Callable[[], bool] = lambda: False
) -> AsyncIterator[Clients]:
    """Open what the settings name; close it, in reverse, at the end.

    A store, a target or knowledge that is away keeps nothing from opening: `missing` names it until it is back.
    Nothing is hedged while `overloaded`. Raises GatewayError where the local model or the secret cannot be used.
    """
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(stores.opened(settings))
        upstreams = Upstreams(await stack.enter_async_context(session()), stack, agents, overloaded=overloaded)
        stack.push_async_callback(upstreams.targets.aclose)
        upstreams.targets.publish = partial(_left_out, store)
        store.subscribe("breaker", lambda told: upstreams.targets.told(told["target"], told["until"]))
        searches, complete = await asyncio.gather(
            stack.enter_async_context(retriever.opened(settings, languages(agents))),
            upstreams.routed(settings.routes, settings.breaker),
        )
        yield Clients(
            retrieve=searches.retrieve,
            complete=complete,
            missing=lambda: [*store.missing, *searches.missing, *upstreams.missing()],
            breakers=upstreams.breakers,
            targets=lambda: upstreams.names,
            end_streams=upstreams.end_streams,
            routed=upstreams.routed,
            warm=upstreams.warm,
            knowledge=searches,
            store=store,
        )


def _left_out(store: Store, target: str, until: float) -> None:
    """Tell the other workers; this one hears it too, and knows it already."""
    store.publish("breaker", {"target": target, "until": until})


@dataclass(slots=True)
class Upstreams:
    """Opens targets, keeps what is known of them, and knows their running streams."""

    session: aiohttp.ClientSession
    stack: AsyncExitStack
    agents: Mapping[str, Agent]
    targets: Targets = field(default_factory=Targets)
    """Its `publish` is told which target is left out; `told` is another worker's word."""
    overloaded: Callable[[], bool] = lambda: False
    """Whether nothing may be hedged at the moment."""
    running: Running = field(default_factory=Running)
    plans: Mapping[str, Plan] = field(default_factory=dict)
    """The routes of now."""
    names: frozenset[str] = frozenset()
    """Every target of now, as `route/model`."""
    asks: dict[Target, tuple[Target, Ask]] = field(default_factory=dict)
    """Targets that are opened, by what the settings say of them."""

    def end_streams(self, error: GatewayError) -> None:
        """Break every running stream off, and those that begin from now on."""
        self.running.end(error)

    def missing(self) -> Sequence[str]:
        """The targets that are left out at the moment."""
        return missing(self.plans.values())

    def breakers(self) -> dict[str, State]:
        """Every target's, by `route/model`."""
        candidates = (each for plan in self.plans.values() for each in plan.candidates)
        return {each.named(""): each.health.breaker.state for each in candidates}

    async def routed(self, routes: Mapping[str, Route], rule: Breaker) -> Complete:
        """Open these routes in the place of those before; what runs goes on with its own.

        A target that there was already keeps its health, and a local model its process. Raises ConfigurationError or
        ChildError where a local model cannot run; then all is as before.
        """
        named = [(name, target) for name, route in routes.items() for target in route.targets]
        new = [(name, target) for name, target in named if target not in self.asks]
        found = await asyncio.gather(*(_probed(name, target) for name, target in new))
        asks = {target: self.asks[target] for _, target in named if target in self.asks}
        for (_, written), target in zip(new, found, strict=True):
            if written not in asks:
                asks[written] = await self._opened(target)
        plans = {name: self._plan(name, route, rule, asks) for name, route in routes.items()}
        self.targets.keep(plans)
        self.asks, self.plans = asks, plans
        self.names = frozenset(self.breakers())
        return completing(plans, clock=self.targets.clock, continued=continued)

    async def warm(self) -> None:
        """Have a kept connection to each target, so that the first turn does not pay for it. Never raises.

        What is asked does not matter, only that the answer is read: two seconds for all of them together.
        """
        bases = {(target.url, target.key) for target, _ in self.asks.values() if target.url}
        await asyncio.gather(*(warmed(self.session, url, key) for url, key in bases))

    def _plan(self, name: str, route: Route, rule: Breaker, asks: Mapping[Target, tuple[Target, Ask]]) -> Plan:
        hedging = Hedging(route.hedge_after, route.hedge_share, self.overloaded) if route.hedge else None
        candidates = []
        for written in route.targets:
            target, ask = asks[written]
            candidates.append(
                Candidate(
                    target.embedded if target.embedded == "extractive" else name,
                    target.model,
                    ask,
                    self.targets.health(target, ask, rule),
                    first_token=target.first_token,
                    retries=target.retries,
                    weight=target.weight,
                    continues=target.continues,
                )
            )
        return Plan(tuple(candidates), route.strategy, route.first_token, hedging)

    async def _opened(self, target: Target) -> tuple[Target, Ask]:
        if target.embedded == "extractive":
            pause = 1 / target.pace if target.pace else extractive.PAUSE
            return target, partial(extractive.answered, reply=reply, pause=pause)
        if target.embedded == "llm":
            target = await self._local(target)
        return target, asking(self.session, target, self.running)

    async def _local(self, target: Target) -> Target:
        model = local.model_file(Path(target.model) if target.model else None)
        port = local.free_port()
        logger.info("loading %s", model.name)
        child = local.child(model, port, warm_up=self._beginning())
        await self.stack.enter_async_context(supervised(child))
        return replace(target, url=local.base_url(port), model=model.stem)

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
