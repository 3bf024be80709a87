"""Rates, counted once for several processes: each `opened` is one, with a connection of its own."""

import asyncio
import statistics
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from gateway.store import Store
from gateway.types import Admission, Quota, Rate
from tests.stores import Server, opened, until

KEY = "key:abcdefghijkl"


async def workers(stack: AsyncExitStack, server: Server, var: Path, count: int = 3, lease: float = 30.0) -> list[Store]:
    return [await stack.enter_async_context(opened(server, var / str(index), lease=lease)) for index in range(count)]


async def test_exactly_the_rate_is_admitted_over_all_workers(server: Server, tmp_path: Path) -> None:
    """Of 300 tries at once through three workers against 100 a minute, 100 are admitted, and each sees it coming."""
    quotas = [Quota(KEY, Rate(requests=100))]
    async with AsyncExitStack() as stack:
        stores = await workers(stack, server, tmp_path)
        asked = await asyncio.gather(*(stores[index % 3].admit(quotas) for index in range(300)))
        assert all(not store.missing for store in stores)
    admitted = [admission for admission in asked if admission.allowed]
    refused = [admission for admission in asked if not admission.allowed]
    assert len(admitted) == 100
    assert sorted(admission.remaining for admission in admitted) == list(range(100))
    assert {admission.limit for admission in asked} == {100}
    assert all(58 < admission.retry_after <= 60 for admission in refused)
    assert all(58 < admission.reset <= 60 for admission in asked)
    assert {(admission.refused, admission.remaining) for admission in refused} == {(KEY, 0)}


async def test_streams_at_once_are_never_more_than_the_rate(server: Server, tmp_path: Path) -> None:
    """Sixty turns that come and go through three workers are never more than five at once, and all come in."""
    quotas = [Quota(KEY, Rate(streams=5))]
    running = most = refused = 0

    async def turn(store: Store) -> None:
        nonlocal running, most, refused
        while not (admission := await store.admit(quotas)).allowed:
            refused += 1
            assert (admission.refused, admission.retry_after, admission.limit) == (KEY, 1.0, 0)
            await asyncio.sleep(0.005)
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.01)
        running -= 1
        admission.release()

    async with AsyncExitStack() as stack:
        stores = await workers(stack, server, tmp_path)
        await asyncio.gather(*(turn(stores[index % 3]) for index in range(60)))
    assert most == 5
    assert refused > 0


async def test_all_quotas_or_none(server: Server, tmp_path: Path) -> None:
    """A turn that one quota refuses counts under none of them, in requests as in streams."""
    agent = "agent:nora"
    async with opened(server, tmp_path) as store:
        first = await store.admit([Quota(KEY, Rate(10, 10)), Quota(agent, Rate(1, 10))])
        assert first.allowed
        for _ in range(3):
            refused = await store.admit([Quota(KEY, Rate(10, 10)), Quota(agent, Rate(1, 10))])
            assert (refused.allowed, refused.refused) == (False, agent)
        assert (await store.admit([Quota(KEY, Rate(10))])).remaining == 8
        assert server.say("ZCARD", f"gateway:rate:streams:{KEY}") == 1


async def test_the_tightest_quota_is_told(server: Server, tmp_path: Path) -> None:
    """The limit that a caller is told of is that of the quota with the fewest requests left."""
    async with opened(server, tmp_path) as store:
        admission = await store.admit([Quota(KEY, Rate(50)), Quota("agent:nora", Rate(7)), Quota("agent:x", Rate())])
    assert (admission.allowed, admission.limit, admission.remaining) == (True, 7, 6)


async def test_places_are_given_back_once(server: Server, tmp_path: Path) -> None:
    """`release` frees the place at once, for every worker; a second call frees nobody else's."""
    quotas = [Quota(KEY, Rate(streams=2))]
    async with AsyncExitStack() as stack:
        one, other = await workers(stack, server, tmp_path, 2)
        first, second = await one.admit(quotas), await one.admit(quotas)
        assert not (await other.admit(quotas)).allowed
        first.release()
        await until(lambda: server.say("ZCARD", f"gateway:rate:streams:{KEY}") == 1)
        third = await other.admit(quotas)
        assert third.allowed
        first.release()
        await asyncio.sleep(0.05)
        assert not (await one.admit(quotas)).allowed
        second.release()
        third.release()
        await until(lambda: server.say("EXISTS", f"gateway:rate:streams:{KEY}") == 0)


