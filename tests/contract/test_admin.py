"""The admin API, as an operator's program meets it."""

import asyncio
import re
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import orjson
import pytest

from gateway.administration import read
from gateway.app import create_app
from gateway.retrieval import ingest, versions
from gateway.settings import Settings
from tests.administered import NORA, Administered, administered, quick, settings
from tests.knowledge import LIGHTHOUSE, built, write
from tests.serving import serve, sharing
from tests.upstream import Script, Upstream

MAY = LIGHTHOUSE | {"birds.md": "# Puffins\n\nPuffins nest in May.\n"}
PUFFINS = {"question": "When do puffins nest?", "top_k": 2}
KNOWLEDGE = "/admin/knowledge"


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two collections, of which an agent uses one."""
    root = tmp_path_factory.mktemp("library")
    built(root, "lighthouse", LIGHTHOUSE)
    built(root, "attic", {"box.md": "# Box\n\nThe box holds brass lamps.\n"})
    return root


@pytest.fixture
async def running(library: Path) -> AsyncIterator[Administered]:
    async with administered(library) as gateway:
        yield gateway


@pytest.fixture
async def fresh(tmp_path: Path) -> AsyncIterator[Administered]:
    """With a collection of its own, so that it may be changed."""
    built(tmp_path, "lighthouse", LIGHTHOUSE)
    async with administered(tmp_path) as gateway:
        yield gateway


async def ended(gateway: Administered, job: str) -> Any:
    """The job once it has ended."""
    async with asyncio.timeout(20):
        while True:
            now = await gateway.answer("GET", f"{KNOWLEDGE}/jobs/{job}")
            if now["state"] in ("done", "failed"):
                return now
            await asyncio.sleep(0.02)


async def fed(gateway: Administered, path: str, method: str = "POST") -> list[tuple[str, Any]]:
    """Every event of a feed, with its name."""
    headers = {"Accept": "text/event-stream"}
    async with gateway.http.stream(method, path, headers=headers) as answer:
        assert answer.status_code == 200, await answer.aread()
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["cache-control"] == "no-store"
        text = (await answer.aread()).decode()
    assert "\r" not in text
    events = [event.split("\n") for event in text.strip().split("\n\n") if not event.startswith(":")]
    return [(name.removeprefix("event: "), orjson.loads(data.removeprefix("data: "))) for name, data in events]


async def test_a_key_is_shown_once(running: Administered) -> None:
    """Its secret stands in the answer that made it, which nothing may keep, and nowhere after; a digest never."""
    asked = {"name": "phone", "agent": "nora", "rate": {"requests": 60, "streams": 2}, "expires_in": 3600}
    answer = await running.http.post("/admin/keys", json=asked)
    assert (answer.status_code, answer.headers["cache-control"]) == (201, "no-store")
    made = answer.json()
    assert made["secret"].startswith("gw_") and made["key"]["rate"] == {"requests": 60, "streams": 2}
    assert made["key"]["agent"] == "nora" and made["key"]["expires"] > 1_700_000_000
    listed = await running.http.get("/admin/keys")
    assert listed.headers["cache-control"] == "no-store"
    assert [one["key"]["id"] for one in listed.json()["keys"]] == [made["key"]["id"]]
    for text in (answer.text, listed.text):
        assert "digest" not in text and "d1d1" not in text
    assert made["secret"] not in listed.text


async def test_a_key_is_revoked_by_its_id(running: Administered) -> None:
    """Revoking says what the key was; an id that nobody has is a 404, one that could not be an id a 400."""
    id_ = (await running.answer("POST", "/admin/keys", status=201))["key"]["id"]
    assert (await running.answer("DELETE", f"/admin/keys/{id_}"))["revoked"] is not None
    error = (await running.answer("DELETE", "/admin/keys/000000000999", status=404))["error"]
    assert error["code"] == "not_found"
    error = (await running.answer("DELETE", "/admin/keys/a*b", status=400))["error"]
    assert (error["code"], error["param"]) == ("invalid_name", "key")


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        ({"scope": "root"}, "invalid_value", "scope"),
        ({"scope": 7}, "invalid_value", "scope"),
        ({"name": 7}, "invalid_type", "name"),
        ({"name": "x" * 101}, "invalid_value", "name"),
        ({"name": "a\nb"}, "invalid_value", "name"),
        ({"agent": "nobody"}, "invalid_value", "agent"),
        ({"agent": "../x"}, "invalid_value", "agent"),
        ({"agent": "nora", "scope": "admin"}, "invalid_value", "agent"),
        ({"rate": {"requests": -1}}, "invalid_value", "rate.requests"),
        ({"rate": {"requests": "60"}}, "invalid_type", "rate.requests"),
        ({"rate": {"requests": True}}, "invalid_type", "rate.requests"),
        ({"rate": {"tokens": 1}}, "invalid_value", "rate.tokens"),
        ({"rate": None}, "invalid_type", "rate"),
        ({"expires_in": 1}, "invalid_value", "expires_in"),
        ({"expires_in": 60.5}, "invalid_type", "expires_in"),
        ([], "invalid_type", None),
        (7, "invalid_type", None),
    ],
)
async def test_a_wrong_field_is_named(running: Administered, body: Any, code: str, param: str | None) -> None:
    """400 with the field's path, and nothing is made."""
    before = await running.answer("GET", "/admin/keys")
    error = (await running.answer("POST", "/admin/keys", body, 400))["error"]
    assert (error["code"], error["param"]) == (code, param), error
    assert await running.answer("GET", "/admin/keys") == before


