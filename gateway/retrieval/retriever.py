"""The async face of retrieval: a search within its budget, off the event loop, and never an exception.

Searches run in a few threads, since the libraries release the GIL. There is no line of doomed work: where all
threads are taken and enough searches wait, and where the budget is spent, the lexical list alone answers,
which takes 0.1 ms.
"""

import asyncio
import logging
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

log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class Serving:
    """A version that is served, and how many searches are in it."""

    contents: contents.Contents
    lock: TextIO
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
        if problems:
            log.warning("collection %s: an older version, %s, is served: %s", collection, name, "; ".join(problems))
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
    _busy: int = 0
    """Searches that run or wait."""

    def __post_init__(self) -> None:
        self._pool = ThreadPoolExecutor(self.threads, thread_name_prefix="retrieval")

    @property
    def missing(self) -> list[str]:
        """What should be there and is not: `embeddings`, `knowledge:{collection}`. For readiness."""
        absent = [f"knowledge:{name}" for name in self.collections if name not in self._serving]
        return ["embeddings", *absent] if self.collections and not self.embed_query else absent

    @property
    def served(self) -> dict[str, str]:
        """The name of the version that is searched, by collection."""
        return {name: one.contents.version.name for name, one in self._serving.items()}

    async def retrieve(self, collections: Sequence[str], query: Query, retrieval: Retrieval) -> Retrieved:
        """A `types.Retrieve`."""
        if not collections or not query.question.strip():
            return Retrieved()
        found = [self._serving[name] for name in dict.fromkeys(collections) if name in self._serving]
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
        partly = len(found) < len(set(collections))
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
        if collections is not None:
            self.collections = tuple(dict.fromkeys(collections))
        wanted = self.collections and not self.embed_query
        model = asyncio.create_task(asyncio.to_thread(_embedder, self.var)) if wanted else None
        for name in self.collections:
            now = self._serving.get(name)
            if now and versions.shelf(self.var, name).current() == now.contents.version.name:
                continue
            try:
                self._serving[name] = await asyncio.to_thread(opened_version, self.var, name)
            except KnowledgeError as error:
                log.warning("collection %s: %s", name, error.message)
            else:
                self._retire(now)
        for name in set(self._serving) - set(self.collections):
            self._retire(self._serving.pop(name))
        if model:
            self.embed_query = await model

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
