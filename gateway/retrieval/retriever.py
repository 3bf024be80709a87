"""The async face of retrieval: a search within its budget, off the event loop, and never an exception.

Searches run in a few threads, since the libraries release the GIL. There is no line of doomed work: where all
threads are taken and enough searches wait, and where the budget is spent, the lexical list alone answers,
which takes 0.1 ms.
"""

import asyncio
import itertools
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from gateway.errors import ChromaUnavailable, KnowledgeError
from gateway.retrieval import contents, embed, search
from gateway.retrieval.embed import Embed
from gateway.retrieval.library import Library, Shelf, library
from gateway.retrieval.noticing import Noticing
from gateway.retrieval.opening import Serving, opened_version
from gateway.settings import Settings
from gateway.types import Passage, Query, Retrieval, Retrieved
from gateway.types.knowledge import Looked

log = logging.getLogger(__name__)

EVERY = 5.0
"""Seconds between two looks at a server's pointers."""
AGAIN = 12


@dataclass(eq=False)
class Retriever:
    """Searches the collections that are open.
    Made by `opened`; all but the searches themselves runs on the loop."""

    library: Library
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
    _pointers: Mapping[str, str] | None = None
    """What a library that others write had current when it was looked at last; None: what it has is to be served."""

    def __post_init__(self) -> None:
        self._notices = Noticing(self.library)
        self._pool = ThreadPoolExecutor(self.threads, thread_name_prefix="retrieval")
        self._reloading = asyncio.Lock()

    @property
    def missing(self) -> list[str]:
        """What should be there and is not. For readiness.

        `embeddings`: the model; `knowledge:{collection}`: the whole of it; `knowledge:{collection}:current`: its
        current version, in whose place an older one is served; `chroma`: the server that has the vectors.
        """
        absent = ["embeddings"] if self.collections and not self.embed_query else []
        absent += ["chroma"] if self.collections and self.library.away else []
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
            self.embed_query = await asyncio.to_thread(embed.questioned, self.var, made=self.library.shared)
        opened = None if serving else await asyncio.to_thread(opened_version, self.library.shelf(collection))
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
        if not found or self.embed_query is None or self.library.away:
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
            self._notices.failed(error.message)
            for one in found:
                one.doubted = not self.library.away
            return self._lexical(found, query, retrieval, "unavailable")
        return Retrieved(passages, "hybrid", "unavailable" if partly else "")

    def _search(self, found: Sequence[contents.Contents], query: Query, retrieval: Retrieval) -> tuple[Passage, ...]:
        """In a thread.
        Whatever a native library throws (a Rust panic is no Exception) becomes a KnowledgeError."""
        assert self.embed_query is not None
        try:
            return search.search(found, query, retrieval, self.embed_query(search.texts(query, found)[0]))
        except KnowledgeError:
            raise
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
            opening = asyncio.to_thread(embed.questioned, self.var, made=self.library.shared) if wanted else None
            model = asyncio.create_task(opening) if opening else None
            for name in self.collections:
                await self._reopened(name)
            for name in set(self._serving) - set(self.collections):
                self._retire(self._serving.pop(name))
            if model:
                self.embed_query = await model

    async def _reopened(self, name: str) -> None:
        """Serve what the collection's pointer says. Where nothing can be opened, what is served stays."""
        now = self._serving.get(name)
        if now and self.library.away:
            return
        try:
            found = await asyncio.to_thread(_pointed, self.library.shelf(name), now)
        except ChromaUnavailable as error:
            self._notices.away()
            if now is None:
                self._refused[name] = error.message
        except KnowledgeError as error:
            self._notices.refused(name, error.message)
            self._refused[name] = error.message
            if now:
                now.problem, now.doubted = error.message, False
        else:
            if found is now:
                found.problem = ""
                return
            self._serving[name] = found
            self._retire(now)

    async def follow(self, every: float) -> None:
        """Serve what others make current, and find out when a server is back. Looks every so many seconds, for ever.

        What could not be opened is tried again at each twelfth look, and what a search failed in at the next one.
        """
        for look in itertools.count(1):
            await asyncio.sleep(every)
            before, away = self._pointers, self.library.away
            with suppress(KnowledgeError):  # what it is stands in `away`, or at the next look
                self._pointers = await asyncio.to_thread(self.library.pointers, self.collections)
            self._notices.away()
            again = look % AGAIN == 0 and any(self.served(name)[1] for name in self.collections)
            again |= any(one.doubted for one in self._serving.values())
            if not self.library.away and (away or again or self._pointers != before):
                await self._followed()

    async def _followed(self) -> None:
        served = {name: self.served(name)[0] for name in self.collections}
        try:
            await self.reload()
        except OSError as error:
            log.warning("what others made current cannot be served: %s", error)
            self._pointers = None
        for name in self.collections:
            if self.served(name)[0] != served.get(name, ""):
                log.info("collection %s: version %s is served now", name, self.served(name)[0])
        await self.warm()

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
        self.library.close()


def _pointed(shelf: Shelf, now: Serving | None) -> Serving:
    """In a thread. What the collection's pointer says: what is served now, or another version, opened."""
    if now and not now.doubted and shelf.current() == now.contents.version.name:
        return now
    return opened_version(shelf)


@asynccontextmanager
async def opened(
    settings: Settings, collections: Iterable[str], *, embed_query: Embed | None = None, every: float = EVERY
) -> AsyncIterator[Retriever]:
    """Open these collections, warmed up. `embed_query` takes the place of the model.

    What others make current on a shared server is served within `every` seconds.
    """
    knowledge = settings.knowledge
    named = tuple(dict.fromkeys(collections))
    shelves = library(settings.var, settings.chroma_url)
    retriever = Retriever(shelves, settings.var, knowledge.threads, knowledge.waiting, embed_query, named)
    following: asyncio.Task[None] | None = None
    try:
        await retriever.reload()
        await retriever.warm()
        following = asyncio.create_task(retriever.follow(every)) if shelves.shared else None
        yield retriever
    finally:
        if following:
            following.cancel()
            await asyncio.wait({following})
        await asyncio.to_thread(retriever.close)
