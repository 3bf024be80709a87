"""What keys cost each process: it has all of them at hand, and reads all of them again when one is made or revoked.

As a program (`python -m tests.load.capacity.registering URL DIRECTORY`) it is such a process, and nothing else.
"""

import asyncio
import hashlib
import sys
import time
from pathlib import Path
from typing import Any

import redis.asyncio

from gateway import store
from gateway.settings import Settings
from gateway.store import known
from gateway.types import Key
from tests.bench.targets import cpu_seconds, process, resident_megabytes
from tests.load.capacity.figures import Register
from tests.load.capacity.place import Place
from tests.load.capacity.place import redis as redis_process

KEYS = 20_000
PAGE = 1000
CHANGES = 3
"""That are waited out, one after another."""
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
    await client.mset({"gateway:store": "0123456789abcdef", "gateway:mark": f"{count}"})


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


async def _watched(place: Place, count: int) -> tuple[float, float]:
    """Megabytes of a process that has so many keys at hand, and its seconds of processor time for one change."""
    with redis_process(place) as (port, _):
        url = f"redis://127.0.0.1:{port}/0"
        client = redis.asyncio.Redis(port=port, decode_responses=True)
        try:
            await _until_there(client)
            await _filled(client, count)
            command = [sys.executable, "-m", __name__, url, str(place.out / f"register-{count}")]
            with process(place.out, "register", command, place.gateway_core, {}) as pid:
                await asyncio.sleep(2.0)
                began = await _still(pid)
                for number in range(CHANGES):
                    await client.set("gateway:mark", f"{count}-{number}")
                    await _still(pid)
                return resident_megabytes(pid), (await _still(pid) - began) / CHANGES
        finally:
            await client.aclose()


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
    """The difference between a process with so many keys and one with none."""
    none, nothing = await _watched(place, 0)
    many, change = await _watched(place, count)
    found = Register(count, round((many - none) * 1000 / count, 2), round((change - nothing) / count * 1e6, 1))
    print(f"{found}; {change - nothing:.2f} s of processor time for each key that is made", flush=True)
    return found


async def _read(url: str, directory: Path) -> None:
    """Have the store's keys at hand until killed."""
    async with store.opened(Settings(var=directory, redis_url=url)):
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_read(sys.argv[1], Path(sys.argv[2])))
