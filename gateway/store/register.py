"""What this process knows of keys and generations: always at hand, never older than the store by more than a second.

That something has changed is told to every process at once (`signals`), and each looks once a second whether it has
missed that; what has changed is read, and nothing else (`changes`). All is read at the start, where the store was away,
and every few minutes, beside the rest. The snapshot serves while the store is away, and mends a store that has lost its
data: see `known`.
"""

import asyncio
import logging
import secrets
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from gateway.errors import StoreUnavailable
from gateway.store import snapshot
from gateway.store.changes import GENERATIONS, KEEP, MOST, ROTATE, since
from gateway.store.connection import Connection, Script
from gateway.store.known import REMEMBERED, Known, joined, lacking, pruned, read, spent, withdrawn, written
from gateway.store.upkeep import happened
from gateway.types import Key

logger = logging.getLogger("gateway.store")

SIGNAL = "keys"
LOOK = 1.0
"""Seconds between two looks for a change of which the signal was lost."""
GATHERING = 0.01
"""Seconds from a signal until the look: what changes meanwhile is read in one go."""
SWEEP = 300.0
"""Seconds between two readings of all, beside the rest: what is spent goes, what was missed all the same is found."""
SAVED = 60.0
"""Seconds within which a session's key is in the snapshot, or its end; everything else is there at once."""
PAGE = 100
"""Records in one answer, or in one write: so many hold a turn up by a few milliseconds."""
NEWEST = 16
"""Changes that are read first; all of them only where these do not suffice."""


