"""Ingests that a running service was asked for: one after the other, and whoever likes may watch, from any process.

A job's events come from a child process through one thread; the loop only notes them. Building takes what the
processors have to spare (`NICE`): turns are answered beside it.
"""

import asyncio
import logging
import secrets
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from gateway.errors import (
    Conflict,
    DiskFull,
    Draining,
    Fault,
    GatewayError,
    KnowledgeError,
    NotFound,
    NotWritable,
    StoreUnavailable,
)
from gateway.retrieval import ingest, versions
from gateway.retrieval.library import Shelf
from gateway.retrieval.nowhere import NOWHERE
from gateway.retrieval.retriever import Retriever
from gateway.settings import Settings
from gateway.types.knowledge import Elsewhere, Ingesting, IngestJob

log = logging.getLogger(__name__)

NICE = 10
"""How far an ingest stands back behind the turns."""
KEPT = 20
"""Jobs that have ended and are remembered."""
MOST = 100
"""Notes, and faults, that a job remembers beside the last one: a folder of photographs has one for each."""
LOOK = 1.0
"""Seconds after which a watcher hears of a job that has not changed, so that it can end when it has to."""
Ingest: TypeAlias = Callable[[ingest.Job, ingest.Stop], Iterator[ingest.Event]]


@dataclass(slots=True, eq=False)
class Running:
    """A job, and how its watchers learn of a change."""

    job: IngestJob
    stop: ingest.Stop = field(default_factory=ingest.Stop)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    """Set with the next change; the one after has an event of its own."""

    def becomes(self, job: IngestJob) -> None:
        """Tell the watchers."""
        self.job = job
        self.changed.set()
        self.changed = asyncio.Event()


class Jobs:
    """The jobs of this process, and what is known of others'. Everything here runs on the loop but `_events`.

    Made by `opened`.
    """

    def __init__(
        self,
        settings: Settings,
        serve: Callable[[], Awaitable[None]],
        run: Ingest = ingest.ingest,
        elsewhere: Elsewhere = NOWHERE,
    ) -> None:
        self.elsewhere = elsewhere
        self._settings = settings
        self._serve = serve
        self._run = run
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="ingest")
        self._known: dict[str, Running] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def all(self) -> list[IngestJob]:
        """Of all processes, newest first; of this one only where nobody knows of the others."""
        found = {job.id: job for job in await self.elsewhere.listed()}
        found |= {one.job.id: one.job for one in self._known.values()}
        return sorted(found.values(), key=lambda job: job.began, reverse=True)

    async def begin(self, collections: Collection[str]) -> IngestJob:
        """Begin a job for these collections; none: all that there are.

        Raises Conflict where one of them is being ingested already, by whichever process, NotWritable and DiskFull
        where nothing could be written, NotFound where there is nothing to ingest.
        """
        there = await asyncio.to_thread(ingest.collections, self._settings.knowledge.directory)
        wanted = tuple(dict.fromkeys(collections)) or tuple(there)
        if absent := [name for name in wanted if name not in there]:
            raise NotFound(f"There is no collection {absent[0][:80]!r}.")
        if not wanted:
            raise NotFound("There is no collection: put Markdown or text files into a folder of knowledge/.")
        await asyncio.to_thread(ingest.writable, self._settings.var)
        for one in self._known.values():
            if not one.job.over and (
                both := [each.collection for each in one.job.collections if each.collection in wanted]
            ):
                raise Conflict(f"{', '.join(both)}: job {one.job.id} is ingesting it; wait until it has ended.")
        job = IngestJob(
            id=f"job_{secrets.token_hex(8)}", state="waiting", began=time.time(), ended=None,
            collections=tuple(map(Ingesting, wanted)), notes=(), faults=(), code="",
        )  # fmt: skip
        running = self._known[job.id] = Running(job)  # from here on, for another one of this process
        try:
            await self.elsewhere.begin(job)
        except Conflict:
            del self._known[job.id]
            raise
        except StoreUnavailable:
            log.info("job %s is not known to other processes until the store is back", job.id)
        except BaseException:
            del self._known[job.id]
            self.elsewhere.tell(replace(job, state="failed", ended=job.began, code=Draining.code))  # if it was let in
            raise
        self._becomes(running, job)
        self._forget()
        task = asyncio.create_task(self._done(running))
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return job

    async def watched(self, job: str) -> AsyncGenerator[IngestJob, None]:
        """A job as it is now, after changes, and every `LOOK` seconds, until it has ended. Raises NotFound.

        One of another process ends too where the store goes; raises StoreUnavailable where that is away.
        """
        running = self._known.get(job)
        if running is None:
            async with aclosing(self.elsewhere.watched(job)) as watching:
                async for now in watching:
                    yield now
            return
        while True:
            changed = running.changed
            yield running.job
            if running.job.over:
                return
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK):
                    await changed.wait()

    async def close(self) -> None:
        """End what runs; every version stays as it was."""
        for one in self._known.values():
            one.stop.ask()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.to_thread(self._pool.shutdown, wait=True, cancel_futures=True)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.error("an ingest broke", exc_info=error)

    async def _done(self, running: Running) -> None:
        """Run a job to its end and serve what it made, of each collection that came to its end."""
        loop = asyncio.get_running_loop()
        error: GatewayError | None = GatewayError("Something went wrong in the gateway; its log says what.")
        try:
            await loop.run_in_executor(self._pool, self._events, running, loop)
            await self._serve()
            self.elsewhere.serve()
            error = None
        except GatewayError as known:
            error = known
        except OSError as refused:
            error = ingest.refused(refused)
        except asyncio.CancelledError:
            error = Draining("The gateway ended before the ingest did; every version is as it was.")
            raise
        finally:
            if error is not None:
                self._note(running, Fault("", 0, "", error.message))
            job = running.job
            code = error.code if error else _code(job.faults)
            self._becomes(running, replace(job, state="failed" if code else "done", ended=time.time(), code=code))
            log.info(
                "ingest %s of %s: %s", job.id, ", ".join(one.collection for one in job.collections), code or "done"
            )

    def _events(self, running: Running, loop: asyncio.AbstractEventLoop) -> None:
        """In the thread of all jobs, so that one runs after the other."""
        knowledge = self._settings.knowledge
        names = tuple(one.collection for one in running.job.collections)
        characters = knowledge.passage_characters
        url = self._settings.chroma_url
        job = ingest.Job(str(knowledge.directory), str(self._settings.var), characters, names, NICE, url)
        loop.call_soon_threadsafe(self._becomes, running, replace(running.job, state="running"))
        for event in self._run(job, running.stop):
            if running.stop.asked:  # the loop is about to end
                return
            loop.call_soon_threadsafe(self._note, running, event)

    def _becomes(self, running: Running, job: IngestJob) -> None:
        """Tell whoever watches, here and elsewhere."""
        running.becomes(job)
        self.elsewhere.tell(job)

    def _note(self, running: Running, event: ingest.Event) -> None:
        job = running.job
        if isinstance(event, Fault):
            self._becomes(running, replace(job, faults=(*job.faults[:MOST], event)))
        elif isinstance(event, ingest.Note):
            self._becomes(running, replace(job, notes=(*job.notes[:MOST], event.text)))
        else:
            parts = tuple(_moved(one, event) if one.collection == event.collection else one for one in job.collections)
            self._becomes(running, replace(job, collections=parts))

    def _forget(self) -> None:
        """Keep the last that ended."""
        ended = [name for name, one in self._known.items() if one.job.over]
        for name in ended[: max(0, len(ended) - KEPT)]:
            del self._known[name]


