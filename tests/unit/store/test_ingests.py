"""Ingests that several processes know of: each `opened` is one."""

import asyncio
import time
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.errors import Conflict, Fault, NotFound, StoreUnavailable
from gateway.store import Store
from gateway.store.ingest_records import FATAL, HANDED_ON, LATE, read, written
from gateway.store.ingests import MOST, ROUND, Ingests
from gateway.store.upkeep import kept_up
from gateway.types.knowledge import Ingesting, IngestJob
from tests.stores import INGESTED, Server, opened, until

TOWER = replace(INGESTED, id="job_00000000000000aa", collections=(Ingesting("tower"), Ingesting("lighthouse")))


async def two(stack: AsyncExitStack, server: Server, var: Path) -> tuple[Store, Store]:
    """Two processes with one `var`."""
    one, other = [await stack.enter_async_context(opened(server, var)) for _ in range(2)]
    return one, other


async def all_told(store: Store, job: str) -> list[IngestJob]:
    return [one async for one in store.ingests.watched(job)]


async def test_a_job_is_watched_from_another_process(server: Server, tmp_path: Path) -> None:
    """As it is, each change within a fraction of a second, and its end; it is listed by both, and stays."""
    async with AsyncExitStack() as stack:
        one, other = await two(stack, server, tmp_path)
        await until(lambda: server.say("PUBSUB", "NUMSUB", "gateway:signals")[1] == 2)
        await one.ingests.begin(INGESTED)
        watching = other.ingests.watched(INGESTED.id)
        assert await anext(watching) == INGESTED
        half = replace(INGESTED, collections=(Ingesting("lighthouse", 5, 10),), notes=("converting ☎",))
        done = replace(half, state="done", ended=3.5, faults=(Fault("birds.md", 3, "", "is strange"),))
        for now in (half, done):
            began = time.monotonic()
            one.ingests.tell(now)
            assert await anext(watching) == now and time.monotonic() - began < 0.5
        with pytest.raises(StopAsyncIteration):
            await anext(watching)
        assert await other.ingests.listed() == await one.ingests.listed() == [done]
        with pytest.raises(NotFound, match="job_1"):
            await all_told(other, "job_1")


async def test_a_collection_is_one_processs_at_a_time(server: Server, tmp_path: Path) -> None:
    """A job that wants one of another's collections has none of its own either; where versions lie elsewhere, all."""
    async with AsyncExitStack() as stack:
        one, other = await two(stack, server, tmp_path / "here")
        elsewhere = await stack.enter_async_context(opened(server, tmp_path / "there"))
        await one.ingests.begin(INGESTED)
        with pytest.raises(Conflict, match=f"^lighthouse: job {INGESTED.id} is ingesting it"):
            await other.ingests.begin(TOWER)
        await other.ingests.begin(replace(TOWER, collections=(Ingesting("tower"),)))
        other.ingests.tell(replace(TOWER, collections=(Ingesting("tower"),), state="failed", ended=2.0))
        await elsewhere.ingests.begin(replace(INGESTED, id="job_00000000000000bb"))
        one.ingests.tell(replace(INGESTED, state="done", ended=2.0))
        await asyncio.sleep(0.5)
        await other.ingests.begin(TOWER)


async def test_what_was_begun_without_the_store_is_known_when_it_is_back(server: Server, tmp_path: Path) -> None:
    """Also where it has lost all that it knew; meanwhile only whoever ingests knows."""
    async with AsyncExitStack() as stack:
        one, other = await two(stack, server, tmp_path)
        await one.ingests.begin(INGESTED)
        one.ingests.tell(INGESTED)
        watching = asyncio.create_task(all_told(other, INGESTED.id))
        await asyncio.sleep(0.3)
        server.kill()
        await until(lambda: one.missing == other.missing == ["store"])
        async with asyncio.timeout(3):
            assert INGESTED in await watching  # and it ends: nobody knows more
        for ask in (one.ingests.begin(TOWER), other.ingests.listed(), all_told(other, INGESTED.id)):
            with pytest.raises(StoreUnavailable):
                await ask
        one.ingests.tell(replace(TOWER, collections=(Ingesting("tower"),)))
        server.start()
        server.say("FLUSHALL")
        await until(lambda: one.missing == other.missing == [])
        async with asyncio.timeout(3):
            while {job.id for job in await other.ingests.listed()} != {INGESTED.id, TOWER.id}:  # noqa: ASYNC110 nothing tells of it
                await asyncio.sleep(0.05)
        with pytest.raises(Conflict, match=TOWER.id):
            await other.ingests.begin(TOWER)