async def test_every_fault_of_a_body_is_told_at_once(running: Administered) -> None:
    """The message names all of them, and the fields that there are."""
    body = {"top_k": 0, "floor": "high", "tenant": 1}
    error = (await running.answer("POST", f"{KNOWLEDGE}/lighthouse/search", body, 400))["error"]
    for said in ("`question` is missing", "`top_k`: ", "`floor`: ", "`tenant` is no field here", "`budget_ms`"):
        assert said in error["message"]


@pytest.mark.parametrize(
    ("content", "kind", "status", "code"),
    [
        (b"{", "application/json", 400, "invalid_json"),
        (b'{"name": "a", "name": "b"}', "application/json", 400, "invalid_json"),
        (b'{"name": NaN}', "application/json", 400, "invalid_json"),
        (b"[" * 100_000, "application/json", 400, "invalid_json"),
        (b'{"name": "' + b"x" * 2_000_000 + b'"}', "application/json", 413, "request_too_large"),
        (b"name=a", "application/x-www-form-urlencoded", 415, "unsupported_media_type"),
        (b"{}", "text/plain", 415, "unsupported_media_type"),
        (b"{}", "", 415, "unsupported_media_type"),
    ],
)
async def test_a_body_is_json_or_nothing(
    running: Administered, content: bytes, kind: str, status: int, code: str
) -> None:
    """JSON that says one thing, of a bounded size, and called JSON."""
    answer = await running.http.post("/admin/keys", content=content, headers={"content-type": kind} if kind else {})
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


async def test_a_body_without_fields_may_be_empty(running: Administered) -> None:
    """Nothing and `{}` are the same; a field where none is known is refused."""
    for content in (b"", b"{}"):
        answer = await running.http.post("/admin/reload", content=content, headers={"content-type": "application/json"})
        assert answer.status_code == 200
    error = (await running.answer("POST", "/admin/reload", {"hard": True}, 400))["error"]
    assert (error["code"], error["param"]) == ("invalid_value", "hard")


async def test_methods(running: Administered) -> None:
    """HEAD answers where GET does, OPTIONS and 405 say what is allowed, and a path that is none is a 404."""
    assert (await running.http.head("/admin/keys")).status_code == 200
    options = await running.http.options("/admin/keys")
    assert (options.status_code, options.headers["allow"]) == (204, "GET, HEAD, POST, OPTIONS")
    for method, path in (("PUT", "/admin/keys"), ("PATCH", "/admin/keys/1"), ("GET", "/admin/reload")):
        answer = await running.http.request(method, path)
        assert (answer.status_code, answer.json()["error"]["code"]) == (405, "method_not_allowed")
    await running.answer("GET", "/admin", status=404)
    await running.answer("GET", "/admin/tenants", status=404)


