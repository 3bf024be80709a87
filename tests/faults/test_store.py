"""The store away, slow, full, read-only, killed: turns go on, and it comes back by itself."""

import asyncio
import os
import signal
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from gateway import store
from gateway.errors import Conflict, StoreUnavailable
from gateway.store import Store
from gateway.store.ingest_records import DIED
from gateway.types import Quota, Rate
from tests.stores import HELD, INGESTED, Server, opened, settings, until, worker

QUOTAS = [Quota("key:abcdefghijkl", Rate(requests=100_000, streams=1000)), Quota("agent:nora", Rate(requests=100_000))]
TIMEOUT = 0.05
"""Seconds: the default of `store.timeout`."""
ROOM = 0.1
"""Seconds that a busy machine may add."""


async def turn(given: Store, text: str) -> float:
    """What a turn asks of the store, whatever state that is in; how long it took."""
    began = time.perf_counter()
    key = given.keys.recognise(text)
    admission = await given.admit(QUOTAS)
    took = time.perf_counter() - began
    assert key is not None
    assert admission.allowed
    admission.release()
    return took


async def turns(given: Store, text: str, while_: Callable[[], bool]) -> list[float]:
    """One turn after the other, as long as it is true."""
    took = []
    while while_():
        took.append(await turn(given, text))
        await asyncio.sleep(0.001)
    return took


async def test_s01_no_store_at_the_start(server: Server, tmp_path: Path) -> None:
    """The gateway starts without its store, says so, counts rates by itself, and uses the store once it is there."""
    async with opened(server, tmp_path, limit=TIMEOUT) as given:
        made = await given.keys.create()
    server.kill()
    began = time.monotonic()
    async with opened(server, tmp_path, limit=TIMEOUT) as given:
        assert time.monotonic() - began < 1.0
        assert given.missing == ["store"]
        assert max([await turn(given, made.text) for _ in range(100)]) < ROOM
        tight = [Quota("key:tight", Rate(requests=3))]
        assert [(await given.admit(tight)).allowed for _ in range(5)] == [True] * 3 + [False] * 2
        server.start()
        assert await until(lambda: given.missing == []) < 2.0
        await given.keys.create()


async def test_s02_the_store_is_killed_under_load(server: Server, tmp_path: Path) -> None:
    """No turn fails or waits longer than the store's timeout while it is killed; when it is back, it is used again."""
    async with opened(server, tmp_path, limit=TIMEOUT) as given:
        made = await given.keys.create()
        over = asyncio.Event()
        running = [asyncio.create_task(turns(given, made.text, lambda: not over.is_set())) for _ in range(20)]
        await asyncio.sleep(0.2)
        server.kill()
        await until(lambda: given.missing == ["store"])
        away = [await turn(given, made.text) for _ in range(200)]
        await asyncio.sleep(0.2)
        server.start()
        assert await until(lambda: given.missing == []) < 2.0
        await asyncio.sleep(0.1)
        over.set()
        took = [each for each_ in await asyncio.gather(*running) for each in each_]
        await until(lambda: server.say("EXISTS", "gateway:rate:window:agent:nora") == 1)
    assert max(took) < TIMEOUT + ROOM
    assert statistics.median(away) < 0.005


async def test_s03_a_store_that_hangs_is_waited_for_once(server: Server, tmp_path: Path) -> None:
    """While it answers nothing one turn waits for the timeout, later ones not at all; it comes back by itself."""
    async with opened(server, tmp_path, limit=TIMEOUT) as given:
        made = await given.keys.create()
        await turn(given, made.text)
        server.pause()
        first = await turn(given, made.text)
        later = [await turn(given, made.text) for _ in range(200)]
        assert given.missing == ["store"]
        await asyncio.sleep(1.5)  # it is looked for meanwhile, and still nobody waits
        later += [await turn(given, made.text) for _ in range(200)]
        server.resume()
        assert await until(lambda: given.missing == []) < 2.0 + ROOM
        await turn(given, made.text)
        assert given.missing == []
    assert first < TIMEOUT + ROOM
    assert statistics.median(later) < 0.005
    assert max(later) < ROOM


async def test_s03_a_turn_at_a_time_shares_the_wait(server: Server, tmp_path: Path) -> None:
    """Two hundred turns at once at a store that hangs wait for it together, not one after the other."""
    async with opened(server, tmp_path, limit=TIMEOUT) as given:
        made = await given.keys.create()
        server.pause()
        began = time.perf_counter()
        await asyncio.gather(*(turn(given, made.text) for _ in range(200)))
        took = time.perf_counter() - began
        server.resume()
    assert took < 1.0  # one after the other would be ten seconds