async def test_a_running_stream_keeps_its_place(server: Server, tmp_path: Path) -> None:
    """A place is renewed while its stream runs, so that one that outlives its lease is not given away."""
    quotas = [Quota(KEY, Rate(streams=1))]
    async with opened(server, tmp_path, lease=0.6) as store:
        long = await store.admit(quotas)
        for _ in range(8):
            await asyncio.sleep(0.2)
            assert not (await store.admit(quotas)).allowed
        long.release()
        await until(lambda: server.say("EXISTS", f"gateway:rate:streams:{KEY}") == 0)
        assert (await store.admit(quotas)).allowed


async def test_a_turn_whose_caller_hung_up_leaves_no_place_taken(server: Server, tmp_path: Path) -> None:
    """A caller that goes away while the store is asked takes nothing with it."""
    quotas = [Quota(KEY, Rate(streams=100))]
    async with opened(server, tmp_path) as store:
        for _ in range(20):
            asked = asyncio.create_task(_admitted(store, quotas))
            await asyncio.sleep(0)
            asked.cancel()
            await asyncio.gather(asked, return_exceptions=True)
        await until(lambda: server.say("EXISTS", f"gateway:rate:streams:{KEY}") == 0)
        assert not store.missing


async def _admitted(store: Store, quotas: list[Quota]) -> Admission:
    return await store.admit(quotas)


async def test_what_is_not_limited_asks_nobody(server: Server, tmp_path: Path) -> None:
    """Quotas without a rate cost no command."""
    async with opened(server, tmp_path) as store:
        before = _commands(server)
        for _ in range(100):
            admission = await store.admit([Quota(KEY, Rate()), Quota("agent:nora", Rate())])
            admission.release()
        asked = _commands(server) - before
    assert admission.allowed
    assert admission.limit == 0
    assert asked < 20  # the upkeep's own


def _commands(server: Server) -> int:
    told: dict[str, int] = server.say("INFO", "stats")
    return told["total_commands_processed"]


async def test_n56_an_owner_cannot_name_a_key_of_the_store(server: Server, tmp_path: Path) -> None:
    """An owner with stars, braces, newlines or spaces is hashed before it stands in the name of a key."""
    owners = ["key:*", "agent:a\r\nFLUSHALL\r\n", "key:{x}", "key:a b", "agent:" + "x" * 5000, "agent:\udcff", ""]
    async with opened(server, tmp_path) as store:
        for owner in owners:
            assert (await store.admit([Quota(owner, Rate(1, 1))])).allowed
            assert not (await store.admit([Quota(owner, Rate(1, 1))])).allowed
        names: list[str] = server.say("KEYS", "gateway:rate:*")
    assert len(names) == 2 * len(owners)
    assert all(len(name.rpartition(":")[2]) == 64 for name in names)


async def test_old_seconds_are_forgotten(server: Server, tmp_path: Path) -> None:
    """What is older than a minute neither counts nor stays; what is not, counts until its own minute is over."""
    key = f"gateway:rate:window:{KEY}"
    now = int(server.say("TIME")[0])
    server.say("HSET", key, now - 61, 50, now - 60, 3, now - 30, 4, now - 2, 2)
    async with opened(server, tmp_path) as store:
        admission = await store.admit([Quota(KEY, Rate(7))])
        assert (admission.allowed, admission.remaining) == (True, 0)
        refused = await store.admit([Quota(KEY, Rate(7))])
    assert 27 < refused.retry_after <= 30
    assert 58 < refused.reset <= 60
    told: dict[str, str] = server.say("HGETALL", key)
    assert str(now - 60) not in told
    assert str(now - 30) in told


@pytest.mark.parametrize("streams", [0, 1000])
async def test_an_admission_is_one_short_round_trip(server: Server, tmp_path: Path, streams: int) -> None:
    """With a full minute of buckets and a thousand places it takes a few milliseconds at most, in the median."""
    now = int(server.say("TIME")[0])
    server.say("HSET", f"gateway:rate:window:{KEY}", *(part for at in range(60) for part in (now - at, 5)))
    async with opened(server, tmp_path) as store:
        quotas = [Quota(KEY, Rate(100_000, 2000)), Quota("agent:nora", Rate(100_000, 2000))]
        for _ in range(streams):
            await store.admit(quotas)
        took = [await _timed(lambda: store.admit(quotas)) for _ in range(200)]
        assert not store.missing
    assert statistics.median(took) < 0.005


async def _timed(ask: Callable[[], object]) -> float:
    began = time.perf_counter()
    await ask()  # type: ignore[misc]
    return time.perf_counter() - began
