"""What a turn costs Redis, and what it leaves there."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import NamedTuple

import redis.asyncio

from gateway import store
from gateway.settings import Settings
from gateway.store import Created, Store
from gateway.types import Rate
from gateway.types.orchestration import Session
from tests.load.capacity.figures import CAPABILITY, SESSION, StoreSizes, StoreTurn
from tests.load.capacity.hearing import Spoilt, calling
from tests.load.capacity.place import Place, Serving, serving
from tests.load.capacity.speaking import Pace

ANSWER = Pace(words=40, gap=0.005, first=0.05)
"""Twelve seconds of speech, from a fast model: for Redis an answer is one thing, however long it took."""
CALLERS = 20
WINDOW = 6.0
"""Seconds."""
BOUND = Rate(requests=100_000, streams=1000)
"""A limit that holds nobody up."""
HOUR = 3600.0


class Counted(NamedTuple):
    """What Redis has counted."""

    calls: Mapping[str, float]
    """By command; those within a script too."""
    micros: Mapping[str, float]
    """Spent in them; in a script's, what its own commands took is counted again."""
    cpu: float
    """Seconds of its process."""
    reads: float
    bytes_in: float
    bytes_out: float

    def since(self, before: "Counted") -> "Counted":
        """The difference."""
        calls = {name: count - before.calls.get(name, 0.0) for name, count in self.calls.items()}
        micros = {name: count - before.micros.get(name, 0.0) for name, count in self.micros.items()}
        return Counted(
            calls,
            micros,
            self.cpu - before.cpu,
            self.reads - before.reads,
            self.bytes_in - before.bytes_in,
            self.bytes_out - before.bytes_out,
        )


def each_turn(kind: str, busy: Counted, idle: Counted, turns: int) -> StoreTurn:
    """A turn's share of what was counted, without what is counted in the same time where nobody asks anything."""

    def share(part: Callable[[Counted], float]) -> float:
        return max(0.0, part(busy) - part(idle)) / turns

    net = {name: max(0.0, count - idle.calls.get(name, 0.0)) / turns for name, count in busy.calls.items()}
    calls = {name: round(count, 2) for name, count in sorted(net.items()) if count > 0.01}
    return StoreTurn(
        kind,
        calls,
        micros={name: round(busy.micros[name] / busy.calls[name], 1) for name in calls},
        cpu=round(share(lambda one: one.cpu) * 1e6, 1),
        reads=round(share(lambda one: one.reads), 2),
        bytes_in=round(share(lambda one: one.bytes_in)),
        bytes_out=round(share(lambda one: one.bytes_out)),
    )


async def counted(client: "redis.asyncio.Redis") -> Counted:
    """Ask it."""
    commands = await client.info("commandstats")
    stats, used = await client.info("stats"), await client.info("cpu")
    names = {name: name.removeprefix("cmdstat_").partition("|")[0] for name in commands}
    calls: dict[str, float] = {}
    micros: dict[str, float] = {}
    for name, short in names.items():
        calls[short] = calls.get(short, 0.0) + float(commands[name]["calls"])
        micros[short] = micros.get(short, 0.0) + float(commands[name]["usec"])
    return Counted(
        calls,
        micros,
        float(used["used_cpu_user"]) + float(used["used_cpu_sys"]),
        float(stats["total_reads_processed"]),
        float(stats["total_net_input_bytes"]),
        float(stats["total_net_output_bytes"]),
    )


async def _counting(client: "redis.asyncio.Redis") -> Counted:
    """What is counted in a window."""
    before = await counted(client)
    await asyncio.sleep(WINDOW)
    return (await counted(client)).since(before)


@asynccontextmanager
async def _stored(at: Serving, place: Place) -> AsyncIterator[Store]:
    """The gateway's store, as another process has it."""
    settings = Settings(var=place.out / "other", redis_url=f"redis://127.0.0.1:{at.redis}/0")
    async with store.opened(settings) as opened:
        if not await opened.reached(5):
            raise Spoilt("Redis took no write within 5 s. Is the machine quiet?")
        yield opened


async def _asked(there: Store, at: Serving) -> dict[str, list[bytes]]:
    """Questions of each kind of caller."""
    bound = [await there.keys.create(name="bound", agent="guide", rate=BOUND) for _ in range(CALLERS)]
    now = time.time()
    held = []
    for _ in range(CALLERS):
        made = await there.keys.create(
            name="session of guide", agent="guide", expires=now + HOUR, session=lambda id_: f"ses_{id_}"
        )
        key = made.key
        await there.sessions.begin(Session(key.session, "guide", "agent", key.id, now - 1, now + HOUR), 0)
        held.append(made)

    def presented(made: Sequence[Created]) -> list[bytes]:
        lines = [f"authorization: Bearer {one.text}" for one in made]
        return [question for line in lines for question in at.questions("agent", line)]

    return {
        "without a key": at.questions("agent"),
        CAPABILITY: at.questions("agent", address=at.opened()),
        "a key with limits": presented(bound),
        SESSION: presented(held),
    }


async def _turn(
    at: Serving, client: "redis.asyncio.Redis", kind: str, questions: Sequence[bytes], idle: Counted
) -> StoreTurn:
    async with calling(at.address("agent"), questions, ANSWER.words, CALLERS, 0.5) as heard:
        await asyncio.sleep(0.5)
        heard.counts = True
        busy = await _counting(client)
        heard.counts = False
        heard.whole()
        if busy.calls.get("script", 0.0) > idle.calls.get("script", 0.0):  # what a process asks that comes back
            raise Spoilt("The gateway lost Redis for a moment: an operation took over 50 ms. Is the machine quiet?")
        return each_turn(kind, busy, idle, heard.turns)


async def _sizes(client: "redis.asyncio.Redis") -> StoreSizes:
    sessions = [key async for key in client.scan_iter("gateway:session:*")]
    words = [key async for key in client.scan_iter("gateway:words:*")]
    lines = sum([await client.llen(key) for key in words])
    return StoreSizes(
        session=round(sum([await _memory(client, key) for key in sessions]) / len(sessions)),
        words=round(sum([await _memory(client, key) for key in words]) / lines * 2),
        record=round(await _memory(client, "gateway:turns") / await client.zcard("gateway:turns")),
        key=round(await _memory(client, "gateway:keys") / await client.hlen("gateway:keys")),
    )


async def _memory(client: "redis.asyncio.Redis", key: str) -> int:
    return int(await client.memory_usage(key, samples=0) or 0)


async def measured(place: Place) -> tuple[tuple[StoreTurn, ...], StoreSizes]:
    """Turns of an agent without a key, by a capability, with a key that has limits, and of a session that is kept."""
    async with serving(place, ANSWER) as at, _stored(at, place) as there:
        asked = await _asked(there, at)
        client = redis.asyncio.Redis(port=at.redis, decode_responses=True)
        try:
            await asyncio.sleep(1.5)  # the gateway looks once a second for keys
            idle = await _counting(client)
            found = []
            for kind, questions in asked.items():
                found.append(await _turn(at, client, kind, questions, idle))
                print(found[-1], flush=True)
            sizes = await _sizes(client)
            print(sizes, flush=True)
        finally:
            await client.aclose()
    return tuple(found), sizes
