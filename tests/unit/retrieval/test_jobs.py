"""Ingests as jobs: one after the other, watched, stopped, and mended where a version is damaged."""

import asyncio
import errno
import logging
import os
import threading
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import Conflict, Fault, NotFound
from gateway.retrieval import ingest, jobs, retriever, versions
from gateway.retrieval.jobs import Jobs
from gateway.retrieval.nowhere import NOWHERE
from gateway.retrieval.retriever import Retriever
from gateway.types.knowledge import IngestJob
from tests.administered import quick, settings
from tests.knowledge import LIGHTHOUSE, HashedModel, built, with_model, write


@asynccontextmanager
async def opened(root: Path, run: jobs.Ingest, *collections: str) -> AsyncIterator[tuple[Jobs, Retriever]]:
    made = settings(root)
    async with (
        retriever.opened(made, collections, embed_query=HashedModel().query) as searches,
        jobs.opened(made, searches, run) as ingests,
    ):
        yield ingests, searches


async def end(ingests: Jobs, job: IngestJob) -> IngestJob:
    async with asyncio.timeout(60):
        async for now in ingests.watched(job.id):
            job = now
    return job


def told(*events: ingest.Event | OSError) -> jobs.Ingest:
    """An ingest that tells these, or is refused."""

    def run(job: ingest.Job, stop: ingest.Stop) -> Iterator[ingest.Event]:
        del job, stop
        for event in events:
            if isinstance(event, OSError):
                raise event
            yield event

    return run


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write(tmp_path / "knowledge" / "lighthouse", LIGHTHOUSE)
    return tmp_path


async def test_events_become_the_jobs_state(root: Path) -> None:
    """Progress, notes and the end are seen by a watcher, in order; the last state has everything."""
    done = ingest.Done("lighthouse", "20260101T000000000000", 3, 5, 4, 1, 0.1, built=True)
    run = told(
        ingest.Note("converting"), ingest.Progress("lighthouse", 2, 5), ingest.Progress("lighthouse", 5, 5), done
    )
    async with opened(root, run) as (ingests, _):
        job = await end(ingests, await ingests.begin([]))
    assert (job.state, job.code, job.notes, job.faults) == ("done", "", ("converting",), ())
    (part,) = job.collections
    assert (part.done, part.total, part.version, part.files, part.passages) == (5, 5, done.version, 3, 5)


@pytest.mark.parametrize(
    ("events", "code", "said"),
    [
        ([Fault("x.md", 1, "", "is not UTF-8")], "knowledge_error", "is not UTF-8"),
        ([Fault("x", 0, "", f"{ingest.FULL}.")], "insufficient_storage", "No room"),
        ([Fault("x", 0, "", f"{ingest.READ_ONLY}.")], "not_writable", "no writes"),
        ([OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))], "insufficient_storage", "No room"),
        ([OSError(errno.EROFS, os.strerror(errno.EROFS))], "not_writable", "no writes"),
        ([OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))], "knowledge_error", "Cannot allocate memory"),
    ],
)
async def test_a_job_that_fails_says_why(root: Path, events: Sequence[Any], code: str, said: str) -> None:
    """By the code of an error that there is, and in words."""
    async with opened(root, told(*events)) as (ingests, _):
        job = await end(ingests, await ingests.begin(["lighthouse"]))
    assert (job.state, job.code) == ("failed", code) and job.ended is not None
    assert said in job.faults[-1].problem