@pytest.mark.parametrize(
    ("breaks", "mends"),
    [
        ([("CONFIG", "SET", "maxmemory", 1)], [("CONFIG", "SET", "maxmemory", 0)]),
        ([("REPLICAOF", "127.0.0.1", 1)], [("REPLICAOF", "NO", "ONE")]),
        ([("CONFIG", "SET", "min-replicas-to-write", 3)], [("CONFIG", "SET", "min-replicas-to-write", 0)]),
    ],
    ids=["full", "read-only", "without replicas"],
)
async def test_s04_a_store_that_takes_no_writes(
    server: Server, tmp_path: Path, breaks: list[tuple[str | int, ...]], mends: list[tuple[str | int, ...]]
) -> None:
    """Full, a read-only replica or without its replicas: turns go on, keys are known, an admin's write is a 503."""
    async with opened(server, tmp_path, limit=TIMEOUT) as given:
        made = await given.keys.create()
        for command in breaks:
            server.say(*command)
        took = [await turn(given, made.text) for _ in range(100)]
        assert given.missing == ["store"]
        with pytest.raises(StoreUnavailable, match="takes no writes; the log says why"):
            await given.keys.revoke(made.key.id)
        with pytest.raises(StoreUnavailable):
            await given.generations.rotate("nora")
        assert given.keys.recognise(made.text) == made.key  # nothing pretended
        assert [entry.key for entry in await given.keys.listed()] == [made.key]
        async with store.opened(settings(tmp_path / "new", server.url)) as other:
            await until(lambda: other.keys.recognise(made.text) == made.key)  # what can be read is
        for command in mends:
            server.say(*command)
        assert await until(lambda: given.missing == []) < 2.0
        assert await given.keys.revoke(made.key.id) is not None
    assert max(took) < TIMEOUT + ROOM
    assert statistics.median(took) < 0.005


async def test_s04_a_store_that_is_still_loading(server: Server, tmp_path: Path) -> None:
    """A store that reads its data after a restart is one that is away until it has read it."""
    async with opened(server, tmp_path, limit=TIMEOUT) as given:
        made = await given.keys.create()
        server.say("EVAL", "for i = 1, 20000 do redis.call('SET', 'x' .. i, 'y') end", 0)
        server.kill()
        server.start("--key-load-delay", "100")  # microseconds
        assert server.say("INFO", "persistence")["loading"] == 1
        took = [await turn(given, made.text) for _ in range(100)]
        assert given.missing == ["store"]
        await until(lambda: given.missing == [], 10)
        await turn(given, made.text)
    assert max(took) < TIMEOUT + ROOM


async def test_s02_places_are_right_again_after_the_store_lost_them(server: Server, tmp_path: Path) -> None:
    """Streams that run while the store loses everything have their places again when it is back, no more, no less."""
    quotas = [Quota("key:places", Rate(streams=3))]
    async with opened(server, tmp_path / "one") as one, opened(server, tmp_path / "two") as two:
        running = [await one.admit(quotas), await one.admit(quotas)]
        server.kill()
        await until(lambda: one.missing == two.missing == ["store"])
        running[0].release()  # while nobody can be told
        server.start()
        server.say("FLUSHALL")
        await until(lambda: one.missing == two.missing == [])
        await until(lambda: server.say("ZCARD", "gateway:rate:streams:key:places") == 1)
        assert [(await two.admit(quotas)).allowed for _ in range(3)] == [True, True, False]


async def test_a_killed_worker_gives_its_places_back(server: Server, tmp_path: Path) -> None:
    """The places of a process that was killed are free as soon as it is missed, long before their lease is over."""
    async with opened(server, tmp_path / "here", missed=1.0) as given:
        with worker(tmp_path / "there", server.url, streams=3, missed=1.0) as (pid, _):
            await asyncio.sleep(1.5)  # it says that it lives
            assert not (await given.admit([HELD])).allowed
            os.kill(pid, signal.SIGKILL)
            killed = time.monotonic()
            while not (admission := await given.admit([HELD])).allowed:
                await asyncio.sleep(0.02)
                assert time.monotonic() - killed < 3.0
            admission.release()
        assert time.monotonic() - killed > 0.3


