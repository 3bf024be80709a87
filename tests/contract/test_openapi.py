"""`/openapi.json` against what is really answered."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from tests.administered import Administered, administered
from tests.knowledge import LIGHTHOUSE, built
from tests.upstream import Script, Upstream

JOB = "job_0123456789abcdef"
SESSION = "ses_000000000000"
UPLOADED = {("/admin/faces", "post"), ("/admin/faces/{face}", "delete"), ("/admin/videos/audio", "post")}
"""Their bodies are no JSON: a test of their own."""
QUESTION = {"question": "When do puffins nest?"}
HI = {"model": "nora", "messages": [{"role": "user", "content": "Hi"}]}


@pytest.fixture
async def running(tmp_path: Path, upstream: Upstream) -> AsyncIterator[Administered]:
    upstream.script = Script(["Hello."])
    built(tmp_path, "lighthouse", LIGHTHOUSE)
    built(tmp_path, "lighthouse", LIGHTHOUSE | {"birds.md": "# Puffins\n\nPuffins nest in May.\n"})
    async with administered(tmp_path, upstream=upstream.url) as gateway:
        yield gateway


class Described:
    """The document, and whether an answer is what it says."""

    def __init__(self, document: Any) -> None:
        self.document = document

    def checked(self, method: str, path: str, answer: httpx.Response) -> str:
        """Assert that the answer is described; the name of the schema it has."""
        shown = self.document["paths"][path][method.lower()]["responses"]
        response = shown.get(str(answer.status_code)) or shown["default"]
        kind = answer.headers["content-type"].partition(";")[0]
        schema = response["content"][kind]["schema"]
        self.validate(answer.json() if kind == "application/json" else answer.text, schema)
        return str(schema.get("$ref", "").rpartition("/")[2])

    def validate(self, value: Any, schema: Any) -> None:
        whole = schema | {"components": self.document["components"]}
        Draft202012Validator(whole).validate(value)


@pytest.fixture
async def described(running: Administered) -> Described:
    return Described(await running.answer("GET", "/openapi.json"))


CALLS: list[tuple[str, str, str, Any, int]] = [
    ("POST", "/admin/keys", "", {"name": "phone", "expires_in": 60}, 201),
    ("POST", "/admin/keys", "", {"scope": "root"}, 400),
    ("GET", "/admin/keys", "", None, 200),
    ("DELETE", "/admin/keys/{key}", "/admin/keys/000000000000", None, 200),
    ("DELETE", "/admin/keys/{key}", "/admin/keys/000000000009", None, 404),
    ("GET", "/admin/agents", "", None, 200),
    ("GET", "/admin/agents/{agent}", "/admin/agents/nora", None, 200),
    ("GET", "/admin/agents/{agent}", "/admin/agents/nobody", None, 404),
    ("POST", "/admin/agents/{agent}/rotate", "/admin/agents/nora/rotate", None, 200),
    ("POST", "/admin/reload", "", None, 200),
    ("GET", "/admin/knowledge", "", None, 200),
    ("GET", "/admin/knowledge/{collection}", "/admin/knowledge/lighthouse", None, 200),
    ("GET", "/admin/knowledge/{collection}", "/admin/knowledge/tower", None, 404),
    ("GET", "/admin/knowledge/{collection}", "/admin/knowledge/a%00b", None, 400),
    ("POST", "/admin/knowledge/{collection}/search", "/admin/knowledge/lighthouse/search", QUESTION, 200),
    ("POST", "/admin/knowledge/{collection}/search", "/admin/knowledge/lighthouse/search", {}, 400),
    ("POST", "/admin/knowledge/{collection}/rollback", "/admin/knowledge/lighthouse/rollback", None, 200),
    ("POST", "/admin/knowledge/{collection}/rollback", "/admin/knowledge/lighthouse/rollback", None, 409),
    ("POST", "/admin/knowledge/{collection}/ingest", "/admin/knowledge/lighthouse/ingest", None, 202),
    ("GET", "/admin/knowledge/jobs/{job}", "/admin/knowledge/jobs/{begun}", None, 200),
    ("GET", "/admin/knowledge/jobs/{job}", f"/admin/knowledge/jobs/{JOB}", None, 404),
    ("POST", "/admin/knowledge/ingest", "", None, 202),
    ("POST", "/admin/agents/plan", "", {"prune": True}, 200),
    ("POST", "/admin/agents/plan", "", {"prune": 1}, 400),
    ("POST", "/admin/agents/apply", "", None, 200),
    ("POST", "/admin/agents/adopt", "", {"id": "0e5b", "name": "keeper"}, 201),
    ("POST", "/admin/agents/adopt", "", {"id": "0e5b", "name": "../keeper"}, 400),
    ("POST", "/admin/agents/adopt", "", {}, 400),
    ("DELETE", "/admin/agents/{agent}/simli", "/admin/agents/nora/simli", None, 200),
    ("DELETE", "/admin/agents/{agent}/simli", "/admin/agents/nobody/simli", None, 404),
    ("POST", "/admin/sessions", "", {"agent": "nora"}, 201),
    ("POST", "/admin/sessions", "", {"agent": "nobody", "by_agent": True}, 404),
    ("POST", "/admin/sessions/link", "", {"agent": "nora", "origins": ["https://www.example.org"]}, 201),
    ("POST", "/admin/sessions/link", "", {"agent": "nora", "origins": ["https://example.org/path"]}, 400),
    ("GET", "/admin/sessions", "", None, 200),
    ("GET", "/admin/sessions/{session}", f"/admin/sessions/{SESSION}", None, 200),
    ("GET", "/admin/sessions/{session}", "/admin/sessions/ses_none", None, 404),
    ("GET", "/admin/sessions/{session}/transcript", f"/admin/sessions/{SESSION}/transcript", None, 200),
    ("POST", "/admin/sessions/{session}/end", f"/admin/sessions/{SESSION}/end", None, 200),
    ("POST", "/admin/sessions/{session}/end", "/admin/sessions/none/end", None, 400),
    ("GET", "/admin/turns", "", None, 200),
    ("GET", "/admin/turns", "/admin/turns?limit=none", None, 400),
    ("GET", "/admin/turns/{request}", "/admin/turns/turn-1", None, 200),
    ("GET", "/admin/turns/{request}", "/admin/turns/turn-2", None, 404),
    ("GET", "/admin/turns/{request}", "/admin/turns/%20", None, 400),
    ("GET", "/admin/faces", "", None, 200),
    ("GET", "/admin/faces/{face}", "/admin/faces/nobody", None, 404),
    ("POST", "/admin/videos/text", "", {"agent": "nora", "text": "Hello."}, 202),
    ("POST", "/admin/videos/text", "", {"face": "face0", "text": "Hello."}, 400),
    ("GET", "/openapi.json", "", None, 200),
    ("GET", "/metrics", "", None, 200),
    ("GET", "/livez", "", None, 200),
    ("GET", "/readyz", "", None, 200),
    ("GET", "/models", "", None, 200),
    ("GET", "/v1/models", "", None, 200),
    ("GET", "/models/{model}", "/models/nora", None, 200),
    ("GET", "/v1/models/{model}", "/v1/models/nobody", None, 404),
    ("GET", "/agents/{agent}/models", "/agents/nora/models", None, 200),
    ("GET", "/agents/{agent}/models/{model}", "/agents/nora/models/nora", None, 200),
    ("GET", "/agents/{agent}/v1/models", "/agents/nora/v1/models", None, 200),
    ("GET", "/agents/{agent}/v1/models/{model}", "/agents/nora/v1/models/up", None, 200),
    ("POST", "/chat/completions", "", HI | {"stream": False}, 200),
    ("POST", "/v1/chat/completions", "", HI | {"stream": False}, 200),
    ("POST", "/v1/chat/completions", "", {"model": "nobody"}, 400),
    ("POST", "/agents/{agent}/chat/completions", "/agents/nora/chat/completions", HI | {"stream": False}, 200),
    ("POST", "/agents/{agent}/v1/chat/completions", "/agents/nobody/v1/chat/completions", HI, 404),
]
"""Method, described path, asked path (the same where it is empty), body, status. In this order."""


async def test_answers_are_what_is_described(running: Administered, described: Described) -> None:
    """Of every operation a real answer fits its schema, refusals fit the error envelope, none is left out."""
    begun = JOB
    seen = set()
    for method, path, asked, body, status in CALLS:
        answer = await running.http.request(method, (asked or path).replace("{begun}", begun), json=body)
        assert answer.status_code == status, (method, path, answer.text)
        name = described.checked(method, path, answer)
        assert (name == "Error") == (status >= 400)
        seen.add((path, method.lower()))
        if status == 202 and "ingest" in path:
            begun = answer.json()["id"]
            async with running.http.stream(
                "GET", f"/admin/knowledge/jobs/{begun}", headers={"accept": "text/event-stream"}
            ) as feed:
                await feed.aread()
    shown = {
        (path, method)
        for path, item in described.document["paths"].items()
        for method in item
        if method in ("get", "post", "delete")
    }
    assert seen == shown - UPLOADED


async def test_uploads_are_what_is_described(running: Administered, described: Described) -> None:
    """An image and audio are sent as they are, with the rest in the query; what is wrong with either is described."""
    png, wav = {"content-type": "image/png"}, {"content-type": "audio/wav"}
    image = b"\x89PNG" + bytes(100)
    for path, content, headers, status in (
        ("/admin/faces?name=nora", image, png, 202),
        ("/admin/faces", image, png, 202),
        ("/admin/faces", b"GIF89a", png, 400),
        ("/admin/faces", b"", png, 400),
        ("/admin/faces", image, {}, 415),
        ("/admin/faces", bytes(10 * 1024 * 1024 + 1), png, 413),
        ("/admin/faces?title=nora", image, png, 400),
        ("/admin/faces?name=a&name=b", image, png, 400),
        ("/admin/videos/audio?face=face0&format=wav", bytes(64), wav, 202),
        ("/admin/videos/audio?face=face0&format=flac", bytes(64), wav, 400),
        ("/admin/videos/audio?format=wav", bytes(64), wav, 400),
    ):
        answer = await running.http.post(path, content=content, headers=headers)
        assert answer.status_code == status, (path, answer.text)
        described.checked("POST", path.partition("?")[0], answer)
    assert ("create", (104, "nora")) in running.desk.asked
    assert ("audio", ("face0", 64, "wav")) in running.desk.asked
    described.checked("DELETE", "/admin/faces/{face}", await running.http.delete("/admin/faces/face1"))
    assert list(running.desk.faces) == ["face0"]


async def test_a_transcript_is_text_for_who_asks_for_text(running: Administered, described: Described) -> None:
    """JSON else."""
    await running.answer("POST", "/admin/sessions", {"agent": "nora"}, 201)
    answer = await running.http.get(f"/admin/sessions/{SESSION}/transcript", headers={"accept": "text/plain"})
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.text.splitlines()[:2] == ["user: Is anybody there?", "assistant: The keeper is."]
    shown = described.document["paths"]["/admin/sessions/{session}/transcript"]["get"]["responses"]["200"]
    assert set(shown["content"]) == {"application/json", "text/plain"}


async def test_a_streamed_answer_is_what_is_described(running: Administered, described: Described) -> None:
    """Every event of a stream fits the schema of a chunk, the last is `[DONE]`."""
    answer = await running.http.post("/v1/chat/completions", json=HI)
    content = described.document["paths"]["/v1/chat/completions"]["post"]["responses"]["200"]["content"]
    *events, last = [one.removeprefix("data: ") for one in answer.text.strip().split("\n\n")]
    assert len(events) > 1 and last == "[DONE]"
    for event in events:
        described.validate(orjson.loads(event), content["text/event-stream"]["x-event-schema"]["anyOf"][0])


async def test_a_feed_of_turns_is_what_is_described(running: Administered, described: Described) -> None:
    """Each event's data fits the schema of a turn."""
    answer = await running.http.get("/admin/turns", headers={"accept": "text/event-stream"})
    content = described.document["paths"]["/admin/turns"]["get"]["responses"]["200"]["content"]
    ((name, data),) = [one.split("\n") for one in answer.text.strip().split("\n\n")]
    assert name == "event: turn"
    described.validate(orjson.loads(data.removeprefix("data: ")), content["text/event-stream"]["x-event-schema"])


async def test_a_request_that_is_described_is_understood(described: Described, running: Administered) -> None:
    """The example of a body fits its schema, and a body that fits no schema is refused by the gateway too."""
    content = described.document["paths"]["/admin/knowledge/{collection}/search"]["post"]["requestBody"]["content"]
    schema = content["application/json"]["schema"]
    described.validate(QUESTION | {"top_k": 3, "floor": 0.5}, schema)
    for wrong in ({}, QUESTION | {"top_k": 0}, QUESTION | {"tenant": "x"}, {"question": " "}):
        assert list(Draft202012Validator(schema | {"components": described.document["components"]}).iter_errors(wrong))
        await running.answer("POST", "/admin/knowledge/lighthouse/search", wrong, 400)


async def test_the_description_is_not_kept_and_not_made_on_the_loop(running: Administered) -> None:
    """It says what is served now, in the same bytes each time."""
    answers = [await running.http.get("/openapi.json") for _ in range(2)]
    assert answers[0].content == answers[1].content and answers[0].headers["cache-control"] == "no-store"
    assert (await running.http.head("/openapi.json")).status_code == 200
