"""Knowledge on a Chroma server: what many gateways without a shared disk read, write and survive."""

import asyncio
import base64
import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.checks import knowledge as checks
from gateway.errors import ChromaUnavailable, Fault, KnowledgeError
from gateway.retrieval import build, evaluate, ingest, retriever, versions
from gateway.retrieval.ingest import Done
from gateway.retrieval.library import Library, opened
from gateway.retrieval.remote import TABLE, Remote
from gateway.retrieval.retriever import Retriever
from gateway.retrieval.server import Row, Server
from gateway.settings import Settings
from gateway.types import Agent, Query, Retrieval, Retrieved
from tests.chromas import Chroma, chroma
from tests.knowledge import LIGHTHOUSE, ROOT, HashedModel, built, hashed, job, tried, write
from tests.serving import serve

PUFFINS = Query("When do puffins nest?")
NEST = "lighthouse/birds.md#1"
MAY = LIGHTHOUSE | {"birds.md": "# Birds\n\n## Puffins\n\nPuffins nest in May.\n"}

BLANK = {"source": "", "title": "", "place": ""}
"""What a row had before stays where it is not written over."""
READ = """
import json, sys, chromadb
client = chromadb.HttpClient("127.0.0.1", int(sys.argv[1]))
held = client.get_collection(sys.argv[2], embedding_function=None)
found = held.query(query_embeddings=[json.loads(sys.argv[3])], n_results=1, include=["documents", "metadatas"])
names = [one.name for one in client.list_collections()]
print(json.dumps([names, held.metadata, found]))
"""
"""What a program does that knows nothing of us. It never closes its connections, so it is one of its own."""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chroma]:
    with chroma(tmp_path_factory.mktemp("chroma")) as server:
        yield server


@pytest.fixture
def server(running: Chroma) -> Chroma:
    """The server, with nothing on it."""
    asking = Server(running.url)
    for held in list(asking.collections()):
        asking.remove(held.name)
    asking.close()
    return running


@pytest.fixture
def library(server: Chroma, tmp_path: Path) -> Iterator[Library]:
    """What a third machine has of the server."""
    with opened(tmp_path / "third", server.url) as found:
        yield found


@asynccontextmanager
async def serving(server: Chroma, var: Path, every: float = 0.1) -> AsyncIterator[Retriever]:
    """A gateway's searches, which look at the pointers ten times a second."""
    settings = Settings(var=var, chroma_url=server.url)
    async with retriever.opened(settings, ["lighthouse"], embed_query=HashedModel().query, every=every) as found:
        yield found


async def asked(searches: Retriever, budget_ms: int = 2000) -> Retrieved:
    return await searches.retrieve(["lighthouse"], PUFFINS, Retrieval(budget_ms=budget_ms))


async def becomes(searches: Retriever, missing: list[str]) -> None:
    deadline = time.monotonic() + 10
    while searches.missing != missing:
        assert time.monotonic() < deadline, searches.missing
        await asyncio.sleep(0.02)


async def serves(searches: Retriever, version: str) -> None:
    deadline = time.monotonic() + 10
    while searches.served("lighthouse") != (version, ""):
        assert time.monotonic() < deadline, searches.served("lighthouse")
        await asyncio.sleep(0.02)


def events(root: Path, server: Chroma) -> list[ingest.Event]:
    found: list[ingest.Event] = []
    build.build(job(root, "lighthouse", url=server.url), HashedModel().passage, found.append, tried)
    return found


def ingested(root: Path, files: Mapping[str, str | bytes], server: Chroma) -> str:
    """The version that these files are on the server, ingested with what lies in `root`."""
    write(root / "knowledge" / "lighthouse", files)
    done = events(root, server)[-1]
    assert isinstance(done, Done), done
    return done.version