async def test_s08_a_killed_workers_ingest_goes_on_in_another(server: Server, tmp_path: Path) -> None:
    """As soon as it is missed one of the others has it, whoever watches is told, and its collection is not free."""
    again = replace(INGESTED, id="job_fedcba9876543210")
    async with opened(server, tmp_path, missed=1.0) as one, opened(server, tmp_path, missed=1.0) as other:
        with worker(tmp_path, server.url, missed=1.0) as (pid, _):
            watching = one.ingests.watched(INGESTED.id)
            assert await anext(watching) == INGESTED
            taking = [asyncio.create_task(anext(each.ingests.moved())) for each in (one, other)]
            await asyncio.sleep(1.5)  # it says that it lives
            with pytest.raises(Conflict, match=INGESTED.id):
                await one.ingests.begin(again)
            assert not any(each.done() for each in taking)
            os.kill(pid, signal.SIGKILL)
            async with asyncio.timeout(4.5):
                done, left = await asyncio.wait(taking, return_when=asyncio.FIRST_COMPLETED)
                while (now := await anext(watching)).attempts == 1:
                    pass
        (first,) = done
        assert first.result() == (now, True)
        assert (now.id, now.state, now.attempts, now.killed, now.notes) == (INGESTED.id, "waiting", 2, 1, (DIED,))
        for each in (one, other):
            with pytest.raises(Conflict, match=INGESTED.id):
                await each.ingests.begin(again)
        for late in left:
            late.cancel()
        await asyncio.wait(left)
        await watching.aclose()


async def test_s13_the_process_that_runs_the_store_is_killed(tmp_path: Path) -> None:
    """After SIGKILL the server of its own ends too; the next start has the key that was made a moment before."""
    with worker(tmp_path) as (pid, text):
        assert text.startswith("gw_")
        os.kill(pid, signal.SIGKILL)
    (tmp_path / "keys.json").unlink()  # what the store itself has kept
    async with store.opened(settings(tmp_path)) as given:
        assert await given.reached(2)
        await until(lambda: given.keys.recognise(text) is not None)


async def test_s13_another_process_takes_the_store_over(tmp_path: Path) -> None:
    """Where the process that runs the store is killed, another one runs it within three seconds and nothing is lost."""
    with worker(tmp_path) as (pid, text):
        async with store.opened(settings(tmp_path)) as given:
            assert await given.reached(5)
            os.kill(pid, signal.SIGKILL)
            await until(lambda: given.missing == ["store"])
            assert await until(lambda: given.missing == []) < 3.0
            assert text.split("_")[1] in [entry.key.id for entry in await given.keys.listed()]
            await given.keys.create()


async def test_n03_a_wrong_key_takes_as_long_as_an_unknown_one(server: Server, tmp_path: Path) -> None:
    """A known id with a wrong secret and an unknown id cannot be told apart by the time that recognising takes."""
    async with opened(server, tmp_path, limit=TIMEOUT) as given:
        made = await given.keys.create()
        wrong = made.text[:-1] + ("a" if made.text[-1] != "a" else "b")
        unknown = f"gw_{'0' * 12}_{wrong.rpartition('_')[2]}"
        took: dict[str, list[float]] = {wrong: [], unknown: []}
        for _ in range(2000):
            for text, into in took.items():
                began = time.perf_counter()
                assert given.keys.recognise(text) is None
                into.append(time.perf_counter() - began)
    assert abs(statistics.median(took[wrong]) - statistics.median(took[unknown])) < 5e-6


async def test_n04_a_revoked_or_expired_key_stays_known(server: Server, tmp_path: Path) -> None:
    """A revoked or expired key is never taken for an unknown one, whom a gateway on a loopback address lets in; a
    session's is one when it expired ten minutes ago."""
    async with opened(server, tmp_path, limit=TIMEOUT) as given:
        revoked = await given.keys.create()
        expired = await given.keys.create(expires=time.time() + 0.1)
        ended = await given.keys.create(session=lambda id_: f"ses_{id_}", expires=time.time() + 0.1)
        for one in (revoked, ended):
            await given.keys.revoke(one.key.id)
    await asyncio.sleep(0.1)
    server.kill()
    async with opened(server, tmp_path, limit=TIMEOUT) as given:
        for one in (revoked, ended):
            known = given.keys.recognise(one.text)
            assert known is not None
            assert known.revoked is not None
        known = given.keys.recognise(expired.text)
        assert known is not None
        assert known.expires is not None
        assert known.expires < time.time()
