"""Ingests that a running service was asked for: one after the other, and whoever likes may watch, from any process.
What one process leaves another one goes on with.

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
    Draining,
    Fault,
    GatewayError,
    KnowledgeError,
    NotFound,
    StoreUnavailable,
)
from gateway.retrieval import ingest, versions
from gateway.retrieval.library import Shelf
from gateway.retrieval.noting import code_of, noted
from gateway.retrieval.nowhere import NOWHERE
from gateway.retrieval.retriever import Retriever
from gateway.settings import Settings
from gateway.types.knowledge import Elsewhere, Ingesting, IngestJob

log = logging.getLogger(__name__)

NICE = 10
"""How far an ingest stands back behind the turns."""
KEPT = 20
"""Jobs that have ended and are remembered."""
PATIENCE = 60.0
"""Seconds that a job which was taken over waits for a collection that is still being written: whoever had the job may
live after all, and a claim on a server outlives its holder (`claim.EXPIRES`)."""
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
    elsewhere: bool = False
    """Another process has it now, or will have it."""

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
        self._tasks: dict[str, asyncio.Task[None]] = {}
        """By job."""

    async def all(self) -> list[IngestJob]:
        """Of all processes, newest first; of this one only where nobody knows of the others."""
        found = {job.id: job for job in await self.elsewhere.listed()}
        found |= {one.job.id: one.job for one in self._known.values() if not one.elsewhere}
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
        self._start(running)
        return job

    async def follow(self) -> None:
        """Go on with what other processes leave, and leave what they have taken, until cancelled."""
        async with aclosing(self.elsewhere.moved()) as moving:
            async for job, here in moving:
                if (before := self._known.pop(job.id, None)) is not None and not before.job.over:
                    before.elsewhere = True
                    self._leave(before)
                    log.warning("job %s was taken over: this process was not heard of for long", job.id)
                if here:
                    log.info("job %s is taken over: attempt %d", job.id, job.attempts)
                    self._known[job.id] = Running(job)
                    self._start(self._known[job.id])

    async def watched(self, job: str) -> AsyncGenerator[IngestJob, None]:
        """A job as it is now, after changes, and every `LOOK` seconds, until it has ended. Raises NotFound.

        One of another process ends too where the store goes; raises StoreUnavailable where that is away.
        """
        running = self._known.get(job)
        while running is not None and not running.elsewhere:
            changed = running.changed
            yield running.job
            if running.job.over:
                return
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK):
                    await changed.wait()
        try:
            async with aclosing(self.elsewhere.watched(job)) as watching:
                async for now in watching:
                    yield now
        except StoreUnavailable:  # it has it elsewhere now, and this process is about to end
            if running is None:
                raise

    async def close(self) -> None:
        """End what runs; every version stays as it was. Another process goes on with it, where there is one."""
        for one in self._known.values():
            self._leave(one)
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        await asyncio.to_thread(self._pool.shutdown, wait=True, cancel_futures=True)

    def _start(self, running: Running) -> None:
        self._becomes(running, running.job)
        self._forget()
        name = running.job.id
        task = self._tasks[name] = asyncio.create_task(self._done(running))
        task.add_done_callback(lambda ended: self._ended(name, ended))

    def _leave(self, running: Running) -> None:
        running.stop.ask()
        if (task := self._tasks.get(running.job.id)) is not None:
            task.cancel()

    def _ended(self, name: str, task: asyncio.Task[None]) -> None:
        if self._tasks.get(name) is task:
            del self._tasks[name]
        _unbroken(task)

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
            if not running.elsewhere:
                running.elsewhere = self.elsewhere.hand_on(replace(running.job, state="waiting"))
            error = Draining("The gateway ended before the ingest did; every version is as it was.")
            raise
        finally:
            if error is not None:
                self._note(running, Fault("", 0, "", error.message))
            job = running.job
            code = error.code if error else code_of(job.faults)
            self._becomes(running, replace(job, state="failed" if code else "done", ended=time.time(), code=code))
            how = "left to another process" if running.elsewhere else code or "done"
            log.info("ingest %s of %s: %s", job.id, ", ".join(one.collection for one in job.collections), how)

    def _events(self, running: Running, loop: asyncio.AbstractEventLoop) -> None:
        """In the thread of all jobs, so that one runs after the other."""
        knowledge = self._settings.knowledge
        names = tuple(one.collection for one in running.job.collections)
        characters = knowledge.passage_characters
        url = self._settings.chroma_url
        patience = PATIENCE if running.job.attempts > 1 else 0.0
        job = ingest.Job(str(knowledge.directory), str(self._settings.var), characters, names, NICE, url, patience)
        loop.call_soon_threadsafe(self._becomes, running, replace(running.job, state="running"))
        for event in self._run(job, running.stop):
            if running.stop.asked:  # the loop is about to end
                return
            loop.call_soon_threadsafe(self._note, running, event)

    def _becomes(self, running: Running, job: IngestJob) -> None:
        """Tell whoever watches, here and elsewhere; where another process has it, watchers are to ask that."""
        if running.elsewhere:
            running.becomes(running.job)
        else:
            running.becomes(job)
            self.elsewhere.tell(job)

    def _note(self, running: Running, event: ingest.Event) -> None:
        self._becomes(running, noted(running.job, event))

    def _forget(self) -> None:
        """Keep the last that ended."""
        ended = [name for name, one in self._known.items() if one.job.over]
        for name in ended[: max(0, len(ended) - KEPT)]:
            del self._known[name]


def _unbroken(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()):
        log.error("an ingest broke", exc_info=error)


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

    They begin with what is damaged, and with what other processes have left.
    """
    jobs = Jobs(settings, retriever.reload, run, elsewhere)
    following = asyncio.create_task(jobs.follow())
    following.add_done_callback(_unbroken)
    try:
        await mended(settings, retriever, jobs)
        yield jobs
    finally:
        following.cancel()
        await asyncio.wait({following})
        await jobs.close()