async def test_agents_are_what_files_say_and_what_is_served(tmp_path: Path) -> None:
    """Files are read for the answer: a broken one has its faults beside what is served, a new one is not served yet."""
    built(tmp_path, "lighthouse", LIGHTHOUSE)
    agents = {"nora": NORA, "emil": "You are Emil.\n", "otto": "You are Otto.\n", "gone": "You are gone.\n"}
    async with administered(tmp_path, agents) as gateway:
        files = gateway.root / "prompts"
        (files / "emil.md").write_text("---\nlanguage: de\n---\nDu bist Emil.\n")
        (files / "otto.md").write_text("---\ncolour: red\nroute: nowhere\n---\nYou are Otto.\n")
        (files / "gone.md").unlink()
        (files / "anna.md").write_text("You are Anna.\n")
        listed = await gateway.answer("GET", "/admin/agents")
        by_name = {one["name"]: one for one in listed["agents"]}
        assert {name: one["serving"] for name, one in by_name.items()} == {
            "anna": "not", "emil": "as it was", "gone": "as it was", "nora": "as written", "otto": "as it was",
        }  # fmt: skip
        assert listed["faults"] == [] and by_name["gone"]["file"] == ""
        assert by_name["nora"]["collections"] == ["lighthouse"] and by_name["emil"]["language"] == "de"
        assert [(one["line"], one["field"]) for one in by_name["otto"]["faults"]] == [(2, "colour"), (3, "route")]

        emil = await gateway.answer("GET", "/admin/agents/emil")
        assert (emil["served"]["language"], emil["written"]["language"]) == ("en", "de")
        otto = await gateway.answer("GET", "/admin/agents/otto")
        assert otto["written"] is None and otto["served"]["persona"] == "You are Otto.\n" and otto["faults"]
        anna = await gateway.answer("GET", "/admin/agents/anna")
        assert anna["served"] is None and anna["written"]["persona"] == "You are Anna.\n"
        await gateway.answer("GET", "/admin/agents/nobody", status=404)


async def test_a_reload_serves_what_files_say(tmp_path: Path) -> None:
    """What was changed is named; where a file is broken every fault is told, with its line, and nothing changes."""
    built(tmp_path, "lighthouse", LIGHTHOUSE)
    async with administered(tmp_path, {"nora": NORA, "emil": "You are Emil.\n"}) as gateway:
        file = gateway.root / "prompts" / "emil.md"
        file.write_text("---\nlanguage: de\n---\nDu bist Emil.\n")
        assert await gateway.answer("POST", "/admin/reload") == {
            "changed": ["agent emil"],
            "later": [],
            "others": 0,
            "behind": 0,
        }
        assert (await gateway.answer("GET", "/admin/agents/emil"))["serving"] == "as written"

        file.write_text("---\nlanguage: de\ncolour: red\nstream: maybe\n---\nDu bist Emil.\n")
        refused = await gateway.answer("POST", "/admin/reload", status=409)
        assert refused["error"]["code"] == "configuration_error"
        faults = refused["x_gateway"]["faults"]
        assert [(one["line"], one["field"]) for one in faults] == [(3, "colour"), (4, "stream")]
        assert all(one["where"] == str(file) and one["problem"] for one in faults)
        emil = await gateway.answer("GET", "/admin/agents/emil")
        assert (emil["serving"], emil["served"]["language"]) == ("as it was", "de")


async def test_a_capability_is_renewed(running: Administered) -> None:
    """The answer is the path to ask from now on; an agent that is not served has none."""
    first = await running.answer("POST", "/admin/agents/nora/rotate")
    second = await running.answer("POST", "/admin/agents/nora/rotate")
    assert (first["generation"], second["generation"]) == (1, 2)
    assert second["path"].endswith("/agents/nora/chat/completions")
    await running.answer("POST", "/admin/agents/nobody/rotate", status=404)


