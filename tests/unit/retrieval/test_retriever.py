"""The async face: budgets, queues, reloading, and never an exception."""

import asyncio
import logging
import shutil
import time
from pathlib import Path

import pytest

from gateway.retrieval import retriever, versions
from gateway.retrieval.embed import Vectors
from gateway.settings import Knowledge, Settings
from gateway.types import Query, Retrieval
from tests.knowledge import LIGHTHOUSE, HashedModel, built, hashed

PUFFINS = Query("When do puffins nest?")
NEST = "lighthouse/birds.md#1"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("retriever")
    built(made, "lighthouse", LIGHTHOUSE)
    return made


def settings(root: Path, threads: int = 2, waiting: int = 4) -> Settings:
    return Settings(var=root / "var", knowledge=Knowledge(threads=threads, waiting=waiting))


async def test_search_brings_passages(root: Path) -> None:
    """An open collection is searched by vectors and words; nothing is missing."""
    async with retriever.opened(settings(root), ["lighthouse"], embed_query=HashedModel().query) as opened:
        found = await opened.retrieve(["lighthouse"], PUFFINS, Retrieval(top_k=2))
        assert opened.missing == []
    assert (found.outcome, found.reason, len(found.passages)) == ("hybrid", "", 2)
    assert found.passages[0].id == NEST


async def test_nothing_to_look_up(root: Path) -> None:
    """Without collections or a question there is no search."""
    async with retriever.opened(settings(root), ["lighthouse"], embed_query=HashedModel().query) as opened:
        assert (await opened.retrieve([], PUFFINS, Retrieval())).outcome == "skipped"
        assert (await opened.retrieve(["lighthouse"], Query("  "), Retrieval())).outcome == "skipped"


async def test_spent_budget_is_answered_by_words(root: Path) -> None:
    """A search that takes too long is left to itself:
    the lexical list serves at once, and its place stays taken."""
    slow = HashedModel()
    async with retriever.opened(settings(root, 1, 0), ["lighthouse"], embed_query=slow.query) as opened:
        slow.seconds = 0.4
        begun = time.perf_counter()
        found = await opened.retrieve(["lighthouse"], PUFFINS, Retrieval(budget_ms=50))
        taken = time.perf_counter() - begun
        assert (found.outcome, found.reason, found.passages[0].id) == ("lexical", "budget", NEST)
        assert found.passages[0].similarity is None
        assert 0.04 < taken < 0.3
        assert (await opened.retrieve(["lighthouse"], PUFFINS, Retrieval())).reason == "queue"
        await asyncio.sleep(0.6)
        slow.seconds = 0.0
        assert (await opened.retrieve(["lighthouse"], PUFFINS, Retrieval())).outcome == "hybrid"


async def test_full_queue_is_answered_by_words(root: Path) -> None:
    """One search runs, one waits, and every further one is served by the lexical list without waiting."""
    slow = HashedModel()
    async with retriever.opened(settings(root, 1, 1), ["lighthouse"], embed_query=slow.query) as opened:
        slow.seconds = 0.2
        some = Retrieval(budget_ms=5000)
        found = await asyncio.gather(*(opened.retrieve(["lighthouse"], PUFFINS, some) for _ in range(5)))
    assert [one.outcome for one in found] == ["hybrid", "hybrid", "lexical", "lexical", "lexical"]
    assert {one.reason for one in found[2:]} == {"queue"}
    assert {one.passages[0].id for one in found} == {NEST}


async def test_words_find_nothing_either(root: Path) -> None:
    """Where the vectors are not there in time and no word is shared, the outcome is `none`."""
    slow = HashedModel()
    async with retriever.opened(settings(root), ["lighthouse"], embed_query=slow.query) as opened:
        slow.seconds = 0.2
        found = await opened.retrieve(["lighthouse"], Query("zzz"), Retrieval(budget_ms=20))
    assert (found.outcome, found.reason, found.passages) == ("none", "budget", ())