def damaged(server: Chroma, version: str) -> None:
    """Some of a version's rows are lost."""
    asking = Server(server.url)
    held = asking.collection(f"lighthouse-{version}")
    assert held is not None
    asking.erase(held.id, "0", "source", "birds.md")
    asking.erase(held.id, "2", "source", "lamp.md")
    asking.close()


async def test_every_question_is_answered_as_from_a_disk(server: Chroma, tmp_path: Path) -> None:
    """Another machine with an empty disk finds the same passages with the same scores, and says the same sentences."""
    source = ROOT / "knowledge" / "lighthouse"
    files = {path.relative_to(source).as_posix(): path.read_bytes() for path in source.rglob("*") if path.is_file()}
    built(tmp_path / "disk", "lighthouse", files)
    ingested(tmp_path / "here", files, server)
    questions = evaluate.golden(ROOT / "tests" / "golden")["lighthouse"]
    some = Retrieval(budget_ms=5000)
    disk = Settings(var=tmp_path / "disk" / "var")
    async with (
        retriever.opened(disk, ["lighthouse"], embed_query=HashedModel().query) as embedded,
        serving(server, tmp_path / "there") as remote,
    ):
        for question in questions:
            expected = await embedded.retrieve(["lighthouse"], question.query, some)
            found = await remote.retrieve(["lighthouse"], question.query, some)
            assert (found.outcome, found.reason) == ("hybrid", "")
            assert [one.id for one in found.passages] == [one.id for one in expected.passages]
            for one, other in zip(found.passages, expected.passages, strict=True):
                assert one.score == pytest.approx(other.score, abs=1e-6)
                assert one.similarity == pytest.approx(other.similarity, abs=1e-5)
                assert [said.text for said in one.sentences] == [said.text for said in other.sentences]
    assert len(questions) > 20


