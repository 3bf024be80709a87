"""Ingests as all processes know them: who ingests what, how far it is, and how it ended.

    {prefix}:ingests           sorted    ids of jobs by when they were asked for
    {prefix}:ingest:{id}       string    a job, and the process that has it
    {prefix}:ingesting         hash      the process and the job that have a collection, by its place and name

A job whose process is missed (`members`) has failed, and its collections are free.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import orjson

from gateway.errors import Conflict, Draining, Fault, NotFound, StoreUnavailable
from gateway.store.connection import Connection, Script
from gateway.store.line import Command
from gateway.store.members import Members
from gateway.store.typed import value
from gateway.store.upkeep import happened
from gateway.types.knowledge import IngestJob

SIGNAL = "ingest"
KEPT = 86_400
"""Seconds that a job is remembered."""
MOST = 50
"""Jobs that are remembered."""
GATHERING = 0.1
"""Seconds between two writes of what has changed: an ingest tells of each step."""
LOOK = 1.0
"""Seconds after which a job is looked at again where no signal came."""
GONE = "The process that ingested it has ended before it was done; every version is as it was: ingest it again."

BEGIN = Script("""
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
for i = 8, #ARGV do
  local held = redis.call('HGET', KEYS[1], ARGV[i])
  if held then
    local process, job = string.match(held, '^(%S+) (%S+)$')
    local until_ = process and redis.call('ZSCORE', KEYS[2], process)
    if until_ and tonumber(until_) > now then return {i - 7, job} end
  end
end
redis.call('ZADD', KEYS[2], now + tonumber(ARGV[3]), ARGV[1])
for i = 8, #ARGV do redis.call('HSET', KEYS[1], ARGV[i], ARGV[1] .. ' ' .. ARGV[2]) end
redis.call('SET', KEYS[3], ARGV[4], 'EX', ARGV[6])
redis.call('ZADD', KEYS[4], ARGV[5], ARGV[2])
redis.call('ZREMRANGEBYRANK', KEYS[4], 0, -1 - tonumber(ARGV[7]))
return {0, ''}
""")
"""A job's collections to itself, all or none. KEYS: what is held, processes, record, index. ARGV: process, job,
milliseconds until the process is missed, record, when it was asked for, seconds that it is kept, how many are; the
collections. Answers which of them another one has, counted from 1, and whose it is; 0: none."""

TELL = Script("""
redis.call('SET', KEYS[2], ARGV[4], 'EX', ARGV[6])
redis.call('ZADD', KEYS[3], ARGV[5], ARGV[2])
redis.call('ZREMRANGEBYRANK', KEYS[3], 0, -1 - tonumber(ARGV[7]))
local mine = ARGV[1] .. ' ' .. ARGV[2]
for i = 8, #ARGV do
  if ARGV[3] == '0' then
    redis.call('HSETNX', KEYS[1], ARGV[i], mine)
  elseif redis.call('HGET', KEYS[1], ARGV[i]) == mine then
    redis.call('HDEL', KEYS[1], ARGV[i])
  end
end
return 1
""")
"""A job as it is now, also where it was begun without the store. KEYS: what is held, record, index. ARGV: process, job,
whether it has ended, record, when it was asked for, seconds that it is kept, how many are; its collections."""


class Told(NamedTuple):
    """A job as it is stored."""

    process: str
    job: IngestJob
    at: float
    """When this was told, in seconds since the epoch."""

    def failed(self) -> IngestJob:
        """The job of a process that is gone."""
        faults = (*self.job.faults, Fault("", 0, "", GONE))
        return replace(self.job, state="failed", ended=self.at, faults=faults, code=Draining.code)


@dataclass(eq=False)
class _Own:
    """A job of this process."""

    job: IngestJob
    written: IngestJob | None = None
    """As the store has it."""


@dataclass(eq=False)
class Ingests:
    """The jobs of all processes. `place`: where versions lie; elsewhere a collection of the same name is another."""

    connection: Connection
    members: Members
    publish: Callable[[str, dict[str, Any]], None]
    place: str
    clock: Callable[[], float] = time.time
    _own: dict[str, _Own] = field(default_factory=dict)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _watching: dict[str, set[asyncio.Event]] = field(default_factory=dict)

    async def begin(self, job: IngestJob) -> None:
        """Have its collections to itself. Raises Conflict where another process has one of them, StoreUnavailable."""
        keys = [self._held, self.members.key, self._record(job.id), self._index]
        missed = int(self.members.missed * 1000)
        arguments: Command = (
            self.members.name,
            job.id,
            missed,
            self._written(job),
            job.began,
            KEPT,
            MOST,
            *self._places(job),
        )
        command: Command = ("EVAL", BEGIN.text, len(keys), *keys, *arguments)
        ((taken, whose),) = await self.connection.take(command, writing=True)
        if taken:
            name = job.collections[int(taken) - 1].collection
            raise Conflict(f"{name}: job {whose} is ingesting it; wait until it has ended.")

    def tell(self, job: IngestJob) -> None:
        """A job of this process is so now. Never waits, never raises; kept until the store has it."""
        self._own.setdefault(job.id, _Own(job)).job = job
        over = [id_ for id_, own in self._own.items() if own.job.over]
        for id_ in over[:-MOST]:  # a store that is away for good
            del self._own[id_]
        self._changed.set()

    def returned(self) -> None:
        """The store is there; it may have lost what it was told."""
        for own in self._own.values():
            own.written = None
        self._changed.set()

    def heard(self, told: Any) -> None:
        """A signal: a job has changed."""
        for watcher in self._watching.get(str(told.get("job")), ()):
            watcher.set()

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
        """Write what has changed, until cancelled."""
        while True:
            await self._changed.wait()
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

    async def _write(self) -> None:
        """Have the store know what this process knows. Raises StoreUnavailable."""
        for own in tuple(self._own.values()):
            job = own.job
            if own.written is job:
                continue
            keys = [self._held, self._record(job.id), self._index]
            record = self._written(job)
            command: Command = ("EVAL", TELL.text, len(keys), *keys, self.members.name, job.id, int(job.over), record)
            command = (*command, job.began, KEPT, MOST, *self._places(job))
            await self.connection.take(command, writing=True)
            own.written = job
            if job.over and own.job is job:
                del self._own[job.id]
            self.publish(SIGNAL, {"job": job.id})

    async def _again(self, last: IngestJob) -> IngestJob | None:
        """The job as it is now, `last` itself where it has not changed; None where nobody knows."""
        try:
            found = await self._found([last.id])
        except StoreUnavailable:
            return None
        return last if found == [last] else next(iter(found), None)

    async def _found(self, ids: Sequence[str]) -> list[IngestJob]:
        """Those of these that there are; one whose process is gone has failed. Raises StoreUnavailable."""
        if not ids:
            return []
        (texts,) = await self.connection.take(("MGET", *map(self._record, ids)))
        told = [each for text in texts if text and (each := _read(text)) is not None]
        dead = await self.members.dead({each.process for each in told if not each.job.over})
        return [each.failed() if each.process in dead and not each.job.over else each.job for each in told]

    def _written(self, job: IngestJob) -> str:
        return orjson.dumps([self.members.name, job, self.clock()]).decode()

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


def _read(text: str) -> Told | None:
    """What such a text says; None where it is none of ours."""
    try:
        process, job, at = orjson.loads(text)
        return Told(value(str, process), value(IngestJob, job), value(float, at))
    except (TypeError, ValueError):
        return None
