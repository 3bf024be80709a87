"""Ingests as all processes know them: who ingests what, how far it is, and how it ended.

    {prefix}:ingests           sorted    ids of jobs by when they were asked for
    {prefix}:ingest:{id}       string    a job, and the process that has it
    {prefix}:ingesting         hash      the process and the job that have a collection, by its place and name

A job whose process has handed it on, or is missed (`members`), is taken over by the first that finds it, in one step:
the same job, begun anew from the versions that are sealed. Whoever had it and lives after all is told that it is gone.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from gateway.errors import Conflict, NotFound, StoreUnavailable
from gateway.store.connection import Connection
from gateway.store.ingest_records import Told, read, written
from gateway.store.ingest_scripts import BEGIN, TAKE, TELL
from gateway.store.line import Command
from gateway.store.members import Members
from gateway.store.upkeep import happened
from gateway.types.knowledge import IngestJob, Moved

SIGNAL = "ingest"
KEPT = 86_400
"""Seconds that a job is remembered."""
MOST = 50
"""Jobs that are remembered."""
GATHERING = 0.1
"""Seconds between two writes of what has changed: an ingest tells of each step."""
BUSY = "{}: job {} is ingesting it; wait until it has ended."
LOOK = 1.0
"""Seconds after which a job is looked at again where no signal came."""
AGAIN = 60.0
"""Seconds after which a job is told again that has not changed: how long one has no process is counted from there."""
ROUND = 1.0
"""Seconds between two looks for jobs without a process, where no signal came."""


@dataclass(eq=False)
class _Own:
    """A job of this process."""

    job: IngestJob
    written: IngestJob | None = None
    """As the store has it."""
    left: bool = False
    """This process ends; another one may have it."""


@dataclass(eq=False)
class Ingests:
    """The jobs of all processes. `place`: where versions lie; elsewhere a collection of the same name is another."""

    connection: Connection
    members: Members
    publish: Callable[[str, dict[str, Any]], None]
    place: str
    clock: Callable[[], float] = time.time
    again: float = AGAIN
    _own: dict[str, _Own] = field(default_factory=dict)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _watching: dict[str, set[asyncio.Event]] = field(default_factory=dict)
    _lost: list[IngestJob] = field(default_factory=list)
    """Jobs of this process that another one has taken."""
    _around: asyncio.Event = field(default_factory=asyncio.Event)
    """There may be jobs that move."""

    async def begin(self, job: IngestJob) -> None:
        """Have its collections to itself. Raises Conflict where another job has one of them, StoreUnavailable.

        One that waits for its next process has its collections, too.
        """
        wanted = {one.collection for one in job.collections}
        for _, other, _ in self._tries(await self._left()):
            if both := [one.collection for one in other.collections if one.collection in wanted]:
                raise Conflict(BUSY.format(both[0], other.id))
        keys = [self._held, self.members.key, self._record(job.id), self._index]
        missed = int(self.members.missed * 1000)
        arguments: Command = (
            self.members.name,
            job.id,
            missed,
            written(self.members.name, job, self.clock()),
            job.began,
            KEPT,
            MOST,
            *self._places(job),
        )
        command: Command = ("EVAL", BEGIN.text, len(keys), *keys, *arguments)
        ((taken, whose),) = await self.connection.take(command, writing=True)
        if taken:
            raise Conflict(BUSY.format(job.collections[int(taken) - 1].collection, whose))

    def tell(self, job: IngestJob) -> None:
        """A job of this process is so now. Never waits, never raises; kept until the store has it."""
        self._own.setdefault(job.id, _Own(job)).job = job
        over = [id_ for id_, own in self._own.items() if own.job.over]
        for id_ in over[:-MOST]:  # a store that is away for good
            del self._own[id_]
        self._changed.set()

    def hand_on(self, job: IngestJob) -> bool:
        """This process ends before its job does; True: another one may have it. Never waits, never raises."""
        self.tell(job)
        self._own[job.id].left = True
        return True

    async def moved(self, willing: Callable[[], bool] = lambda: True) -> AsyncGenerator[Moved, None]:
        """Jobs that this process has taken over, and those that were taken from it, without an end. Never raises.

        `willing`: whether it takes any now.
        """
        tries: list[tuple[Told, IngestJob, str]] = []
        while True:
            while self._lost:
                yield Moved(self._lost.pop(), here=False)
            with suppress(StoreUnavailable):
                if willing() and not tries:
                    tries = self._tries(await self._left())
                while tries:  # one that got no answer is tried again as it was: perhaps it has succeeded
                    taken = await self._taken(*tries[-1])
                    _, job, _ = tries.pop()
                    if taken:
                        yield Moved(job, here=True)
            await happened(self._around, ROUND)
            self._around.clear()

    def returned(self) -> None:
        """The store is there; it may have lost what it was told."""
        self._untold()
        self._changed.set()

    def heard(self, told: Any) -> None:
        """A signal: a job has changed."""
        for watcher in self._watching.get(str(told.get("job")), ()):
            watcher.set()
        if told.get("left") is True:
            self._around.set()

    async def listed(self) -> list[IngestJob]:
        """Those that run and the last that ended, newest first. Raises StoreUnavailable."""
        (ids,) = await self.connection.take(("ZREVRANGE", self._index, 0, -1))
        return await self._found([str(id_) for id_ in ids])

    async def watched(self, id_: str) -> AsyncGenerator[IngestJob, None]:
        """A job as it is now, after changes, and every `LOOK` seconds, until it has ended or the store goes.

        Raises NotFound, StoreUnavailable, before anything is told.
        """
        changed = asyncio.Event()
        self._watching.setdefault(id_, set()).add(changed)
        try:
            found = await self._found([id_])
            if not found:
                raise NotFound(f"There is no job {id_[:80]!r}.")
            job: IngestJob | None = found[0]
            while job is not None:
                yield job
                if job.over:
                    return
                await happened(changed, LOOK)
                changed.clear()
                job = await self._again(job)
        finally:
            self._watching[id_].discard(changed)
            if not self._watching[id_]:
                del self._watching[id_]

    async def run(self) -> None:
        """Write what has changed, and everything once in a while, until cancelled."""
        while True:
            if not await happened(self._changed, self.again):
                self._untold()
            self._changed.clear()
            try:
                await self._write()
            except StoreUnavailable:  # or it refused: what is not written is tried again
                await happened(self._changed, LOOK)
                self._changed.set()
            await asyncio.sleep(GATHERING)

    async def leave(self) -> None:
        """The process is about to end: write what is not written. Never raises."""
        with suppress(StoreUnavailable):
            await self._write()

    def _untold(self) -> None:
        """All is to be told again."""
        for own in self._own.values():
            own.written = None

    async def _write(self) -> None:
        """Have the store know what this process knows. Raises StoreUnavailable."""
        for own in tuple(self._own.values()):
            job = own.job
            if own.written is job:
                continue
            keys = [self._held, self._record(job.id), self._index]
            record = written("" if own.left else self.members.name, job, self.clock())
            command: Command = ("EVAL", TELL.text, len(keys), *keys, self.members.name, job.id, int(job.over), record)
            command = (*command, job.began, KEPT, MOST, *self._places(job))
            (mine,) = await self.connection.take(command, writing=True)
            own.written = job
            if not int(mine):
                self._lost.append(job)
                self._around.set()
            if not int(mine) or (own.job is job and (job.over or own.left)):
                self._own.pop(job.id, None)
            self.publish(SIGNAL, {"job": job.id, "left": own.left})

    async def _again(self, last: IngestJob) -> IngestJob | None:
        """The job as it is now, `last` itself where it has not changed; None where nobody knows."""
        try:
            found = await self._found([last.id])
        except StoreUnavailable:
            return None
        return last if found == [last] else next(iter(found), None)

    async def _found(self, ids: Sequence[str]) -> list[IngestJob]:
        """Those of these that there are; one whose process is gone as the next one has it. Raises StoreUnavailable."""
        told = await self._read(ids)
        gone = await self._gone(told)
        return [each.after(self.clock()) if each in gone else each.job for each in told]

    async def _left(self) -> list[Told]:
        """Those whose process is gone, of collections that this process may ingest. Raises StoreUnavailable."""
        (held,) = await self.connection.take(("HGETALL", self._held))
        ids = {whose.rpartition(" ")[2] for where, whose in held.items() if where.partition(" ")[0] == self.place}
        return await self._gone(await self._read([*ids]))

    async def _gone(self, told: Sequence[Told]) -> list[Told]:
        """Those of these that have no process, and are not over. Raises StoreUnavailable.

        None of this process's own: it lives, though its signs of life may have been late.
        """
        left = [each for each in told if not each.job.over and each.job.id not in self._own]
        dead = await self.members.dead({each.process for each in left}) if left else ()
        return [each for each in left if not each.process or each.process in dead]

    def _tries(self, left: Sequence[Told]) -> list[tuple[Told, IngestJob, str]]:
        """Those that may go on: as they are, as this process would have them, and how that is written."""
        now = self.clock()
        found = [(told, told.after(now)) for told in left]
        return [(told, job, written(self.members.name, job, now)) for told, job in found if not job.over]

    async def _taken(self, told: Told, job: IngestJob, record: str) -> bool:
        """Take it over; whether nobody else has. Raises StoreUnavailable."""
        keys = [self._held, self.members.key, self._record(job.id)]
        command: Command = ("EVAL", TAKE.text, len(keys), *keys, self.members.name, job.id)
        command = (*command, int(self.members.missed * 1000), told.text, record, KEPT, *self._places(job))
        (taken,) = await self.connection.take(command, writing=True)
        return bool(int(taken))

    async def _read(self, ids: Sequence[str]) -> list[Told]:
        """What is stored of these. Raises StoreUnavailable."""
        if not ids:
            return []
        (texts,) = await self.connection.take(("MGET", *map(self._record, ids)))
        return [told for text in texts if text and (told := read(text)) is not None]

    def _places(self, job: IngestJob) -> list[str]:
        return [f"{self.place} {one.collection}" for one in job.collections]

    def _record(self, id_: str) -> str:
        return self.connection.key("ingest", id_)

    @property
    def _held(self) -> str:
        return self.connection.key("ingesting")

    @property
    def _index(self) -> str:
        return self.connection.key("ingests")
