"""What one process does because another one did: it serves what was ingested or rolled back, and reads files again.

A signal may get lost, so a process that begins to listen again does both by itself, and whoever asks all processes to
reload is told how many have.
"""

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from gateway.errors import StoreUnavailable
from gateway.store import Store
from gateway.store.upkeep import happened, kept_up
from gateway.types.administration import Reloaded
from gateway.types.knowledge import Elsewhere, IngestJob

logger = logging.getLogger("gateway")

SERVE, RELOAD, RELOADED = "serve", "reload", "reloaded"
"""Signals: other versions are to be served; files are to be read again; they were, or could not be."""
PATIENCE = 5.0
"""Seconds that a reload waits for the other processes: one that opens a new route asks its targets what they serve."""
LOOK = 0.5
"""Seconds between two looks whether a process that is waited for has ended."""


def elsewhere(store: Store, draining: Callable[[], bool]) -> Elsewhere:
    """The other processes of this store, as an ingest is told of them. `draining`: this one takes over no job more."""

    def serve() -> None:
        store.publish(SERVE, {})

    async def listed() -> Sequence[IngestJob]:
        try:
            return await store.ingests.listed()
        except StoreUnavailable:
            return ()

    ingests = store.ingests
    moved = partial(ingests.moved, lambda: not draining())
    return Elsewhere(ingests.begin, ingests.tell, ingests.hand_on, moved, serve, listed, ingests.watched)


@dataclass(eq=False)
class _Call:
    """A reload that all others were asked for."""

    done: dict[str, bool] = field(default_factory=dict)
    """Whether it was done, by process."""
    changed: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(eq=False)
class Fleet:
    """This process among those that share its store. Made by `opened`."""

    store: Store
    read: Callable[[], Awaitable[Reloaded]]
    """Read files again and serve what they say, here. Never raises."""
    repoint: Callable[[], Awaitable[None]]
    """Serve the versions that the pointers name now, here. Never raises."""
    patience: float = PATIENCE
    _calls: dict[str, _Call] = field(default_factory=dict)
    _asked: list[str] = field(default_factory=list)
    """Calls for a reload that were heard."""
    _serving: bool = False
    """There may be other versions to serve."""
    _woken: asyncio.Event = field(default_factory=asyncio.Event)

    async def reload(self) -> Reloaded:
        """Read files again, here and in every process; where one is broken here nobody else is asked. Never raises."""
        done = await self.read()
        if done.faults:
            return done
        try:
            others, behind = await self._all_reload()
        except StoreUnavailable:
            logger.warning("the store is away: no other process was asked to reload")
            return replace(done, others=None)
        return replace(done, others=others, behind=behind)

    async def _all_reload(self) -> tuple[int, int]:
        """How many others have, and how many have not. Raises StoreUnavailable."""
        me, members = self.store.members.name, self.store.members
        wanted = await members.living() - {me}
        if not wanted:
            return 0, 0
        name, call = secrets.token_hex(8), _Call()
        self._calls[name] = call
        try:
            self.store.publish(RELOAD, {"call": name})
            until = asyncio.get_running_loop().time() + self.patience
            while wanted - call.done.keys() and (left := until - asyncio.get_running_loop().time()) > 0:
                if not await happened(call.changed, min(LOOK, left)):
                    wanted &= await members.living()
                call.changed.clear()
        finally:
            del self._calls[name]
        others = sum(call.done.values())
        return others, len(wanted | call.done.keys()) - others

    def listening(self) -> None:
        """What was told while nobody listened went unheard."""
        self._serving = True
        self._asked.append("")
        self._woken.set()

    def serve(self, _: Any) -> None:
        """Another process has a version to serve."""
        self._serving = True
        self._woken.set()

    def asked(self, told: Any) -> None:
        """Another process wants all to reload."""
        self._asked.append(str(told.get("call")))
        self._woken.set()

    def answered(self, told: Any) -> None:
        """Another process has reloaded, or could not."""
        call = self._calls.get(str(told.get("call")))
        if call is not None:
            call.done[str(told.get("process"))] = told.get("done") is True
            call.changed.set()

    async def run(self) -> None:
        """Do what was heard, until cancelled."""
        while True:
            await self._woken.wait()
            self._woken.clear()
            if self._serving:
                self._serving = False
                await self.repoint()
            if self._asked:
                calls, self._asked = self._asked, []
                done = await self.read()
                for call in filter(None, calls):
                    answer = {"call": call, "process": self.store.members.name, "done": not done.faults}
                    self.store.publish(RELOADED, answer)


@asynccontextmanager
async def opened(
    store: Store,
    read: Callable[[], Awaitable[Reloaded]],
    repoint: Callable[[], Awaitable[None]],
    *,
    patience: float = PATIENCE,
) -> AsyncIterator[Fleet]:
    """Follow the others for the length of the block. `patience`: seconds that a reload waits for them."""
    fleet = Fleet(store, read, repoint, patience)
    for kind, hear in ((SERVE, fleet.serve), (RELOAD, fleet.asked), (RELOADED, fleet.answered)):
        store.subscribe(kind, hear, own=False)
    store.on_listening_again(fleet.listening)
    async with kept_up(fleet.run()):
        yield fleet
