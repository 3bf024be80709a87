"""Ingests that several processes know of: each `opened` is one."""

import asyncio
import time
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.errors import Conflict, Fault, NotFound, StoreUnavailable
from gateway.store import Store
from gateway.store.ingests import MOST
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
        await elsewhere.ingests.begin(INGESTED)
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