class Register:
    """The account of this process, and its upkeep."""

    def __init__(self, connection: Connection, path: Path, changed: Callable[[], None]) -> None:
        loaded = snapshot.load(path)
        self._keys = dict(loaded.keys)
        self.known = Known(loaded.store, self._keys, loaded.generations)
        self._connection = connection
        self._path = path
        self._changed = changed
        self._names = [connection.key(name) for name in ("store", "mark", "keys", "generations", "changes")]
        self._stale = asyncio.Event()
        self._read = asyncio.Event()
        self._looking = asyncio.Lock()
        self._whole = False
        self._mark = ("", "")
        self._unsaved: float | None = None

    def stale(self) -> None:
        """Something has changed: look now."""
        self._stale.set()

    def returned(self) -> None:
        """The store is back, with what it has kept: read all of it."""
        self._whole = False
        self._stale.set()

    async def read_once(self, within: float) -> bool:
        """Wait until the store's account was read; False where that took longer."""
        return await happened(self._read, within)

    async def run(self) -> None:
        """Keep the account up to date, until cancelled."""
        while True:
            with suppress(StoreUnavailable):
                await self.refresh()
            if self._unsaved is not None and time.monotonic() - self._unsaved >= SAVED:
                await self._save()
            if await happened(self._stale, LOOK):
                await asyncio.sleep(GATHERING)
            self._stale.clear()

    async def sweeping(self) -> None:
        """Sweep now and then, until cancelled."""
        while True:
            await asyncio.sleep(SWEEP)
            with suppress(StoreUnavailable):
                await self.sweep()

    async def sweep(self) -> None:
        """Read all, while changes are read as ever, and forget what is spent. Raises StoreUnavailable."""
        if self._whole:
            await self._read_all(self.known.store)
            self._to_be_saved()

    async def finish(self) -> None:
        """Put into the snapshot what is not there yet."""
        if self._unsaved is not None:
            await self._save()

    async def refresh(self) -> None:
        """Look whether the store has a change, and put both accounts together. Raises StoreUnavailable."""
        async with self._looking:
            before = self._mark
            (told,) = await self._connection.take(("MGET", *self._names[:2]))
            mark = (str(told[0] or ""), str(told[1] or ""))
            whole, self._whole = self._whole, True  # `returned` may come while all is read: then it is read again
            try:
                if not whole or mark not in {before, self._mark}:
                    changed = await self._changes(before, mark) if whole else None
                    if changed is None:
                        await self._read_all(mark[0])
                        await self._save()
                    else:
                        await self._read_some(changed)
                    if self._mark == before:  # else a change of one's own came meanwhile, and moved it
                        self._mark = mark
            except BaseException:
                self._whole = False
                raise
        self._read.set()

    async def add(self, key: Key) -> bool:
        """Keep a new key, or one that is now revoked; False where the id is another key's. Raises StoreUnavailable."""
        kept, store = await self._keep(Known(keys={key.id: key}))
        if kept:
            self._join(Known(store, {key.id: key}))
            await self._saved({key.id})
        return bool(kept)

    async def rotate(self, agent: str) -> int:
        """The agent's next generation, kept. Raises StoreUnavailable."""
        least = self.known.generations.get(agent, 0)
        generation, store = await self._written(ROTATE, agent, least)
        self._join(Known(store, generations={agent: generation}))
        self._changed()
        await self._save()
        return generation

    async def _changes(self, last: tuple[str, str], mark: tuple[str, str]) -> set[str] | None:
        """What has changed since the last look; None where nobody can tell."""
        if last[0] != mark[0]:
            return None
        for most in (NEWEST, MOST):
            (lines,) = await self._connection.take(("LRANGE", self._names[4], 0, most - 1))
            changed = since(lines, last[1], mark[1])
            if changed is not None or len(lines) < most:
                return changed
        return None

    async def _read_some(self, changed: set[str]) -> None:
        """These keys; and the generations, where they are meant."""
        ids = sorted(changed - {GENERATIONS})
        for start in range(0, len(ids), PAGE):
            page = ids[start : start + PAGE]
            (texts,) = await self._connection.take(("HMGET", self._names[2], *page))
            keys, _ = _sound([(id_, text) for id_, text in zip(page, texts, strict=True) if text is not None])
            self._join(Known(keys=keys))
        if GENERATIONS in changed:
            self._join(Known(generations=await self._generations()))
        await self._saved(changed)

    async def _read_all(self, store: str) -> None:
        """Everything; what the store lacks is given to it, and what is spent is forgotten, there and here."""
        mine = Known(self.known.store, dict(self._keys), self.known.generations)
        first = not self._read.is_set()
        theirs = await self._theirs(store)
        now = time.time()
        if first and theirs.store and mine.store and theirs.store != mine.store:  # the snapshot is of another store
            own, mine = mine, withdrawn(mine, theirs)
            self._forget(id_ for id_ in own.keys if id_ not in mine.keys)
        self.known = Known(theirs.store or self.known.store, self._keys, self.known.generations)
        self._join(Known(generations=theirs.generations))
        self._forget(id_ for id_, key in mine.keys.items() if spent(key, now))
        await asyncio.sleep(0)
        # What has expired is not given back: another process, whose clock is ahead, may have forgotten it.
        missing = lacking(theirs, pruned(mine, now + REMEMBERED))
        if (missing.keys or missing.generations) and self._connection.writable:
            await self._keep(missing)

    async def _theirs(self, store: str) -> Known:
        """The store's account. Each page is believed as it comes."""
        found: dict[str, Key] = {}
        cursor = "0"
        while True:
            ((cursor, page),) = await self._connection.take(("HSCAN", self._names[2], cursor, "COUNT", PAGE))
            keys, gone = _sound(_pairs(page))
            found |= keys
            self._join(Known(keys=keys))
            if gone and self._connection.writable:
                used = self._connection.key("used")
                await self._connection.take(("HDEL", self._names[2], *gone), ("HDEL", used, *gone), writing=True)
            if str(cursor) == "0":
                return Known(store, found, await self._generations())

    async def _generations(self) -> dict[str, int]:
        (told,) = await self._connection.take(("HGETALL", self._names[3]))
        return {agent: int(number) for agent, number in _pairs(told) if number.isdecimal()}

    def _join(self, theirs: Known) -> None:
        """Put an account of this store to what is known."""
        for key in theirs.keys.values():
            self._keys[key.id] = joined(self._keys.get(key.id), key)
        if theirs.store or theirs.generations:
            generations = dict(self.known.generations)
            for agent, generation in theirs.generations.items():
                generations[agent] = max(generation, generations.get(agent, 0))
            self.known = Known(theirs.store or self.known.store, self._keys, generations)

    def _forget(self, ids: Iterable[str]) -> None:
        for id_ in ids:
            self._keys.pop(id_, None)

    async def _keep(self, known: Known) -> tuple[int, str]:
        """Write what the store lacks; how many keys were written, and the store's name. Raises StoreUnavailable."""
        kept, store = 0, ""
        keys = list(known.keys.values())
        generations = [part for pair in known.generations.items() for part in pair]
        for start in range(0, max(1, len(keys)), PAGE):
            page = keys[start : start + PAGE]
            records = [part for key in page for part in (key.id, written(key), "over" if key.revoked else "new")]
            count, store = await self._written(KEEP, len(page), *records, *generations)
            kept += count
        self._changed()
        return kept, store

    async def _written(self, script: Script, *arguments: str | int) -> tuple[int, str]:
        """Run it; its own answer, and the store's name. A change of one's own need not be read."""
        mark = secrets.token_hex(8)
        command = ("EVAL", script.text, len(self._names), *self._names, self.known.store or _name(), mark, *arguments)
        ((store, before, answer),) = await self._connection.take(command, writing=True)
        if self._mark == (store, before):
            self._mark = (str(store), mark)
        return int(answer), str(store)

    async def _saved(self, changed: Iterable[str]) -> None:
        """Have a change put into the snapshot: at once, but those of sessions' keys together."""
        known = [self._keys.get(id_) for id_ in changed]
        if all(key is not None and key.session for key in known):
            self._to_be_saved()
        else:
            await self._save()

    def _to_be_saved(self) -> None:
        if self._unsaved is None:
            self._unsaved = time.monotonic()

    async def _save(self) -> None:
        """Into the snapshot. A disk that takes no writes costs the snapshot, nothing else."""
        self._unsaved = None
        whole = Known(self.known.store, dict(self._keys), self.known.generations)
        try:
            await asyncio.to_thread(snapshot.save, self._path, whole)
        except OSError as error:
            logger.warning("%s cannot be written: %s", self._path, error)


def _sound(records: Iterable[tuple[str, str]]) -> tuple[dict[str, Key], list[str]]:
    """The keys of the store's records; and the ids of those that are spent."""
    keys: dict[str, Key] = {}
    gone: list[str] = []
    now = time.time()
    for id_, text in records:
        try:
            key = read(text)
        except ValueError as error:
            logger.warning("the store's record of key %.20r %s", id_, error)
            continue
        if spent(key, now):
            gone.append(id_)
        elif key.id == id_:
            keys[id_] = key
    return keys, gone


def _name() -> str:
    return secrets.token_hex(8)


def _pairs(told: Any) -> list[tuple[str, str]]:
    """A hash's fields and values: a map, or a flat list as HSCAN answers."""
    if isinstance(told, dict):
        return [(str(name), str(value)) for name, value in told.items()]
    return [(str(name), str(value)) for name, value in zip(told[::2], told[1::2], strict=True)]
