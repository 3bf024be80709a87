"""What this process knows of keys and generations: always at hand, never older than the store by more than a second.

A change is told to every process at once (`signals`), and each looks once a second whether it has missed one. The
snapshot serves while the store is away, and mends a store that has lost its data: see `known`.
"""

import asyncio
import logging
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from gateway.errors import StoreUnavailable
from gateway.store import snapshot
from gateway.store.connection import Connection, Script
from gateway.store.known import Known, lacking, merged, pruned, read, spent, withdrawn, written
from gateway.store.upkeep import happened
from gateway.types import Key

logger = logging.getLogger("gateway.store")

SIGNAL = "keys"
LOOK = 1.0
"""Seconds between two looks for a change of which the signal was lost."""
PAGE = 500
"""Records in one answer, or in one write."""

KEEP = Script("""
redis.call('SET', KEYS[1], ARGV[1], 'NX')
local at = 4
local kept = 0
for _ = 1, tonumber(ARGV[3]) do
  if ARGV[at + 2] == 'over' or redis.call('HEXISTS', KEYS[3], ARGV[at]) == 0 then
    redis.call('HSET', KEYS[3], ARGV[at], ARGV[at + 1])
    kept = kept + 1
  end
  at = at + 3
end
while ARGV[at] do
  local now = tonumber(redis.call('HGET', KEYS[4], ARGV[at]) or '0') or 0
  if tonumber(ARGV[at + 1]) > now then redis.call('HSET', KEYS[4], ARGV[at], ARGV[at + 1]) end
  at = at + 2
end
redis.call('SET', KEYS[2], ARGV[2])
return {kept, redis.call('GET', KEYS[1])}
""")
"""Keys that are not there yet, revocations (`over`), generations that are greater; and a new mark of the whole.

KEYS: store, mark, keys, generations. ARGV: the store's name where it has none, the mark, how many keys; of each its id,
its record, `over` or `new`; then agents and generations. Answers how many keys were written, and the store's name.
"""

ROTATE = Script("""
local now = tonumber(redis.call('HGET', KEYS[4], ARGV[3]) or '0') or 0
local next = math.max(now, tonumber(ARGV[4])) + 1
redis.call('SET', KEYS[1], ARGV[1], 'NX')
redis.call('HSET', KEYS[4], ARGV[3], next)
redis.call('SET', KEYS[2], ARGV[2])
return {next, redis.call('GET', KEYS[1])}
""")
"""The agent's next generation. KEYS and ARGV 1, 2 as above; the agent, the generation that the caller knows.

Answers the generation, and the store's name.
"""


class Register:
    """The account of this process, and its upkeep."""

    def __init__(self, connection: Connection, path: Path, changed: Callable[[], None]) -> None:
        self.known = snapshot.load(path)
        self._connection = connection
        self._path = path
        self._changed = changed
        self._names = [connection.key(name) for name in ("store", "mark", "keys", "generations")]
        self._stale = asyncio.Event()
        self._read = asyncio.Event()
        self._mark: list[Any] | None = None

    def stale(self) -> None:
        """Something has changed: look now."""
        self._stale.set()

    def returned(self) -> None:
        """The store is back, with what it has kept: read all of it."""
        self._mark = None
        self._stale.set()

    async def read_once(self, within: float) -> bool:
        """Wait until the store's account was read; False where that took longer."""
        return await happened(self._read, within)

    async def run(self) -> None:
        """Keep the account up to date, until cancelled."""
        while True:
            with suppress(StoreUnavailable):
                await self.refresh()
            await happened(self._stale, LOOK)
            self._stale.clear()

    async def refresh(self) -> None:
        """Look whether the store has a change, and put both accounts together. Raises StoreUnavailable."""
        (mark,) = await self._connection.take(("MGET", *self._names[:2]))
        if mark != self._mark:
            theirs = await self._theirs(mark[0] or "")
            mine = pruned(self.known, time.time())
            if not self._read.is_set() and theirs.store and mine.store and theirs.store != mine.store:
                mine = withdrawn(mine, theirs)  # the snapshot is of another store
            self.known = merged(mine, theirs)
            missing = lacking(theirs, self.known)
            self._mark = mark
            if (missing.keys or missing.generations) and self._connection.writable:
                await self._keep(missing)
                self.returned()
            await self._save()
        self._read.set()

    async def add(self, key: Key) -> bool:
        """Keep a new key, or one that is now revoked; False where the id is another key's. Raises StoreUnavailable."""
        kept, store = await self._keep(Known(keys={key.id: key}))
        if kept:
            self.known = merged(self.known, Known(store, {key.id: key}))
            await self._save()
        return bool(kept)

    async def rotate(self, agent: str) -> int:
        """The agent's next generation, kept. Raises StoreUnavailable."""
        least = self.known.generations.get(agent, 0)
        arguments = (self.known.store or _name(), _name(), agent, least)
        ((generation, store),) = await self._connection.take(_evaluated(ROTATE, self._names, arguments), writing=True)
        self.known = merged(self.known, Known(str(store), generations={agent: int(generation)}))
        self._changed()
        await self._save()
        return int(generation)

    async def _theirs(self, store: str) -> Known:
        keys: dict[str, Key] = {}
        gone: list[str] = []
        cursor, now = "0", time.time()
        while True:
            ((cursor, page),) = await self._connection.take(("HSCAN", self._names[2], cursor, "COUNT", PAGE))
            for id_, text in _pairs(page):
                try:
                    key = read(text)
                except ValueError as error:
                    logger.warning("the store's record of key %.20r %s", id_, error)
                    continue
                if spent(key, now):
                    gone.append(id_)
                elif key.id == id_:
                    keys[id_] = key
            if str(cursor) == "0":
                break
        if gone and self._connection.writable:
            used = self._connection.key("used")
            await self._connection.take(("HDEL", self._names[2], *gone), ("HDEL", used, *gone), writing=True)
        (told,) = await self._connection.take(("HGETALL", self._names[3]))
        generations = {agent: int(number) for agent, number in _pairs(told) if number.isdecimal()}
        return Known(store, keys, generations)

    async def _keep(self, known: Known) -> tuple[int, str]:
        """Write what the store lacks; how many keys were written, and the store's name. Raises StoreUnavailable."""
        kept, store = 0, ""
        keys = list(known.keys.values())
        generations = [part for pair in known.generations.items() for part in pair]
        for start in range(0, max(1, len(keys)), PAGE):
            page = keys[start : start + PAGE]
            records = [part for key in page for part in (key.id, written(key), "over" if key.revoked else "new")]
            arguments = (self.known.store or _name(), _name(), len(page), *records, *generations)
            ((written_, store),) = await self._connection.take(_evaluated(KEEP, self._names, arguments), writing=True)
            kept += int(written_)
        self._changed()
        return kept, str(store)

    async def _save(self) -> None:
        """Into the snapshot. A disk that takes no writes costs the snapshot, nothing else."""
        try:
            await asyncio.to_thread(snapshot.save, self._path, self.known)
        except OSError as error:
            logger.warning("%s cannot be written: %s", self._path, error)


def _name() -> str:
    return secrets.token_hex(8)


def _evaluated(script: Script, keys: list[str], arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    return ("EVAL", script.text, len(keys), *keys, *arguments)


def _pairs(told: Any) -> list[tuple[str, str]]:
    """A hash's fields and values: a map, or a flat list as HSCAN answers."""
    if isinstance(told, dict):
        return [(str(name), str(value)) for name, value in told.items()]
    return [(str(name), str(value)) for name, value in zip(told[::2], told[1::2], strict=True)]