def test_chromas_own_client_reads_what_is_there(server: Chroma, tmp_path: Path) -> None:
    """A version is a collection like any other: documents, metadata, our vectors and our model's name."""
    version = ingested(tmp_path, LIGHTHOUSE, server)
    vector = hashed("Birds > Puffins: Puffins nest in June.").tolist()
    ran = subprocess.run(
        [sys.executable, "-c", READ, str(server.port), f"lighthouse-{version}", json.dumps(vector)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    names, metadata, found = json.loads(ran.stdout)
    assert sorted(names) == [TABLE, f"lighthouse-{version}"]
    assert (metadata["model"], metadata["dimension"], metadata["rows"]) == (versions.MODEL, versions.DIMENSION, 5)
    assert found["documents"] == [["Puffins nest in June."]]
    [[said]] = found["metadatas"]
    assert (said["id"], said["source"], said["title"]) == (NEST, "birds.md", "Birds > Puffins")


async def test_another_gateway_serves_it_within_a_look(server: Chroma, tmp_path: Path) -> None:
    """What one machine ingests another serves without a restart, and what a third one rolls back."""
    async with serving(server, tmp_path / "there") as searches:
        assert searches.missing == ["knowledge:lighthouse"]
        first = ingested(tmp_path / "here", LIGHTHOUSE, server)
        await serves(searches, first)
        assert (await asked(searches)).passages[0].text == "Puffins nest in June."
        second = ingested(tmp_path / "here", MAY, server)
        await serves(searches, second)
        assert (await asked(searches)).passages[0].text == "Puffins nest in May."
        with opened(tmp_path / "third", server.url) as library:
            assert ingest.rollback(library.shelf("lighthouse")) == first
        await serves(searches, first)
        assert (await asked(searches)).passages[0].text == "Puffins nest in June."
        assert searches.missing == []


async def test_a_server_that_is_away_leaves_the_words(
    server: Chroma, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Each search is answered by words at once, the log has a line and no stack, and vectors are back by themselves."""
    version = ingested(tmp_path, LIGHTHOUSE, server)
    async with serving(server, tmp_path / "there") as searches:
        with caplog.at_level(logging.WARNING):
            server.kill()
            for _ in range(20):
                began = time.perf_counter()
                found = await asked(searches)
                assert time.perf_counter() - began < 0.15
                assert (found.outcome, found.reason, found.passages[0].id) == ("lexical", "unavailable", NEST)
            assert searches.missing == ["chroma"]
            server.start()
            await becomes(searches, [])
            assert (await asked(searches)).outcome == "hybrid"
        assert searches.served("lighthouse") == (version, "")
    said = [record.message for record in caplog.records if record.name.startswith("gateway")]
    assert [line.rpartition(": ")[2] for line in said] == [
        "see that it runs and CHROMA_URL leads to it; until then what is known is searched by words alone",
        "the server answers",
    ]
    assert not [record for record in caplog.records if record.exc_info]


async def test_a_server_that_hangs_costs_the_budget_and_no_more(server: Chroma, tmp_path: Path) -> None:
    """A turn waits for its budget; once a search was given up nothing is asked any more until the server answers."""
    ingested(tmp_path, LIGHTHOUSE, server)
    async with serving(server, tmp_path / "there") as searches:
        server.hold()
        try:
            began = time.perf_counter()
            found = await asked(searches, 150)
            assert 0.1 < time.perf_counter() - began < 0.4
            assert (found.outcome, found.reason, found.passages[0].id) == ("lexical", "budget", NEST)
            await becomes(searches, ["chroma"])
            began = time.perf_counter()
            assert {(await asked(searches, 150)).reason for _ in range(20)} == {"unavailable"}
            assert time.perf_counter() - began < 0.4
        finally:
            server.release()
        await becomes(searches, [])
        assert (await asked(searches)).outcome == "hybrid"


async def test_a_start_while_it_is_away_serves_what_was_read_before(server: Chroma, tmp_path: Path) -> None:
    """A gateway that served it once answers by words, one that never did has nothing; both search when it is back."""
    version = ingested(tmp_path, LIGHTHOUSE, server)
    async with serving(server, tmp_path / "there"):
        pass
    server.kill()
    async with serving(server, tmp_path / "there") as before, serving(server, tmp_path / "new") as new:
        assert (await asked(before)).passages[0].id == NEST
        assert (await asked(new)).outcome == "none"
        assert (before.missing, new.missing) == (["chroma"], ["chroma", "knowledge:lighthouse"])
        server.start()
        await serves(before, version)
        await serves(new, version)
        assert {(await asked(one)).outcome for one in (before, new)} == {"hybrid"}


def test_what_is_up_to_date_is_not_built_again(server: Chroma, tmp_path: Path) -> None:
    """Another machine builds nothing of the same files: the older version of exactly these is current again."""
    first = ingested(tmp_path, LIGHTHOUSE, server)
    ingested(tmp_path, MAY, server)
    write(tmp_path / "other" / "knowledge" / "lighthouse", LIGHTHOUSE)
    [done] = ingest.ingest(job(tmp_path / "other", url=server.url))
    assert isinstance(done, Done)
    assert (done.built, done.version, done.files, done.passages) == (False, first, 3, 5)


def test_versions_beyond_those_kept_are_deleted_on_the_server(server: Chroma, library: Library, tmp_path: Path) -> None:
    """The newest three stay, and the table of pointers."""
    for edition in range(5):
        ingested(tmp_path, LIGHTHOUSE | {"log.txt": f"Edition {edition}.\n"}, server)
    shelf = library.shelf("lighthouse")
    assert (len(shelf.sealed()), shelf.sealed()[0]) == (versions.KEPT, shelf.current())
    assert library.names() == ["lighthouse"]
    asking = Server(server.url)
    assert sum(1 for _ in asking.collections()) == versions.KEPT + 1
    asking.close()


def test_one_ingests_at_a_time(server: Chroma, library: Library, tmp_path: Path) -> None:
    """While one machine writes another is refused and told who it is; afterwards it may."""
    shelf = library.shelf("lighthouse")
    write(tmp_path / "knowledge" / "lighthouse", LIGHTHOUSE)
    with shelf.written():
        [fault] = events(tmp_path, server)
        assert isinstance(fault, Fault)
        assert f"another process (pid {os.getpid()} on " in fault.problem
    assert isinstance(events(tmp_path, server)[-1], Done)
    with shelf.written():
        pass


@pytest.mark.parametrize(
    ("claim", "silent", "taken"),
    [
        ({"host": "elsewhere", "pid": 1}, 10.0, False),
        ({"host": "elsewhere", "pid": 1}, 50.0, True),
        ({"host": os.uname().nodename, "pid": 2**22 + 1}, 10.0, True),
    ],
)
def test_what_a_crash_left_is_in_nobodys_way(
    server: Chroma, tmp_path: Path, claim: dict[str, str | int], silent: float, taken: bool
) -> None:
    """A claim counts until its process ended, or was silent too long; then its half-made version is swept."""
    current = ingested(tmp_path, LIGHTHOUSE, server)
    asking = Server(server.url)
    table = asking.create(TABLE, None, {}, anew=False).id
    asking.add(table, [Row("lighthouse/claim", metadata={"token": "dead", "seen": asking.clock() - silent, **claim})])
    asking.create(f"lighthouse-{current[:-1]}0.building", None, {})
    write(tmp_path / "knowledge" / "lighthouse", MAY)
    done = events(tmp_path, server)[-1]
    assert isinstance(done, Done) is taken
    left = [held.name for held in asking.collections() if held.name.endswith(".building")]
    asking.close()
    assert bool(left) is not taken
    with opened(tmp_path / "third", server.url) as library:
        assert (library.shelf("lighthouse").current() == current) is not taken


def test_a_version_that_was_taken_away_is_not_served(server: Chroma, library: Library, tmp_path: Path) -> None:
    """Whoever slept through its claim finds its half-made version deleted, and points at nothing."""
    current = ingested(tmp_path, LIGHTHOUSE, server)
    shelf = library.shelf("lighthouse")
    with shelf.written():
        building = shelf.begin()
        shelf.sweep()
        with pytest.raises(KnowledgeError, match="has no collection"):
            shelf.seal(building)
    assert shelf.current() == current


async def test_a_damaged_version_is_not_served(server: Chroma, tmp_path: Path) -> None:
    """Where rows are lost the version before it is served and says why; the next ingest builds it again."""
    first = ingested(tmp_path / "here", LIGHTHOUSE, server)
    second = ingested(tmp_path / "here", MAY, server)
    damaged(server, second)
    async with serving(server, tmp_path / "there") as searches:
        version, problem = searches.served("lighthouse")
        assert (version, searches.missing) == (first, ["knowledge:lighthouse:current"])
        assert f"{second}: 2 of its vectors are not on the server any more" in problem
        with opened(tmp_path / "third", server.url) as library, pytest.raises(KnowledgeError, match="cannot be served"):
            ingest.rollback(library.shelf("lighthouse"), second)
        [finding] = [
            one
            for one in await checks.looked(
                Settings(var=tmp_path / "there", chroma_url=server.url),
                {"nora": Agent("nora", "", collections=("lighthouse",))},
            )
            if one.what == "knowledge lighthouse"
        ]
        assert (finding.level, finding.remedy) == ("warning", "gateway ingest lighthouse")
        done = events(tmp_path / "here", server)[-1]
        assert isinstance(done, Done)
        await serves(searches, done.version)


LAMP: list[float] = hashed("lamp").tolist()
ODD = [
    Row("0", LAMP, "The lamp.", {"id": "lighthouse/lamp.md#1"}),
    Row("0", LAMP, "The lamp.", {"id": "a", "source": "b", "title": "c", "place": "first"}),
    Row("0", LAMP, "", {"id": "a", "source": "b", "title": "c", "place": 0, "sentences": "%"}),
    Row("0", LAMP, "", {"id": "a", "source": "b", "title": "c", "place": 0, "sentences": "AAAA"}),
    Row("0", LAMP, "", {"id": "a", "source": "b", "title": "c", "place": 0, "sentences": ""}),
    Row("0", LAMP, "", {"id": "a", "source": "b", "title": "c", "place": 99}),
]


@pytest.mark.parametrize("odd", ODD, ids=["bare", "misplaced", "unreadable", "short", "empty", "far"])
async def test_rows_that_no_gateway_wrote_are_an_error_and_no_more(server: Chroma, tmp_path: Path, odd: Row) -> None:
    """A version with such a row opens nowhere and ends nothing: the version before it is served."""
    first = ingested(tmp_path / "here", LIGHTHOUSE, server)
    second = ingested(tmp_path / "here", MAY, server)
    asking = Server(server.url)
    held = asking.collection(f"lighthouse-{second}")
    assert held is not None
    asking.add(held.id, [replace(odd, metadata={**BLANK, **(odd.metadata or {})})], over=True)
    asking.close()
    async with serving(server, tmp_path / "there") as searches:
        version, problem = searches.served("lighthouse")
        assert version == first
        assert f"{second}: lighthouse-{second} on the server is not what a gateway writes" in problem
        assert (await asked(searches)).outcome == "hybrid"


async def test_a_version_that_is_damaged_while_it_is_served_is_left(
    server: Chroma, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The first search that fails has it tried: the one before it is served, and whoever asked had an answer."""
    first = ingested(tmp_path / "here", LIGHTHOUSE, server)
    second = ingested(tmp_path / "here", MAY, server)
    async with serving(server, tmp_path / "there") as searches:
        assert searches.served("lighthouse") == (second, "")
        asking = Server(server.url)
        asking.remove(f"lighthouse-{second}")
        asking.close()
        for _ in range(20):
            found = await asked(searches)
            assert found.passages[0].id == NEST
        await becomes(searches, ["knowledge:lighthouse:current"])
        assert searches.served("lighthouse")[0] == first
        assert (await asked(searches)).outcome == "hybrid"
    assert caplog.text.count("search failed") <= 1


async def test_a_server_that_lost_everything_leaves_the_words_until_the_next_ingest(
    server: Chroma, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Turns are answered by words, the log says so once, and what is ingested anew is served by itself."""
    ingested(tmp_path / "here", LIGHTHOUSE, server)
    async with serving(server, tmp_path / "there") as searches:
        asking = Server(server.url)
        for held in list(asking.collections()):
            asking.remove(held.name)
        asking.close()
        await becomes(searches, ["knowledge:lighthouse:current"])
        for _ in range(20):
            found = await asked(searches)
            assert (found.outcome, found.reason, found.passages[0].id) == ("lexical", "unavailable", NEST)
        again = ingested(tmp_path / "here", LIGHTHOUSE, server)
        await serves(searches, again)
        assert (await asked(searches)).outcome == "hybrid"
    assert caplog.text.count("search failed") == 1
    assert caplog.text.count("there is no version of it: run `gateway ingest`") == 1


def test_vectors_that_are_not_found_refuse_the_version(server: Chroma, tmp_path: Path) -> None:
    """A version of another model's vectors never becomes one, and nothing of it stays on the server."""
    write(tmp_path / "knowledge" / "lighthouse", LIGHTHOUSE)
    found: list[ingest.Event] = []
    build.build(job(tmp_path, "lighthouse", url=server.url), HashedModel(dimension=256).passage, found.append)
    [fault] = found
    assert isinstance(fault, Fault)
    assert "not of 384 numbers" in fault.problem
    with opened(tmp_path / "third", server.url) as library:
        assert (library.names(), library.shelf("lighthouse").current()) == ([], "")


async def test_a_version_of_another_model_is_refused(
    server: Chroma, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Vectors of another model are never compared with ours."""
    asking = Server(server.url)
    name = "20260101T000000000000"
    described = f'{{"name": "{name}", "collection": "lighthouse", "model": "other-model", "dimension": 384, "form": 1, '
    described += '"characters": 800, "language": "", "files": {}, "passages": 0, "created": ""}'
    asking.create(f"lighthouse-{name}", {"version": described, "rows": 0}, {})
    table = asking.create(TABLE, None, {}, anew=False).id
    asking.add(table, [Row("lighthouse", metadata={"version": name})])
    asking.close()
    async with serving(server, tmp_path / "there") as searches:
        assert searches.missing == ["knowledge:lighthouse"]
    assert "was made with other-model" in caplog.text


@asynccontextmanager
async def guarded(server: Chroma) -> AsyncIterator[str]:
    """The server behind a proxy that asks for a user and a password, below a path."""
    wanted = "Basic " + base64.b64encode(b"nora:s/cret").decode()

    async def passed(request: Request) -> Response:
        if request.headers.get("authorization") != wanted:
            return Response("who are you?", 401)
        path = request.url.path.removeprefix("/vectors")
        async with httpx.AsyncClient(base_url=server.url, trust_env=False) as http:
            answer = await http.request(
                request.method,
                f"{path}?{request.url.query}",
                content=await request.body(),
                headers={"content-type": "application/json"},
            )
        return Response(answer.content, answer.status_code, media_type="application/json")

    app = Starlette(routes=[Route("/vectors/{path:path}", passed, methods=["GET", "POST", "PUT", "DELETE"])])
    async with serve(app) as url:
        yield url


async def test_user_password_and_path_of_the_url_are_used(server: Chroma, tmp_path: Path) -> None:
    """The right ones open the server, wrong ones are said without being shown, in `gateway check` too."""
    ingested(tmp_path / "here", LIGHTHOUSE, server)
    agents = {"nora": Agent("nora", "", collections=("lighthouse",))}
    async with guarded(server) as url:
        right = url.replace("http://", "http://nora:s%2Fcret@") + "/vectors"
        wrong = url.replace("http://", "http://nora:guessed@") + "/vectors"
        settings = Settings(var=tmp_path / "there", chroma_url=right)
        async with retriever.opened(settings, ["lighthouse"], embed_query=HashedModel().query) as searches:
            assert ((await asked(searches)).outcome, searches.missing) == ("hybrid", [])
        found = await checks.looked(replace(settings, chroma_url=wrong), agents)
        [finding] = [one for one in found if one.what == "knowledge lighthouse"]
        assert finding.level == "fault"
        assert "refused us (401)" in finding.says
        assert finding.remedy == "put its user and password into CHROMA_URL"
        with opened(tmp_path / "there", wrong) as library, pytest.raises(ChromaUnavailable) as refused:
            await asyncio.to_thread(library.names)
        assert "guessed" not in f"{refused.value.message}{library!r}"
        with opened(tmp_path / "there", url) as library, pytest.raises(ChromaUnavailable, match="as no Chroma does"):
            await asyncio.to_thread(library.names)


def test_a_server_that_is_not_there_is_said(tmp_path: Path) -> None:
    """An ingest fails at once, says where it looked and what to do, and leaves nothing."""
    write(tmp_path / "knowledge" / "lighthouse", LIGHTHOUSE)
    [fault] = ingest.ingest(job(tmp_path, url="http://127.0.0.1:1"))
    assert isinstance(fault, Fault)
    assert "the Chroma server at 127.0.0.1:1 does not answer" in fault.problem
    assert "see that it runs and CHROMA_URL leads to it" in fault.problem


def test_the_library_is_picked_by_the_url(tmp_path: Path) -> None:
    """With a server's URL versions are there, without one on this disk."""
    with opened(tmp_path) as disk, opened(tmp_path, "http://127.0.0.1:1") as remote:
        assert (disk.shared, disk.names(), disk.pointers(["lighthouse"])) == (False, [], {})
        assert isinstance(remote, Remote)
        assert remote.shared
