"""The async face of retrieval: a search within its budget, off the event loop, and never an exception.

Searches run in a few threads, since the libraries release the GIL. There is no line of doomed work: where all
threads are taken and enough searches wait, and where the budget is spent, the lexical list alone answers,
which takes 0.1 ms.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TextIO

from gateway.errors import KnowledgeError
from gateway.retrieval import contents, embed, search, trial, versions
from gateway.retrieval.embed import Embed
from gateway.settings import Settings
from gateway.types import Passage, Query, Retrieval, Retrieved
from gateway.types.knowledge import Looked

log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class Serving:
    """A version that is served, and how many searches are in it."""

    contents: contents.Contents
    lock: TextIO
    problem: str = ""
    """Why it is not the current version; empty where it is."""
    searches: int = 0
    retired: bool = False

    def leave(self) -> None:
        """Close it where it was retired and nobody is in it."""
        if self.retired and not self.searches:
            self.contents.close()
            self.lock.close()


def opened_version(var: Path, collection: str) -> Serving:
    """The collection's current version; where it is damaged, the one before it, and the log says so."""
    shelf = versions.shelf(var, collection)
    problems: list[str] = []
    for name in shelf.candidates():
        try:
            found = _opened(shelf, name)
        except KnowledgeError as error:
            problems.append(f"{name}: {error.message}")
            continue
        found.problem = "; ".join(problems)
        if problems:
            log.warning("collection %s: an older version, %s, is served: %s", collection, name, found.problem)
        return found
    raise KnowledgeError("; ".join(problems) or "was never ingested: run `gateway ingest`")


def _opened(shelf: versions.Shelf, name: str) -> Serving:
    path = shelf.path / name
    try:
        lock = versions.held(path)
    except OSError as error:
        raise KnowledgeError(str(error)) from error
    try:
        version = shelf.version(name)
        problem = trial.fault(path)
        if (version.model, version.dimension) != (versions.MODEL, versions.DIMENSION):
            problem = f"was made with {version.model}, this gateway has {versions.MODEL}: run `gateway ingest`"
        elif version.form != versions.FORM:
            problem = "was made by another release: run `gateway ingest`"
        if not problem:
            return Serving(contents.load(path, version), lock)
    except KnowledgeError as error:
        problem = error.message
    lock.close()
    raise KnowledgeError(problem)