async def test_cancelled_caller_frees_what_was_not_begun(root: Path) -> None:
    """A caller that hangs up while its search waits gives its place back, and the search never runs."""
    slow = HashedModel()
    async with retriever.opened(settings(root, 1, 1), ["lighthouse"], embed_query=slow.query) as opened:
        slow.seconds = 0.3
        some = Retrieval(budget_ms=5000)
        running = asyncio.create_task(opened.retrieve(["lighthouse"], PUFFINS, some))
        waiting = asyncio.create_task(opened.retrieve(["lighthouse"], Query("Who hung up?"), some))
        await asyncio.sleep(0.05)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await asyncio.sleep(0)
        third = await opened.retrieve(["lighthouse"], PUFFINS, some)
        assert (third.outcome, (await running).outcome) == ("hybrid", "hybrid")
    assert "Who hung up?" not in slow.embedded


async def test_missing_collection_is_said(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A collection that was never ingested is missing, searches of it find none, and the others are
    searched."""
    names = ["lighthouse", "tower"]
    async with retriever.opened(settings(root), names, embed_query=HashedModel().query) as opened:
        assert opened.missing == ["knowledge:tower"]
        alone = await opened.retrieve(["tower"], PUFFINS, Retrieval())
        both = await opened.retrieve(names, PUFFINS, Retrieval())
    assert (alone.outcome, alone.reason) == ("none", "unavailable")
    assert (both.outcome, both.reason, both.passages[0].id) == ("hybrid", "unavailable", NEST)
    assert "run `gateway ingest`" in caplog.text


async def test_missing_model_leaves_the_words(root: Path) -> None:
    """Where the model was never converted the lexical list serves, and readiness says so."""
    async with retriever.opened(settings(root), ["lighthouse"]) as opened:
        assert opened.missing == ["embeddings"]
        found = await opened.retrieve(["lighthouse"], PUFFINS, Retrieval())
    assert (found.outcome, found.reason, found.passages[0].id) == ("lexical", "unavailable", NEST)


async def test_failing_library_never_fails_a_turn(root: Path) -> None:
    """Whatever is thrown in a thread, even what is no Exception, the lexical list serves."""
    fails = [False]

    class Panic(BaseException):
        """What a Rust library throws."""

    def query(text: str) -> Vectors:
        if fails[0]:
            raise Panic("boom")
        return hashed(text)[None]

    async with retriever.opened(settings(root), ["lighthouse"], embed_query=query) as opened:
        fails[0] = True
        found = await opened.retrieve(["lighthouse"], PUFFINS, Retrieval())
        assert (found.outcome, found.reason, found.passages[0].id) == ("lexical", "unavailable", NEST)
        fails[0] = False
        assert (await opened.retrieve(["lighthouse"], PUFFINS, Retrieval())).outcome == "hybrid"


async def test_reload_serves_the_new_version(tmp_path: Path) -> None:
    """After a reload the new version is served; a search that runs ends in the one that it began in."""
    slow = HashedModel()
    built(tmp_path, "lighthouse", LIGHTHOUSE)
    async with retriever.opened(settings(tmp_path), ["lighthouse"], embed_query=slow.query) as opened:
        built(tmp_path, "lighthouse", LIGHTHOUSE | {"birds.md": "# Puffins\n\nPuffins nest in May.\n"})
        before = await opened.retrieve(["lighthouse"], PUFFINS, Retrieval())
        assert before.passages[0].text == "Puffins nest in June."
        slow.seconds = 0.3
        running = asyncio.create_task(opened.retrieve(["lighthouse"], PUFFINS, Retrieval(budget_ms=5000)))
        await asyncio.sleep(0.05)
        await opened.reload()
        slow.seconds = 0.0
        after = await opened.retrieve(["lighthouse"], PUFFINS, Retrieval())
        assert after.passages[0].text == "Puffins nest in May."
        assert (await running).passages[0].text == "Puffins nest in June."
        assert (await running).outcome == "hybrid"
        await opened.reload([])
        assert (await opened.retrieve(["lighthouse"], PUFFINS, Retrieval())).outcome == "none"


async def test_damaged_version_falls_back(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A current version whose index is damaged is not opened:
    the one before it serves, the log and readiness say so, and it is over when the pointer says that one."""
    shelf = built(tmp_path, "lighthouse", LIGHTHOUSE)
    first = shelf.current()
    built(tmp_path, "lighthouse", LIGHTHOUSE | {"birds.md": "# Puffins\n\nPuffins nest in May.\n"})
    graph = next((shelf.path / shelf.current() / "chroma").glob("*/data_level0.bin"))
    graph.write_bytes(graph.read_bytes()[:100])
    with caplog.at_level(logging.WARNING):
        async with retriever.opened(settings(tmp_path), ["lighthouse"], embed_query=HashedModel().query) as opened:
            found = await opened.retrieve(["lighthouse"], PUFFINS, Retrieval())
            assert opened.missing == ["knowledge:lighthouse:current"]
            version, problem = opened.served("lighthouse")
            assert version == first and shelf.current() in problem
            shelf.point(first)
            await opened.reload()
            assert (opened.missing, opened.served("lighthouse")) == ([], (first, ""))
            shelf.point(shelf.sealed()[0])
    assert found.passages[0].text == "Puffins nest in June."
    assert f"an older version, {first}, is served" in caplog.text
    shutil.rmtree(shelf.path / first)
    async with retriever.opened(settings(tmp_path), ["lighthouse"], embed_query=HashedModel().query) as opened:
        assert opened.missing == ["knowledge:lighthouse"]


@pytest.mark.parametrize(
    ("written", "instead", "said"),
    [
        (f'"{versions.MODEL}"', '"other-model"', "was made with other-model"),
        (f'"form": {versions.FORM}', '"form": 0', "was made by another release"),
        ('"passages": 5', '"passages": 6', "its description says 6"),
    ],
)
async def test_version_of_another_kind_is_refused(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, written: str, instead: str, said: str
) -> None:
    """Vectors of another model are never compared with ours, and another release's files are not misread."""
    shelf = built(tmp_path, "lighthouse", LIGHTHOUSE)
    described = shelf.path / shelf.current() / versions.DESCRIPTION
    assert written in described.read_text()
    described.write_text(described.read_text().replace(written, instead))
    async with retriever.opened(settings(tmp_path), ["lighthouse"], embed_query=HashedModel().query) as opened:
        assert opened.missing == ["knowledge:lighthouse"]
    assert said in caplog.text


async def test_without_collections_nothing_is_missing(root: Path) -> None:
    """Where no agent has knowledge there is no model to open or to miss; a later reload opens it."""
    async with retriever.opened(settings(root), []) as opened:
        assert opened.missing == []
        await opened.reload(["lighthouse"])
        assert opened.missing == ["embeddings"]
        found = await opened.retrieve(["lighthouse"], PUFFINS, Retrieval())
        assert (found.outcome, found.reason) == ("lexical", "unavailable")


async def test_a_hangup_that_meets_the_end_of_a_search_is_not_lost(root: Path) -> None:
    """A cancellation in the very tick in which the search ends cancels: `asyncio.wait_for` of Python 3.11 did not."""
    slow = HashedModel()
    async with retriever.opened(settings(root), ["lighthouse"], embed_query=slow.query) as opened:
        slow.seconds = 0.05
        search = asyncio.create_task(opened.retrieve(["lighthouse"], PUFFINS, Retrieval(budget_ms=5000)))
        await asyncio.sleep(0.01)
        time.sleep(0.2)  # noqa: ASYNC251 the loop stands still while the thread ends
        asyncio.get_running_loop().call_soon(search.cancel)
        with pytest.raises(asyncio.CancelledError):
            await search