async def test_a_job_that_breaks_is_not_left_running(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What nobody expected ends it as failed, the log has the stack, and the next one is let in."""

    def breaks(job: ingest.Job, stop: ingest.Stop) -> Iterator[ingest.Event]:
        del job, stop
        raise RuntimeError("boom")
        yield

    async with opened(root, breaks) as (ingests, _):
        job = await end(ingests, await ingests.begin(["lighthouse"]))
        assert (job.state, job.code) == ("failed", "internal_error") and "boom" not in str(job)
        await end(ingests, await ingests.begin(["lighthouse"]))
    assert "boom" in caplog.text


async def test_what_is_not_there_is_not_ingested(root: Path) -> None:
    """Neither a folder that nobody made, nor no folder at all."""
    async with opened(root, quick) as (ingests, _):
        with pytest.raises(NotFound, match="tower"):
            await ingests.begin(["lighthouse", "tower"])
        write(root / "knowledge", {})
        (root / "knowledge").mkdir()
        with pytest.raises(NotFound, match="There is no collection: put"):
            await ingests.begin([])
        with pytest.raises(NotFound):
            await anext(ingests.watched("job_0"))


async def test_the_last_jobs_are_remembered(root: Path) -> None:
    """A bounded number of those that ended, newest first; a running one is never forgotten."""
    go = threading.Event()

    def waits(job: ingest.Job, stop: ingest.Stop) -> Iterator[ingest.Event]:
        if job.collections == ("slow",):
            go.wait(20)
        yield from told()(job, stop)

    write(root / "knowledge" / "slow", {"x.md": "x"})
    async with opened(root, waits) as (ingests, _):
        for _ in range(jobs.KEPT + 5):
            last = await end(ingests, await ingests.begin(["lighthouse"]))
        assert len(await ingests.all()) == jobs.KEPT + 1 and (await ingests.all())[0] == last
        slow = await ingests.begin(["slow"])
        with pytest.raises(Conflict, match=slow.id):
            await ingests.begin(["slow"])
        go.set()
        await end(ingests, slow)


async def test_closing_ends_what_runs(root: Path) -> None:
    """The real child is killed, its versions are as they were, and a watcher learns of the end."""
    with_model(root / "var")
    lots = {
        f"{n}.md": f"# Page {n}\n\n" + "\n\n".join(f"## {p}\n\nPart {p} of {n}." for p in range(40)) for n in range(40)
    }
    write(root / "knowledge" / "lighthouse", lots)
    async with opened(root, ingest.ingest) as (ingests, _):
        job = await ingests.begin(["lighthouse"])
        watching = asyncio.create_task(end(ingests, job))
        async for now in ingests.watched(job.id):
            if now.collections[0].done:
                break
        began = time.monotonic()
    assert time.monotonic() - began < 3
    last = await watching
    assert (last.state, last.code) == ("failed", "shutting_down")
    shelf = versions.shelf(root / "var", "lighthouse")
    with shelf.written():  # nobody holds it any more
        assert shelf.sealed() == [] and shelf.current() == ""


async def test_a_real_child_builds_and_its_version_is_served(root: Path) -> None:
    """From files to a version that the retriever searches, through a process that stands back."""
    with_model(root / "var")
    async with opened(root, ingest.ingest, "lighthouse") as (ingests, searches):
        assert searches.missing == ["knowledge:lighthouse"]
        job = await end(ingests, await ingests.begin(["lighthouse"]))
        assert (job.state, job.faults) == ("done", ())
        assert searches.missing == [] and searches.served("lighthouse") == (job.collections[0].version, "")


def damage(shelf: versions.Shelf) -> None:
    graph = next((shelf.path / shelf.current() / "chroma").glob("*/data_level0.bin"))
    graph.write_bytes(graph.read_bytes()[:100])


async def test_a_damaged_version_is_built_again(tmp_path: Path) -> None:
    """An older version serves and readiness says so, until the one that was damaged is there again."""
    built(tmp_path, "lighthouse", {"old.md": "Old.\n"})
    shelf = built(tmp_path, "lighthouse", LIGHTHOUSE)
    broken = shelf.current()
    damage(shelf)
    go = threading.Event()

    def later(job: ingest.Job, stop: ingest.Stop) -> Iterator[ingest.Event]:
        go.wait(20)
        yield from quick(job, stop)

    async with opened(tmp_path, later, "lighthouse") as (ingests, searches):
        assert searches.missing == ["knowledge:lighthouse:current"] and shelf.current() == broken
        (job,) = await ingests.all()
        go.set()
        assert (await end(ingests, job)).state == "done"
        assert searches.missing == [] and shelf.current() > broken
        assert shelf.version(shelf.current()).passages == 5


async def test_a_damaged_version_is_built_again_by_one_process(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Where another one has begun, this one leaves it to that, and nothing is amiss."""
    damage(built(tmp_path, "lighthouse", LIGHTHOUSE))

    async def taken(job: IngestJob) -> None:
        raise Conflict(f"{job.collections[0].collection}: job job_1 is ingesting it; wait until it has ended.")

    made, elsewhere = settings(tmp_path), NOWHERE._replace(begin=taken)
    async with (
        retriever.opened(made, ["lighthouse"], embed_query=HashedModel().query) as searches,
        jobs.opened(made, searches, quick, elsewhere) as ingests,
    ):
        caplog.clear()
        assert await ingests.all() == [] and searches.missing == ["knowledge:lighthouse"]
        with pytest.raises(Conflict, match="job_1"):
            await ingests.begin(["lighthouse"])
    assert [one.levelname for one in caplog.records] == []


@pytest.mark.parametrize("changed", [True, False])
async def test_only_what_was_current_is_built_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, *, changed: bool
) -> None:
    """Files that were changed since are not brought in behind an operator's back; what is sound is left alone."""
    shelf = built(tmp_path, "lighthouse", LIGHTHOUSE)
    if changed:
        damage(shelf)
        write(tmp_path / "knowledge" / "lighthouse", {"new.md": "New.\n"})
    with caplog.at_level(logging.WARNING):
        async with opened(tmp_path, quick, "lighthouse") as (ingests, searches):
            assert await ingests.all() == []
            assert searches.missing == (["knowledge:lighthouse"] if changed else [])
