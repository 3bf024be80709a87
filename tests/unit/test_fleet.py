"""What a process does because another one asked, or has ended: each `opened` is one."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from gateway import fleet
from gateway.errors import Fault
from gateway.fleet import Fleet
from gateway.retrieval import ingest, jobs, retriever
from gateway.retrieval.jobs import Jobs
from gateway.store import Store
from gateway.store.ingest_records import HANDED_ON
from gateway.types.administration import Reloaded
from gateway.types.knowledge import IngestJob
from tests.administered import settings
from tests.knowledge import LIGHTHOUSE, HashedModel, write
from tests.stores import Server, opened, until

pytestmark = pytest.mark.parametrize("server", ["valkey"], indirect=True)
"""Signals are tested on both kinds where they are made (`store/test_signals.py`)."""


@dataclass
class Process:
    """What is served in one, and how often it was looked for."""

    answer: Reloaded = field(default_factory=Reloaded)
    seconds: float = 0.0
    read_: int = 0
    repointed: int = 0

    async def read(self) -> Reloaded:
        await asyncio.sleep(self.seconds)
        self.read_ += 1
        return self.answer

    async def repoint(self) -> None:
        self.repointed += 1

    @asynccontextmanager
    async def joined(self, server: Server, var: Path, patience: float = 5.0) -> AsyncIterator[Fleet]:
        """It runs, and listens."""
        before = server.say("PUBSUB", "NUMSUB", "gateway:signals")[1]
        async with (
            opened(server, var) as store,
            fleet.opened(store, self.read, self.repoint, patience=patience) as joined,
        ):
            await until(lambda: server.say("PUBSUB", "NUMSUB", "gateway:signals")[1] == before + 1)
            yield joined


async def test_all_processes_reload(server: Server, tmp_path: Path) -> None:
    """Whoever is asked answers when each of the others has, with how many did and how many could not."""
    one = Process(Reloaded(("agent nora",)))
    slow, broken = Process(seconds=0.2), Process(Reloaded(faults=(Fault("emil.md", 1, "", "is broken"),)))
    async with (
        one.joined(server, tmp_path) as asked,
        slow.joined(server, tmp_path),
        broken.joined(server, tmp_path),
    ):
        assert await asked.reload() == Reloaded(("agent nora",), others=1, behind=1)
        assert (one.read_, slow.read_, broken.read_) == (1, 1, 1)


async def test_a_process_whose_files_are_broken_asks_nobody(server: Server, tmp_path: Path) -> None:
    """What it could not read itself, others need not try."""
    one, other = Process(Reloaded(faults=(Fault("emil.md", 1, "", "is broken"),))), Process()
    async with one.joined(server, tmp_path) as asked, other.joined(server, tmp_path):
        assert await asked.reload() == one.answer
        await asyncio.sleep(0.1)
        assert other.read_ == 0


async def test_nobody_waits_for_a_process_that_is_silent_or_gone(server: Server, tmp_path: Path) -> None:
    """One that does not answer in time is behind; one that has ended meanwhile is none."""
    one, silent = Process(), Process(seconds=20.0)
    async with one.joined(server, tmp_path, 1.5) as asked:
        async with silent.joined(server, tmp_path):
            began = time.monotonic()
            assert await asked.reload() == Reloaded(others=0, behind=1)
            assert 1.4 < time.monotonic() - began < 2.5
            asking = asyncio.create_task(asked.reload())
            await asyncio.sleep(0.1)
        assert await asking == Reloaded(others=0, behind=0)


async def test_without_the_store_this_process_reloads(server: Server, tmp_path: Path) -> None:
    """It says that nobody knows of the others."""
    one = Process(Reloaded(("agent nora",)))
    async with one.joined(server, tmp_path) as asked:
        server.kill()
        await until(lambda: asked.store.missing == ["store"])
        assert await asked.reload() == Reloaded(("agent nora",), others=None)


async def test_another_version_is_served_by_all_others(server: Server, tmp_path: Path) -> None:
    """The one that has made it serves it already; files are not read for it."""
    one, other = Process(), Process()
    async with one.joined(server, tmp_path) as maker, other.joined(server, tmp_path):
        fleet.elsewhere(maker.store, lambda: False).serve()
        assert await until(lambda: other.repointed == 1) < 0.5
        assert (one.repointed, one.read_, other.read_) == (0, 0, 0)


async def test_what_was_told_while_nobody_listened_is_made_up_for(server: Server, tmp_path: Path) -> None:
    """A process whose line to the store broke looks at files and pointers when it stands again."""
    one = Process()
    async with one.joined(server, tmp_path):
        assert (one.read_, one.repointed) == (0, 0)
        server.say("CLIENT", "KILL", "TYPE", "pubsub")
        assert await until(lambda: (one.read_, one.repointed) == (1, 1)) < 2.0


@asynccontextmanager
async def ingesting(server: Server, root: Path, run: jobs.Ingest) -> AsyncIterator[tuple[Jobs, Store]]:
    """A process that ingests."""
    made = replace(settings(root), redis_url=server.url)
    async with (
        opened(server, root / "var") as store,
        retriever.opened(made, [], embed_query=HashedModel().query) as searches,
        jobs.opened(made, searches, run, fleet.elsewhere(store, lambda: False)) as ingests,
    ):
        yield ingests, store


def stopped(job: ingest.Job, stop: ingest.Stop) -> Iterator[ingest.Event]:
    """An ingest that gets as far as five vectors, and ends when it is stopped."""
    yield ingest.Progress(job.collections[0], 5, 10)
    while not stop.asked:
        time.sleep(0.005)


def done(job: ingest.Job, stop: ingest.Stop) -> Iterator[ingest.Event]:
    """An ingest that comes to its end at once, where it was taken over."""
    del stop
    assert job.patience > 0
    for name in job.collections:
        yield ingest.Done(name, "20260101T000000000000", 1, 2, 0, 2, 0.1, built=True)


async def over(ingests: Jobs, job: IngestJob) -> list[IngestJob]:
    """Each state of a job, to its end."""
    async with asyncio.timeout(5):
        return [now async for now in ingests.watched(job.id)]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Where a lighthouse is known of."""
    write(tmp_path / "knowledge" / "lighthouse", LIGHTHOUSE)
    return tmp_path