def _moved(one: Ingesting, event: ingest.Progress | ingest.Done) -> Ingesting:
    if isinstance(event, ingest.Progress):
        return replace(one, done=event.done, total=event.total)
    version, built = event.version, event.built
    return replace(one, done=one.total, version=version, built=built, files=event.files, passages=event.passages)


def _code(faults: tuple[Fault, ...]) -> str:
    """Of the error that explains them best; empty where there are none."""
    for text, kind in ((ingest.FULL, DiskFull), (ingest.READ_ONLY, NotWritable)):
        if any(fault.problem.startswith(text) for fault in faults):
            return kind.code
    return KnowledgeError.code if faults else ""


def rebuildable(settings: Settings, shelf: Shelf) -> bool:
    """Whether the files are still those that the current version was made from: building it again changes no answer."""
    files = ingest.hashes(settings.knowledge.directory / shelf.collection)
    try:
        made = shelf.version(shelf.current()).fingerprint
    except KnowledgeError:
        return False
    return bool(files) and made == versions.fingerprint(files, settings.knowledge.passage_characters)


async def mended(settings: Settings, retriever: Retriever, jobs: Jobs) -> None:
    """Build damaged versions again in the background, while an older one serves, or none."""
    for name in retriever.collections:
        _, problem = retriever.served(name)
        if not problem:
            continue
        if await asyncio.to_thread(rebuildable, settings, retriever.library.shelf(name)):
            try:
                job = await jobs.begin([name])
            except Conflict as error:  # another process has begun before us
                log.info("collection %s is damaged and is built again elsewhere: %s", name, error.message)
            except GatewayError as error:
                log.warning("collection %s is damaged and cannot be built again: %s", name, error.message)
            else:
                log.warning("collection %s is damaged and is built again by %s: %s", name, job.id, problem)


@asynccontextmanager
async def opened(
    settings: Settings, retriever: Retriever, run: Ingest = ingest.ingest, elsewhere: Elsewhere = NOWHERE
) -> AsyncIterator[Jobs]:
    """Jobs whose versions this retriever serves as soon as they have ended. Leaving ends what runs.

    They begin with what is damaged.
    """
    jobs = Jobs(settings, retriever.reload, run, elsewhere)
    try:
        await mended(settings, retriever, jobs)
        yield jobs
    finally:
        await jobs.close()