async def test_the_last_jobs_are_remembered(server: Server, tmp_path: Path) -> None:
    """So many and no more, of which the newest come first; what nobody can read is passed over."""
    async with opened(server, tmp_path) as store:
        for number in range(MOST + 5):
            job = replace(INGESTED, id=f"job_{number:016x}", began=float(number))
            await store.ingests.begin(job)
            store.ingests.tell(replace(job, state="done", ended=99.0))
            await store.ingests.leave()
        server.say("SET", f"gateway:ingest:job_{MOST:016x}", '["x", {"id": 7}, 1.0]')
        server.say("SET", f"gateway:ingest:job_{MOST + 1:016x}", "[")
        listed = await store.ingests.listed()
        assert [int(job.id[4:], 16) for job in listed[:3]] == [MOST + 4, MOST + 3, MOST + 2]
        assert len(listed) == MOST - 2 and all(job.state == "done" for job in listed)


async def test_a_process_that_ends_has_told_how_its_job_ended(server: Server, tmp_path: Path) -> None:
    """What was told last stands in the store, however quickly it ends then."""
    async with opened(server, tmp_path) as other:
        async with opened(server, tmp_path) as one:
            await one.ingests.begin(INGESTED)
            one.ingests.tell(replace(INGESTED, state="failed", ended=2.0, code="shutting_down"))
        assert [job.ended for job in await other.ingests.listed()] == [2.0]
        await other.ingests.begin(replace(INGESTED, id=TOWER.id))


async def test_what_is_handed_on_has_one_process_again(server: Server, tmp_path: Path) -> None:
    """One of those that look takes it within a moment, where versions lie in the same place; nobody else begins."""
    async with AsyncExitStack() as stack:
        one, other = await two(stack, server, tmp_path / "here")
        elsewhere = await stack.enter_async_context(opened(server, tmp_path / "there"))
        async with opened(server, tmp_path / "here") as first:
            await until(lambda: server.say("PUBSUB", "NUMSUB", "gateway:signals")[1] == 4)
            await first.ingests.begin(INGESTED)
            looks = [store.ingests.moved() for store in (one, other, elsewhere)]
            taking = [asyncio.create_task(anext(each)) for each in looks]
            await asyncio.sleep(0.2)
            first.ingests.tell(replace(INGESTED, notes=("odd",), collections=(Ingesting("lighthouse", 5, 10),)))
            assert first.ingests.hand_on(replace(INGESTED, collections=(Ingesting("lighthouse", 5, 10),)))
            (done,), _ = await asyncio.wait(taking, return_when=asyncio.FIRST_COMPLETED, timeout=ROUND + 1)
        job, here = done.result()
        assert here and done is not taking[2]
        assert (job.state, job.attempts, job.killed, job.notes) == ("waiting", 2, 0, (HANDED_ON,))
        assert job.collections[0].done == 5
        assert await one.ingests.listed() == [job]
        await asyncio.sleep(0.2)
        assert [each.done() for each in taking].count(True) == 1
        with pytest.raises(Conflict, match=f"^lighthouse: job {INGESTED.id} is ingesting it"):
            await one.ingests.begin(TOWER)
        for each in taking:
            each.cancel()
        await asyncio.wait(taking)


async def test_nobody_begins_what_waits_for_its_next_process(server: Server, tmp_path: Path) -> None:
    """Its collections are its own, and it is shown as waiting, until it is taken over or it is too late for that."""
    async with opened(server, tmp_path) as other:
        async with opened(server, tmp_path) as one:
            await one.ingests.begin(INGESTED)
        (shown,) = await other.ingests.listed()
        assert (shown.state, shown.attempts, shown.killed) == ("waiting", 2, 1)
        with pytest.raises(Conflict, match=f"^lighthouse: job {INGESTED.id} is ingesting it"):
            await other.ingests.begin(TOWER)
        text = server.say("GET", f"gateway:ingest:{INGESTED.id}")
        before = read(text)
        assert before is not None
        server.say("SET", f"gateway:ingest:{INGESTED.id}", written(before.process, before.job, before.at - LATE))
        await other.ingests.begin(TOWER)
        assert {job.id: job.state for job in await other.ingests.listed()} == {
            TOWER.id: "running",
            INGESTED.id: "failed",
        }