async def test_an_ingest_outlives_the_process_that_began_it(server: Server, root: Path) -> None:
    """Another one has it within a moment, the job is the same, and whoever watches at either is told of its end."""
    async with AsyncExitStack() as stack:
        first, _ = await stack.enter_async_context(ingesting(server, root, stopped))
        async with ingesting(server, root, done) as (second, store):
            job = await first.begin(["lighthouse"])
            watching = [asyncio.create_task(over(each, job)) for each in (first, second)]
            await until(lambda: first._known[job.id].job.collections[0].done == 5)
            await asyncio.sleep(0.3)
            began = time.monotonic()
            await stack.aclose()
            here, there = [await each for each in watching]
            assert time.monotonic() - began < 2.5
            assert (there[-1].state, there[-1].attempts, there[-1].killed) == ("done", 2, 0)
            assert there[-1].notes == (HANDED_ON,) and there[-1].collections[0].passages == 2
            assert {each.id for each in (*here, *there)} == {job.id} and "failed" not in {one.state for one in here}
            assert [(one.id, one.state) for one in await second.all()] == [(job.id, "done")]
            await store.ingests.leave()
            await second.begin(["lighthouse"])


async def test_a_process_that_is_taken_for_dead_leaves_its_ingest(
    server: Server, root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It stops, and shows what the other one says of the job from then on."""
    async with ingesting(server, root, stopped) as (first, store), ingesting(server, root, done) as (second, _):
        job = await first.begin(["lighthouse"])
        watching = asyncio.create_task(over(first, job))
        await until(lambda: first._known[job.id].job.collections[0].done == 5)
        await store.ingests.leave()
        key = f"gateway:ingest:{job.id}"
        server.say("SET", key, server.say("GET", key).replace(store.members.name, ""))
        assert (await over(second, job))[-1].state == "done"
        first._note(first._known[job.id], ingest.Note("still here"))
        seen = await watching
        assert (seen[-1].state, seen[-1].attempts) == ("done", 2)
        assert await first.all() == await second.all() == [seen[-1]]
    assert "was taken over: this process was not heard of" in caplog.text


async def test_what_was_stopped_in_the_middle_goes_on_at_the_next_start(server: Server, root: Path) -> None:
    """A gateway of one process that is started again has the same job, and does it."""
    async with ingesting(server, root, stopped) as (alone, _):
        job = await alone.begin(["lighthouse"])
        await until(lambda: alone._known[job.id].job.collections[0].done == 5)
    async with ingesting(server, root, done) as (again, _):
        assert (await over(again, job))[-1].state == "done"
