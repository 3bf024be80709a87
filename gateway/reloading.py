"""What is served now, and how something else takes its place: all at once, between two turns.

A turn takes the brain once, at its beginning, so a running one keeps its persona, its route and what it has found.
A reload that finds a fault changes nothing.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeVar

from gateway import clients
from gateway.chat.answer import Brain
from gateway.chat.rehearsal import rehearsed
from gateway.errors import ConfigurationError, Fault, GatewayError
from gateway.errors.redaction import Redact, redacting
from gateway.settings import Settings, withheld
from gateway.settings.changes import taken, waiting
from gateway.types import Agent, Complete
from gateway.types.administration import Reloaded

logger = logging.getLogger("gateway")

PATIENCE = 0.3
"""Seconds that a start waits for connections to targets that do not accept them at once."""

T = TypeVar("T")
Found = tuple[Settings, Mapping[str, Agent]]


def bound(settings: Settings, agents: Mapping[str, Agent], opened: clients.Clients, complete: Complete) -> Brain:
    """Bind the adapters' functions to the core."""
    lone = next(iter(agents)) if len(agents) == 1 else ""
    return Brain(
        agents=agents,
        routes={name: route.on_failure for name, route in settings.routes.items()},
        default_agent=settings.default_agent or lone,
        default_route=settings.default_route,
        limits=settings.limits,
        retrieve=opened.retrieve,
        complete=complete,
        today=lambda: datetime.now(UTC).astimezone().date(),
        clock=time.perf_counter,
    )


@dataclass(slots=True)
class Current:
    """What is served now. `reload` replaces it; whoever needs it asks again each time."""

    settings: Settings
    agents: Mapping[str, Agent]
    opened: clients.Clients
    complete: Complete
    read: Callable[[], Found]
    """Read settings and agents again. Blocks; raises ConfigurationError with every fault."""
    endable: Callable[[Complete], Complete]
    """What is done with a `Complete` before it serves."""
    _brain: Brain = field(init=False)
    _turnstile: asyncio.Lock = field(default_factory=asyncio.Lock)

    _redact: Redact = field(init=False)
    _connecting: asyncio.Task[None] = field(init=False)

    def __post_init__(self) -> None:
        self._bind()

    def _bind(self) -> None:
        """Make what is served of the settings and agents: one assignment is the moment from which on a turn has it."""
        self._redact = redacting([*withheld(self.settings), self.opened.store.secret])
        self._brain = bound(self.settings, self.agents, self.opened, self.complete)

    async def warm(self) -> None:
        """Have the first turn pay for nothing that the tenth does not. Never raises."""
        self._connecting = asyncio.create_task(self.opened.warm())
        try:
            await rehearsed(self._brain)
        except Exception:  # such a turn fails for its caller too, who is told
            logger.warning("the rehearsal of a turn failed", exc_info=True)
        await asyncio.wait({self._connecting}, timeout=PATIENCE)  # one that takes longer goes on

    def brain(self) -> Brain:
        """The brain of now."""
        return self._brain

    def redact(self, text: str) -> str:
        """The text without the keys and secrets of now."""
        return self._redact(text)

    async def reload(self) -> Reloaded:
        """Read again and serve what is there now. One at a time; never raises."""
        async with self._turnstile:
            try:
                done = await self._reloaded()
            except ConfigurationError as error:
                done = Reloaded(faults=error.faults)
            except GatewayError as error:  # a local model that cannot be started
                done = Reloaded(faults=(Fault("routes", 0, "", error.message),))
            except Exception as error:  # a bug of ours must not end the watch over files
                logger.exception("the reload failed")
                done = Reloaded(faults=(Fault("reload", 0, "", f"failed: {type(error).__name__}"),))
        _say(done)
        return done

    async def repoint(self) -> None:
        """Serve the versions that the pointers name now, whatever the files say. Never raises."""
        async with self._turnstile:
            names = clients.languages(self.agents)
            served = self._served(names)
            try:
                await self.opened.knowledge.reload()
                if opened := _differing(served, self._served(names)):
                    await self.opened.knowledge.warm()
                    _say(Reloaded(tuple(f"knowledge {name}" for name in opened)))
            except Exception:  # a bug of ours must not end the watch over the others
                logger.exception("versions could not be opened")

    async def _reloaded(self) -> Reloaded:
        read, agents = await asyncio.to_thread(self.read)
        settings = taken(self.settings, read)
        before, after = clients.languages(self.agents), clients.languages(agents)
        changed = list(_changed(self.settings, settings, self.agents, agents))
        complete = self.complete
        if settings.routes != self.settings.routes or settings.breaker != self.settings.breaker:
            complete = self.endable(await self.opened.routed(settings.routes, settings.breaker))
        served = self._served(after)
        # What a new agent knows is open before it is asked; what none knows any more is closed after the last could.
        await self.opened.knowledge.reload(dict.fromkeys([*before, *after]))
        if changed:
            self.settings, self.agents, self.complete = settings, agents, complete
            self._bind()
            await self.warm()
        if set(before) - set(after):
            await self.opened.knowledge.reload(after)
        opened = _differing(served, self._served(after))
        if opened:
            await self.opened.knowledge.warm()
        changed += [f"knowledge {name}" for name in opened]
        return Reloaded(tuple(changed), waiting(self.settings, read))

    def _served(self, collections: Iterable[str]) -> dict[str, str]:
        """The version of each collection that is searched."""
        return {name: self.opened.knowledge.served(name)[0] for name in collections}


def _changed(
    old: Settings, new: Settings, old_agents: Mapping[str, Agent], new_agents: Mapping[str, Agent]
) -> Iterable[str]:
    for name in _differing(old_agents, new_agents):
        yield f"agent {name}"
    for name in _differing(old.routes, new.routes):
        yield f"route {name}"
    for name in ("breaker", "default_agent", "default_route"):
        if getattr(old, name) != getattr(new, name):
            yield name


def _differing(old: Mapping[str, T], new: Mapping[str, T]) -> Sequence[str]:
    return sorted(name for name in {*old, *new} if old.get(name) != new.get(name))


def _say(done: Reloaded) -> None:
    if done.faults:
        for fault in done.faults:
            logger.error("%s", fault)
        logger.error("nothing was reloaded, what was served is served still (faults: %d)", len(done.faults))
        return
    if done.changed:
        logger.info("reloaded: %s", ", ".join(done.changed))
    if done.later:
        logger.warning("changed, but taken at the next start only: %s", ", ".join(done.later))
