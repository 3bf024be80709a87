"""What keys cost each process: it has all of them at hand, and reads those that change, and now and then all of them.

As a program (`python -m tests.load.capacity.registering URL DIRECTORY`) it is such a process, and nothing else.
"""

import asyncio
import hashlib
import json
import sys
import time
from pathlib import Path
from typing import Any

import redis.asyncio

from gateway import store
from gateway.settings import Settings
from gateway.store import known, snapshot
from gateway.store.changes import KEEP
from gateway.store.register import SIGNAL
from gateway.types import Key
from tests.bench.targets import cpu_seconds, process, resident_megabytes
from tests.load.capacity.figures import Register
from tests.load.capacity.place import Place
from tests.load.capacity.place import redis as redis_process

KEYS = 20_000
PAGE = 1000
CHANGES = 200
"""Keys that are made while a process is watched."""
APART = 0.025
"""Seconds from one to the next: what comes closer together is read in one go."""
TIMES = 3
"""All keys are read so often."""
STORE = "0123456789abcdef"
"""The name of a store that has keys."""
PATIENCE = 30.0
"""Seconds."""


def _key(number: int, now: float) -> Key:
    """A session's key."""
    id_ = f"{number:012d}"
    digest = hashlib.sha256(id_.encode()).hexdigest()
    return Key(id_, digest, "chat", "session of guide", "guide", created=now, expires=now + 3660, session=f"ses_{id_}")


async def _filled(client: "redis.asyncio.Redis", count: int) -> None:
    now = time.time()
    for start in range(0, count, PAGE):
        page: dict[Any, Any] = {
            f"{number:012d}": known.written(_key(number, now)) for number in range(start, start + PAGE)
        }
        await client.hset("gateway:keys", mapping=page)
    await client.mset({"gateway:store": STORE, "gateway:mark": f"{count}"})


async def _still(pid: int, within: float = PATIENCE) -> float:
    """Wait until a process does nothing any more; its processor time."""
    deadline = time.monotonic() + within
    used = cpu_seconds(pid)
    while time.monotonic() < deadline:
        await asyncio.sleep(1.2)  # it looks once a second
        if (now := cpu_seconds(pid)) - used < 0.03:
            return now
        used = now
    raise TimeoutError(f"The process was still reading keys after {within:g} s: run it on a quiet machine.")


async def _changed(client: "redis.asyncio.Redis", number: int) -> None:
    """Make a key, as a process does that starts a session."""
    key = _key(number, time.time())
    names = [f"gateway:{name}" for name in ("store", "mark", "keys", "generations", "changes")]
    await client.eval(KEEP.text, len(names), *names, STORE, f"change-{number}", 1, key.id, known.written(key), "new")
    await client.publish("gateway:signals", json.dumps({"kind": SIGNAL, "from": "measuring", "payload": {}}))


async def _one(client: "redis.asyncio.Redis", pid: int, count: int) -> float:
    """Seconds of processor time for one change, one after another; what it does unasked is subtracted."""
    began = cpu_seconds(pid)
    await asyncio.sleep(CHANGES * APART)
    idle = cpu_seconds(pid) - began
    began, due = cpu_seconds(pid), time.monotonic()
    for number in range(count, count + CHANGES):
        await _changed(client, number)
        due += APART
        await asyncio.sleep(due - time.monotonic())
    return (cpu_seconds(pid) - began - idle) / CHANGES


async def _watched(place: Place, count: int) -> tuple[float, float, float]:
    """Megabytes of a process that has so many keys at hand; its seconds of processor time for one change, and for all.

    The last is for reading all and comparing them with the snapshot.
    """
    with redis_process(place) as (port, _):
        url = f"redis://127.0.0.1:{port}/0"
        client = redis.asyncio.Redis(port=port, decode_responses=True)
        try:
            await _until_there(client)
            await _filled(client, count)
            command = [sys.executable, "-m", __name__, url, str(place.out / f"register-{count}")]
            with process(place.out, "register", command, place.gateway_core, {}) as pid:
                await asyncio.sleep(2.0)
                await _still(pid)
                change = await _one(client, pid, count)
                began = await _still(pid)
                for number in range(TIMES):
                    await client.set("gateway:mark", f"{count}-{number}")
                    await _still(pid)
                return resident_megabytes(pid), change, (await _still(pid) - began) / TIMES
        finally:
            await client.aclose()


def _saved(path: Path, count: int) -> float:
    """Seconds of processor time for a snapshot in which one of so many keys is new."""
    now = time.time()
    keys = {key.id: key for key in (_key(number, now) for number in range(count + 1))}
    first = next(iter(keys))
    snapshot.save(path, known.Known(STORE, {id_: key for id_, key in keys.items() if id_ != first}))
    began = time.process_time()
    snapshot.save(path, known.Known(STORE, keys))
    return time.process_time() - began


async def _until_there(client: "redis.asyncio.Redis") -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            await client.ping()
        except redis.exceptions.ConnectionError:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.05)
        else:
            return


async def measured(place: Place, count: int = KEYS) -> Register:
    """A process with so many keys; of memory and of reading all of them, the difference to one with none."""
    none, _, nothing = await _watched(place, 0)
    many, change, all_ = await _watched(place, count)
    saved = await asyncio.to_thread(_saved, place.out / "snapshot" / "keys.json", count)
    kilobytes, all_us, saved_us = (many - none) * 1000 / count, (all_ - nothing) / count * 1e6, saved / count * 1e6
    found = Register(count, round(kilobytes, 2), round(change * 1e3, 3), round(all_us, 1), round(saved_us, 1))
    print(found, flush=True)
    return found


async def _read(url: str, directory: Path) -> None:
    """Have the store's keys at hand until killed."""
    async with store.opened(Settings(var=directory, redis_url=url)):
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_read(sys.argv[1], Path(sys.argv[2])))