async def test_knowledge_is_shown(fresh: Administered) -> None:
    """Each collection: files, passages, versions, whether the files were changed since, and who uses it."""
    write(fresh.root / "knowledge" / "attic", {"box.md": "# Box\n"})
    attic, lighthouse = (await fresh.answer("GET", KNOWLEDGE))["collections"]
    current = versions.shelf(fresh.root / "var", "lighthouse").current()
    assert lighthouse == {
        "name": "lighthouse", "files": 3, "changed": False, "passages": 5, "current": current, "serving": current,
        "soundness": "sound", "problem": "", "agents": ["nora"],
    }  # fmt: skip
    assert (attic["files"], attic["changed"], attic["current"], attic["agents"]) == (1, True, "", [])
    write(fresh.root / "knowledge" / "lighthouse", MAY)
    assert (await fresh.answer("GET", KNOWLEDGE))["collections"][1]["changed"] is True
    shown = await fresh.answer("GET", f"{KNOWLEDGE}/lighthouse")
    assert [(one["name"], one["current"], one["served"], one["soundness"]) for one in shown["versions"]] == [
        (current, True, True, "sound")
    ]
    assert (await fresh.answer("GET", f"{KNOWLEDGE}/attic"))["versions"] == []


async def test_an_ingest_is_served_at_once(fresh: Administered) -> None:
    """202 and a job; when it has ended the new version answers, and the old one is there to go back to."""
    first = versions.shelf(fresh.root / "var", "lighthouse").current()
    write(fresh.root / "knowledge" / "lighthouse", MAY)
    begun = await fresh.answer("POST", f"{KNOWLEDGE}/lighthouse/ingest", status=202)
    job = await ended(fresh, begun["id"])
    (part,) = job["collections"]
    assert (job["state"], job["code"], job["faults"]) == ("done", "", []) and job["ended"] >= job["began"]
    assert (part["collection"], part["built"], part["files"]) == ("lighthouse", True, 3)
    assert part["version"] > first and part["done"] == part["total"] > 0
    found = await fresh.answer("POST", f"{KNOWLEDGE}/lighthouse/search", PUFFINS)
    assert found["version"] == part["version"] and found["passages"][0]["text"] == "Puffins nest in May."
    assert (await fresh.answer("GET", KNOWLEDGE))["jobs"][0] == job

    back = await fresh.answer("POST", f"{KNOWLEDGE}/lighthouse/rollback")
    assert back == {"collection": "lighthouse", "version": first}
    found = await fresh.answer("POST", f"{KNOWLEDGE}/lighthouse/search", PUFFINS)
    assert found["version"] == first and found["passages"][0]["text"] == "Puffins nest in June."
    ahead = await fresh.answer("POST", f"{KNOWLEDGE}/lighthouse/rollback", {"version": part["version"]})
    assert ahead["version"] == part["version"]


async def test_an_ingest_of_all_tells_each_collections_faults(fresh: Administered) -> None:
    """One that cannot be read fails the job, with the file and what would be right; the others are done and served."""
    write(fresh.root / "knowledge" / "attic", {"bad.md": b"na\xefve"})
    write(fresh.root / "knowledge" / "lighthouse", MAY)
    job = await ended(fresh, (await fresh.answer("POST", f"{KNOWLEDGE}/ingest", status=202))["id"])
    assert (job["state"], job["code"]) == ("failed", "knowledge_error")
    (fault,) = job["faults"]
    assert fault["where"].endswith("bad.md") and "UTF-8" in fault["problem"]
    assert [bool(one["version"]) for one in job["collections"]] == [False, True]
    found = await fresh.answer("POST", f"{KNOWLEDGE}/lighthouse/search", PUFFINS)
    assert found["passages"][0]["text"] == "Puffins nest in May."


async def test_a_feed_tells_of_a_job_until_it_ends(fresh: Administered) -> None:
    """`progress` with the job as it is, `end` as the last event; a job that has ended is one event."""
    write(fresh.root / "knowledge" / "lighthouse", MAY)
    events = await fed(fresh, f"{KNOWLEDGE}/lighthouse/ingest")
    assert {name for name, _ in events[:-1]} == {"progress"} and events[-1][0] == "end"
    assert events[0][1]["state"] == "waiting" and events[-1][1]["state"] == "done"
    again = await fed(fresh, f"{KNOWLEDGE}/jobs/{events[0][1]['id']}", "GET")
    assert again == events[-1:]