async def test_a_job_that_kills_its_processes_does_not_kill_them_all(server: Server, tmp_path: Path) -> None:
    """Two more have a try; when the third has died of it, it has failed and says so, and nobody takes it."""
    async with opened(server, tmp_path) as first:
        await first.ingests.begin(INGESTED)
    for killed in (1, 2):
        async with opened(server, tmp_path) as store:
            async with asyncio.timeout(1):
                job, here = await anext(store.ingests.moved())
            assert (here, job.attempts, job.killed) == (True, killed + 1, killed)
            store.ingests.tell(replace(job, state="running"))
    async with opened(server, tmp_path) as last:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await anext(last.ingests.moved())
        (job,) = await last.ingests.listed()
        assert (job.state, job.code, job.attempts, job.killed) == ("failed", "internal_error", 3, 3)
        assert job.faults[-1].problem == FATAL
        await last.ingests.begin(replace(INGESTED, id=TOWER.id))


async def test_who_was_taken_for_dead_is_told_and_says_nothing_more(server: Server, tmp_path: Path) -> None:
    """A process that was not heard of for long has lost its job: what it tells of it changes nothing."""
    async with AsyncExitStack() as stack:
        one, other = await two(stack, server, tmp_path)
        await one.ingests.begin(INGESTED)
        key = f"gateway:ingest:{INGESTED.id}"
        server.say("SET", key, server.say("GET", key).replace(one.members.name, ""))
        async with asyncio.timeout(1):
            taken, _ = await anext(other.ingests.moved())
        one.ingests.tell(replace(INGESTED, state="done", ended=2.0))
        async with asyncio.timeout(ROUND + 1):
            moved = [await anext(one.ingests.moved())]
        assert [(job.id, here) for job, here in moved] == [(INGESTED.id, False)]
        assert await one.ingests.listed() == [taken]


async def test_who_is_about_to_end_takes_nothing(server: Server, tmp_path: Path) -> None:
    """A process that is not willing leaves a job to others."""
    async with opened(server, tmp_path) as one:
        await one.ingests.begin(INGESTED)
    async with opened(server, tmp_path) as other:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await anext(other.ingests.moved(lambda: False))
        async with asyncio.timeout(1):
            assert (await anext(other.ingests.moved())).here


async def test_a_take_over_without_an_answer_is_asked_for_again(server: Server, tmp_path: Path) -> None:
    """A store that goes while a job is taken over gives it, when it is back, to whoever asked: once."""
    async with opened(server, tmp_path) as one:
        await one.ingests.begin(INGESTED)
    async with opened(server, tmp_path) as other:
        (told,) = await other.ingests._left()
        (wish,) = other.ingests._tries([told])
        assert await other.ingests._taken(*wish)
        assert await other.ingests._taken(*wish)
        later = wish[1], written("another", wish[1], 1.0)
        assert not await other.ingests._taken(told, *later)


async def test_a_job_that_does_not_change_is_told_again(server: Server, tmp_path: Path) -> None:
    """A step may take long; the time of a job without a process is counted from when its process was last there."""
    async with opened(server, tmp_path) as store:
        now = [100.0]
        given = store.ingests
        mine = Ingests(given.connection, given.members, given.publish, given.place, lambda: now[0], again=0.02)
        await mine.begin(INGESTED)
        async with kept_up(mine.run()):
            mine.tell(INGESTED)
            now[0] = 200.0
            await told(server, 200.0)
            now[0] = 300.0
            await told(server, 300.0)


async def told(server: Server, at: float) -> None:
    """Wait until the store has a job as it was told then."""
    async with asyncio.timeout(2):
        while not server.say("GET", f"gateway:ingest:{INGESTED.id}").endswith(f",{at}]"):  # noqa: ASYNC110 nothing tells of it
            await asyncio.sleep(0.01)