@dataclass(eq=False)
class Retriever:
    """Searches the collections that are open.
    Made by `opened`; all but the searches themselves runs on the loop."""

    var: Path
    threads: int
    waiting: int
    embed_query: Embed | None
    collections: tuple[str, ...]
    _serving: dict[str, Serving] = field(default_factory=dict)
    _refused: dict[str, str] = field(default_factory=dict)
    """Why a collection has no version that is served."""
    _busy: int = 0
    """Searches that run or wait."""

    def __post_init__(self) -> None:
        self._pool = ThreadPoolExecutor(self.threads, thread_name_prefix="retrieval")
        self._reloading = asyncio.Lock()

    @property
    def missing(self) -> list[str]:
        """What should be there and is not. For readiness.

        `embeddings`: the model; `knowledge:{collection}`: the whole of it; `knowledge:{collection}:current`: its
        current version, in whose place an older one is served.
        """
        absent = ["embeddings"] if self.collections and not self.embed_query else []
        for name in self.collections:
            serving = self._serving.get(name)
            if serving is None:
                absent.append(f"knowledge:{name}")
            elif serving.problem:
                absent.append(f"knowledge:{name}:current")
        return absent

    def served(self, collection: str) -> tuple[str, str]:
        """The version of a collection that is served, or nothing, and why it is not the current one, or nothing."""
        serving = self._serving.get(collection)
        if serving is None:
            return "", self._refused.get(collection, "")
        return serving.contents.version.name, serving.problem

    async def retrieve(self, collections: Sequence[str], query: Query, retrieval: Retrieval) -> Retrieved:
        """A `types.Retrieve`."""
        if not collections or not query.question.strip():
            return Retrieved()
        found = [self._serving[name] for name in dict.fromkeys(collections) if name in self._serving]
        return await self._searched(found, query, retrieval, partly=len(found) < len(set(collections)))

    async def look(self, collection: str, query: Query, retrieval: Retrieval) -> Looked:
        """Search one collection, whether an agent uses it or not: the version that was searched, and what it brought.

        One that no agent uses is opened for this search, the model too where there was nothing to search with it.
        Raises KnowledgeError where no version can be opened.
        """
        serving = self._serving.get(collection)
        if self.embed_query is None:
            self.embed_query = await asyncio.to_thread(_embedder, self.var)
        opened = None if serving else await asyncio.to_thread(opened_version, self.var, collection)
        try:
            found = serving or opened
            assert found is not None
            version, began = found.contents.version.name, time.perf_counter()
            retrieved = await self._searched([found], query, retrieval)
            return Looked(version, retrieved, (time.perf_counter() - began) * 1000)
        finally:
            self._retire(opened)

    async def _searched(
        self, found: Sequence[Serving], query: Query, retrieval: Retrieval, *, partly: bool = False
    ) -> Retrieved:
        if not found or self.embed_query is None:
            return self._lexical(found, query, retrieval, "unavailable")
        if self._busy >= self.threads + self.waiting:
            return self._lexical(found, query, retrieval, "queue")
        work = self._begin(found, partial(self._search, [one.contents for one in found], query, retrieval))
        try:
            # Not wait_for: Python 3.11's returns the result where a cancellation meets it, and the hang-up is lost.
            async with asyncio.timeout(retrieval.budget_ms / 1000):
                passages = await asyncio.wrap_future(work)
        except TimeoutError:
            return self._lexical(found, query, retrieval, "budget")
        except KnowledgeError as error:
            log.warning("search failed: %s", error.message)
            return self._lexical(found, query, retrieval, "unavailable")
        return Retrieved(passages, "hybrid", "unavailable" if partly else "")

    def _search(self, found: Sequence[contents.Contents], query: Query, retrieval: Retrieval) -> tuple[Passage, ...]:
        """In a thread.
        Whatever a native library throws (a Rust panic is no Exception) becomes a KnowledgeError."""
        assert self.embed_query is not None
        try:
            return search.search(found, query, retrieval, self.embed_query(search.texts(query, found)[0]))
        except BaseException as error:
            raise KnowledgeError(f"{type(error).__name__}: {error}") from error

    def _begin(self, found: Sequence[Serving], task: Callable[[], tuple[Passage, ...]]) -> Future[tuple[Passage, ...]]:
        """Hand the task to the pool.
        Its place is taken until it ends, or until it is cancelled before it began."""
        loop = asyncio.get_running_loop()
        self._busy += 1
        for one in found:
            one.searches += 1

        def left() -> None:
            self._busy -= 1
            for one in found:
                one.searches -= 1
                one.leave()

        def ended(_: Future[tuple[Passage, ...]]) -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(left)

        work = self._pool.submit(task)
        work.add_done_callback(ended)
        return work

    @staticmethod
    def _lexical(found: Sequence[Serving], query: Query, retrieval: Retrieval, reason: str) -> Retrieved:
        passages = search.search([one.contents for one in found], query, retrieval, None)
        return Retrieved(passages, "lexical" if passages else "none", reason)

    async def reload(self, collections: Iterable[str] | None = None) -> None:
        """Read the pointers again and serve what they say; searches that run end in the version they began in.

        The model is opened beside them where it is not, and where there is anything to search.
        """
        async with self._reloading:  # two at once would each open what the other opens too
            if collections is not None:
                self.collections = tuple(dict.fromkeys(collections))
            wanted = self.collections and not self.embed_query
            model = asyncio.create_task(asyncio.to_thread(_embedder, self.var)) if wanted else None
            for name in self.collections:
                await self._reopened(name)
            for name in set(self._serving) - set(self.collections):
                self._retire(self._serving.pop(name))
            if model:
                self.embed_query = await model

    async def _reopened(self, name: str) -> None:
        """Serve what the collection's pointer says. Where nothing can be opened, what is served stays."""
        now = self._serving.get(name)
        if now and versions.shelf(self.var, name).current() == now.contents.version.name:
            now.problem = ""
            return
        try:
            self._serving[name] = await asyncio.to_thread(opened_version, self.var, name)
        except KnowledgeError as error:
            log.warning("collection %s: %s", name, error.message)
            self._refused[name] = error.message
            if now:
                now.problem = error.message
        else:
            self._retire(now)

    @staticmethod
    def _retire(serving: Serving | None) -> None:
        if serving:
            serving.retired = True
            serving.leave()

    async def warm(self) -> None:
        """Search once in each thread, so that the first turn is as fast as the tenth."""
        some = Retrieval(budget_ms=10_000)
        question = Query("warm", "up")
        await asyncio.gather(*(self.retrieve(self.collections, question, some) for _ in range(self.threads)))

    def close(self) -> None:
        """Wait for the searches that run and let go of everything."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        for serving in self._serving.values():
            serving.contents.close()
            serving.lock.close()


def _embedder(var: Path) -> Embed | None:
    """The model; nothing where it was never converted."""
    try:
        return embed.Embedder(embed.directory(var), threads=1).query
    except KnowledgeError as error:
        log.warning("%s", error.message)
        return None


@asynccontextmanager
async def opened(
    settings: Settings, collections: Iterable[str], *, embed_query: Embed | None = None
) -> AsyncIterator[Retriever]:
    """Open these collections, warmed up. `embed_query` takes the place of the model."""
    knowledge = settings.knowledge
    named = tuple(dict.fromkeys(collections))
    retriever = Retriever(settings.var, knowledge.threads, knowledge.waiting, embed_query, named)
    try:
        await retriever.reload()
        await retriever.warm()
        yield retriever
    finally:
        await asyncio.to_thread(retriever.close)