class Held:
    """An ingest that waits until it is let go."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.jobs: list[ingest.Job] = []

    def run(self, job: ingest.Job, stop: ingest.Stop) -> Iterator[ingest.Event]:
        self.jobs.append(job)
        yield ingest.Progress(job.collections[0], 1, 2)
        while not self.go.wait(0.01):
            if stop.asked:
                return
        yield from quick(job, stop)


async def test_a_collection_is_ingested_once_at_a_time(tmp_path: Path) -> None:
    """A second ingest of it is a 409 that names the first; one of another collection waits for its turn."""
    built(tmp_path, "lighthouse", LIGHTHOUSE)
    write(tmp_path / "knowledge" / "attic", {"box.md": "# Box\n\nBrass.\n"})
    held = Held()
    async with administered(tmp_path, run=held.run) as gateway:
        first = await gateway.answer("POST", f"{KNOWLEDGE}/lighthouse/ingest", status=202)
        for path in (f"{KNOWLEDGE}/lighthouse/ingest", f"{KNOWLEDGE}/ingest"):
            error = (await gateway.answer("POST", path, status=409))["error"]
            assert error["code"] == "conflict" and first["id"] in error["message"] and "lighthouse" in error["message"]
        second = await gateway.answer("POST", f"{KNOWLEDGE}/attic/ingest", status=202)
        await asyncio.sleep(0.1)
        states = [(one["id"], one["state"]) for one in (await gateway.answer("GET", KNOWLEDGE))["jobs"]]
        assert states == [(second["id"], "waiting"), (first["id"], "running")]
        held.go.set()
        assert [(await ended(gateway, one["id"]))["state"] for one in (first, second)] == ["done", "done"]
        await gateway.answer("POST", f"{KNOWLEDGE}/lighthouse/ingest", status=202)
    assert all(job.nice > 0 for job in held.jobs)


async def test_who_stops_watching_stops_nothing(tmp_path: Path) -> None:
    """The watcher hangs up in the middle; the job goes on to its end, and its feed can be had again."""
    built(tmp_path, "lighthouse", LIGHTHOUSE)
    held = Held()
    async with administered(tmp_path, run=held.run) as gateway:
        headers = {"Accept": "text/event-stream"}
        async with gateway.http.stream("POST", f"{KNOWLEDGE}/lighthouse/ingest", headers=headers) as answer:
            async for line in answer.aiter_lines():
                if line.startswith("data: ") and orjson.loads(line[6:])["state"] == "running":
                    id_ = orjson.loads(line[6:])["id"]
                    break
        assert (await gateway.answer("GET", f"{KNOWLEDGE}/jobs/{id_}"))["state"] == "running"
        held.go.set()
        assert (await ended(gateway, id_))["state"] == "done"


async def test_a_feed_ends_when_the_process_is_about_to(tmp_path: Path) -> None:
    """Within two seconds and without `end`, for the job has not ended; new ingests are refused."""
    built(tmp_path, "lighthouse", LIGHTHOUSE)
    held = Held()
    async with administered(tmp_path, run=held.run) as gateway:
        feed = asyncio.create_task(fed(gateway, f"{KNOWLEDGE}/lighthouse/ingest"))
        await asyncio.sleep(0.3)
        gateway.drain.begin()
        async with asyncio.timeout(2.5):
            events = await feed
        assert events[-1][0] == "progress" and events[-1][1]["state"] == "running"
        error = (await gateway.answer("POST", f"{KNOWLEDGE}/ingest", status=503))["error"]
        assert error["code"] == "shutting_down"


async def test_a_search_shows_scores(running: Administered) -> None:
    """Passages with score, cosine, text, title and source, how it was found and how long it took."""
    found = await running.answer("POST", f"{KNOWLEDGE}/lighthouse/search", PUFFINS)
    first, second = found["passages"]
    assert (found["outcome"], found["reason"]) == ("hybrid", "") and 0 < found["milliseconds"] < 5000
    assert first["id"] == "lighthouse/birds.md#1" and first["source"] == "birds.md"
    assert first["title"] == "Birds > Puffins" and first["text"] == "Puffins nest in June."
    assert first["score"] > second["score"] > 0 and 0 < first["similarity"] <= 1
    strict = await running.answer("POST", f"{KNOWLEDGE}/lighthouse/search", PUFFINS | {"floor": 0.99})
    assert strict["passages"] == []
    follow_up = {"question": "When do they nest?", "context": "Tell me about puffins.", "top_k": 1}
    found = await running.answer("POST", f"{KNOWLEDGE}/lighthouse/search", follow_up)
    assert found["passages"][0]["id"] == "lighthouse/birds.md#1"


async def test_a_collection_that_no_agent_uses_is_searched_too(running: Administered) -> None:
    """It is opened for the search; one that was never ingested cannot be, and the 409 says what to do."""
    found = await running.answer("POST", f"{KNOWLEDGE}/attic/search", {"question": "Where are the brass lamps?"})
    assert found["passages"][0]["source"] == "box.md" and found["outcome"] == "hybrid"
    write(running.root / "knowledge" / "cellar", {"wine.md": "# Wine\n"})
    error = (await running.answer("POST", f"{KNOWLEDGE}/cellar/search", PUFFINS, 409))["error"]
    assert error["code"] == "conflict" and "gateway ingest" in error["message"]


async def test_a_rollback_that_cannot_be_says_why(running: Administered) -> None:
    """No such version is a 404 with those that there are; nothing before the first is a 409."""
    path = f"{KNOWLEDGE}/lighthouse/rollback"
    current = versions.shelf(running.root / "var", "lighthouse").current()
    error = (await running.answer("POST", path, {"version": "20010101T000000000000"}, 404))["error"]
    assert current in error["message"]
    error = (await running.answer("POST", path, {"version": "../x"}, 400))["error"]
    assert error["param"] == "version"
    assert "no version before" in (await running.answer("POST", path, status=409))["error"]["message"]


async def test_an_unknown_collection_is_the_same_everywhere(running: Administered) -> None:
    """One body, whatever is asked of it."""
    asked = [("GET", ""), ("POST", "/ingest"), ("POST", "/search"), ("POST", "/rollback")]
    said = set()
    for method, verb in asked:
        body = PUFFINS if verb == "/search" else None
        error = (await running.answer(method, f"{KNOWLEDGE}/tower{verb}", body, 404))["error"]
        said.add((re.sub(r" \(request .*", "", error.pop("message")), *error.values()))
    assert said == {("There is no collection 'tower'.", "not_found_error", None, "not_found")}
    await running.answer("GET", f"{KNOWLEDGE}/jobs/job_0123456789abcdef", status=404)


async def test_turns_are_answered_while_an_ingest_runs(tmp_path: Path, upstream: Upstream) -> None:
    """The job is a thread and a child of its own: a turn beside it is answered from the version that is served."""
    built(tmp_path, "lighthouse", LIGHTHOUSE)
    held, upstream.script = Held(), Script(["Fine."])
    async with administered(tmp_path, upstream=upstream.url, run=held.run) as gateway:
        job = await gateway.answer("POST", f"{KNOWLEDGE}/lighthouse/ingest", status=202)
        body = {"messages": [{"role": "user", "content": "When do puffins nest?"}], "stream": False}
        said = await gateway.answer("POST", "/agents/nora/chat/completions", body)
        assert said["choices"][0]["message"]["content"] == "Fine."
        assert "June" in str(upstream.requests[-1].json["messages"][-1])
        held.go.set()
        await ended(gateway, job["id"])


async def test_a_wrong_path_parameter_never_becomes_a_path(running: Administered) -> None:
    """Names of agents, jobs and collections are checked before anything is looked up."""
    for path in ("/admin/agents/Nora!", "/admin/agents/..%2Fnora", f"{KNOWLEDGE}/jobs/job_1", f"{KNOWLEDGE}/a"):
        answer = await running.http.get(httpx.URL(running.url + path))
        assert answer.status_code in (400, 404), path
        assert answer.json()["error"]["code"] in ("invalid_name", "not_found")


async def test_a_key_that_was_made_here_opens_what_it_should(tmp_path: Path, upstream: Upstream) -> None:
    """With the real store: it asks its agent and no other, is listed, and is refused as soon as it is revoked."""
    upstream.script = Script(["Fine."])
    async with stored(tmp_path, upstream) as gateway:
        made = await gateway.answer("POST", "/admin/keys", {"agent": "nora", "name": "phone"}, 201)
        headers = {"authorization": f"Bearer {made['secret']}"}
        asked: dict[str, Any] = {"json": HI, "headers": headers}
        assert (await gateway.http.post("/agents/nora/chat/completions", **asked)).status_code == 200
        assert (await gateway.http.post("/agents/emil/chat/completions", **asked)).status_code == 404
        assert (await gateway.http.get("/admin/keys", headers=headers)).status_code == 403
        (listed,) = (await gateway.answer("GET", "/admin/keys"))["keys"]
        assert listed["key"] == made["key"] and "digest" not in str(listed)
        assert (await gateway.answer("DELETE", f"/admin/keys/{made['key']['id']}"))["revoked"]
        assert (await gateway.http.post("/agents/nora/chat/completions", **asked)).status_code == 401
        await gateway.answer("DELETE", "/admin/keys/000000000000", status=404)


async def test_a_renewed_capability_answers_and_the_one_before_it_does_not(tmp_path: Path, upstream: Upstream) -> None:
    """With the real store: the path of the answer is where the agent is asked from then on."""
    upstream.script = Script(["Fine."])
    async with stored(tmp_path, upstream) as gateway:
        paths = [(await gateway.answer("POST", "/admin/agents/nora/rotate"))["path"] for _ in range(2)]
        statuses = [(await gateway.http.post(path, json=HI)).status_code for path in paths]
        assert statuses == [404, 200] and paths[1].startswith("/k/")


async def test_without_a_store_nothing_is_pretended(tmp_path: Path) -> None:
    """503 `store_unavailable` for what cannot be kept; agents and knowledge are administered as ever."""
    made = replace(settings(tmp_path), redis_url="redis://127.0.0.1:9/0")
    async with opened(made, tmp_path) as gateway:
        for method, path in (("POST", "/admin/keys"), ("GET", "/admin/keys"), ("POST", "/admin/agents/nora/rotate")):
            error = (await gateway.answer(method, path, status=503))["error"]
            assert error["code"] == "store_unavailable", path
        await gateway.answer("GET", "/admin/agents")
        await gateway.answer("GET", KNOWLEDGE)


HI = {"messages": [{"role": "user", "content": "Hi"}], "stream": False}


class Asked(NamedTuple):
    """A gateway with everything that is real."""

    http: httpx.AsyncClient

    async def answer(self, method: str, path: str, body: Any = None, status: int = 200) -> Any:
        answer = await self.http.request(method, path, json=body)
        assert answer.status_code == status, answer.text
        return answer.json()


@asynccontextmanager
async def opened(made: Settings, root: Path) -> AsyncIterator[Asked]:
    write(root / "prompts", {"nora.md": "You are Nora.\n", "emil.md": "You are Emil.\n"})
    (root / "knowledge").mkdir()
    app = create_app(sharing(made), read(made).agents)
    async with serve(app) as url, httpx.AsyncClient(base_url=url, timeout=20) as http:
        yield Asked(http)


@asynccontextmanager
async def stored(root: Path, upstream: Upstream) -> AsyncIterator[Asked]:
    """With the packaged store, once it is there."""
    async with opened(settings(root, upstream.url), root) as gateway:
        async with asyncio.timeout(10):
            while "store" in (await gateway.answer("GET", "/readyz"))["missing"]:  # noqa: ASYNC110 nothing tells of it
                await asyncio.sleep(0.05)
        yield gateway
