"""`/admin/turns`: the last turns, as an operator's program finds them."""

import asyncio
import re
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from gateway.types.reach import PREFLIGHT
from tests.caller import calling
from tests.contract.place import Place, ask
from tests.upstream import Answer, Finish, Hang, Script, Upstream, Usage, error

TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


async def turns(place: Place, **wanted: Any) -> list[Any]:
    """The records that are asked for, newest first."""
    async with httpx.AsyncClient(base_url=place.url) as client:
        answer = await client.get("/admin/turns", params=wanted)
        assert answer.status_code == 200, answer.text
        assert answer.json()["whole"] is True
        found: list[Any] = answer.json()["turns"]
        return found


async def until(place: Place, true: Callable[[list[Any]], bool], **wanted: Any) -> list[Any]:
    """The records, once that is true of them."""
    for _ in range(500):
        if true(found := await turns(place, **wanted)):
            return found
        await asyncio.sleep(0.01)
    raise AssertionError(found)


async def test_a_turn_is_found_by_its_request(place: Place, upstream: Upstream) -> None:
    """Who answered whom, when, how and how fast; the answer's headers and the record say the same."""
    session, key = await place.session()
    before = time.time()
    upstream.script = Script(["Forty", " feet.", Usage(prompt=30, completion=4)])
    said = await ask(f"{place.url}/k/{key}/v1", "How tall?", {"traceparent": TRACEPARENT})
    await until(place, lambda found: bool(found and found[0]["question"]), session=session.id)
    async with httpx.AsyncClient(base_url=place.url) as client:
        answer = await client.get(f"/admin/turns/{said.headers['x-request-id']}")
        assert answer.status_code == 200 and answer.headers["cache-control"] == "no-store"
        missing = await client.get("/admin/turns/req_nobody")
        assert (missing.status_code, missing.json()["error"]["code"]) == (404, "not_found")
    one = answer.json()
    assert before <= one.pop("at") <= time.time()
    timings = one.pop("timings")
    steps = ("auth", "parse", "upstream")
    assert set(timings) == {*steps, "ttft", "first_clause", "longest_gap", "total"}
    assert 0 < timings["upstream"] < timings["ttft"] <= timings["first_clause"] <= timings["total"] < 5000
    assert 0 <= timings["longest_gap"] <= timings["first_clause"] - timings["ttft"]
    starts = one.pop("starts")
    ends = [starts[name] + timings[name] for name in steps]
    assert all(end <= starts[name] + 0.02 for end, name in zip(ends, steps[1:], strict=False))
    assert starts["auth"] == 0.0 and ends[-1] <= timings["ttft"] + 0.02
    for name in steps:
        (shown,) = re.findall(rf"\b{name};dur=([0-9.]+)", said.headers["server-timing"])
        assert timings[name] == pytest.approx(float(shown), abs=0.06)
    (attempt,) = one.pop("attempts")
    assert 0 < attempt.pop("milliseconds") < 5000 and attempt.pop("began") >= starts["upstream"]
    assert attempt == {"target": "up/scripted", "code": "", "kind": "first"}
    assert one == {
        "id": said.headers["x-request-id"], "agent": "nora", "model": "nora", "route": "up", "target": "up/scripted",
        "key": session.key, "session": session.id, "stream": True, "status": 200, "outcome": "ok", "code": "",
        "phase": "done", "upstream": "ended", "retrieval": "skipped", "retrieval_reason": "", "sources": [],
        "filler": False, "apology": False, "finish_reason": "stop", "chunks": 2, "characters": 11,
        "question": "How tall?", "answer": "Forty feet.",
        "trace": TRACEPARENT.split("-")[1], "prompt_tokens": 30, "completion_tokens": 4,
    }  # fmt: skip


async def test_the_last_turns_are_listed_as_they_are_asked_for(place: Place, upstream: Upstream) -> None:
    """Newest first, by session, agent, outcome and request, so many at most; a failed one says so."""
    session, key = await place.session()
    assert (await ask(f"{place.url}/k/{key}/v1", "One.")).status_code == 200
    assert (await ask(f"{place.url}/agents/strict", "Two.", {"x-request-id": "two"})).status_code == 200
    upstream.script = Answer(500, error("broken"))
    assert (await ask(f"{place.url}/agents/nora", "Three.")).status_code == 200
    assert (await ask(f"{place.url}/agents/strict", "Four.")).status_code == 502
    assert (await ask(f"{place.url}/agents/nora", "", messages=[])).status_code == 200
    listed = await turns(place)
    told = [(one["agent"], one["outcome"], one["code"], one["apology"], one["upstream"]) for one in listed]
    unavailable = "upstream_unavailable"
    assert told == [
        ("nora", "ok", "", False, ""),
        ("strict", "upstream_error", unavailable, False, "failed"),
        ("nora", "incomplete_spoken", unavailable, True, "failed"),
        ("strict", "ok", "", False, "ended"),
        ("nora", "ok", "", False, "ended"),
    ]
    assert [one["at"] for one in listed] == sorted((one["at"] for one in listed), reverse=True)
    assert [one["session"] for one in await turns(place, session=session.id)] == [session.id]
    assert [one["outcome"] for one in await turns(place, agent="strict")] == ["upstream_error", "ok"]
    assert [one["agent"] for one in await turns(place, outcome="incomplete_spoken")] == ["nora"]
    assert [one["id"] for one in await turns(place, request="two")] == ["two"]
    assert await turns(place, limit=2) == listed[:2]
    assert await turns(place, agent="nora", outcome="refused") == []


async def test_words_stand_there_only_where_a_transcript_has_them(place: Place, upstream: Upstream) -> None:
    """In a session that has one; not where its agent or the session has none, and of nobody's or a key's turn."""
    upstream.script = Script(["Forty", " feet."])
    _, key = await place.session()
    _, mutes = await place.session("mute")
    _, unwritten = await place.session(transcript=False)
    persons = await place.store.keys.create(agent="nora")
    for base, headers in (
        (f"{place.url}/k/{mutes}/v1", {}),
        (f"{place.url}/k/{unwritten}/v1", {}),
        (f"{place.url}/agents/nora", {"authorization": f"Bearer {persons.text}"}),
        (f"{place.url}/agents/nora", {}),
        (f"{place.url}/k/{key}/v1", {PREFLIGHT: "1"}),
        (f"{place.url}/k/{key}/v1", {}),
    ):
        assert (await ask(base, "A secret?", headers)).status_code == 200
    listed = await until(place, lambda listed: listed[0]["question"] is not None)
    assert len(listed) == 6
    assert [(one["question"], one["answer"]) for one in listed] == [("A secret?", "Forty feet."), *[(None, None)] * 5]


async def test_by_capability_the_lone_session_is_named(place: Place) -> None:
    """A turn at the agent's own URL is of its one open session by agent, as its words are."""
    base = place.url + place.capabilities.path_of("nora").removesuffix("/chat/completions")
    assert (await ask(base, "Before.")).status_code == 200
    session, _ = await place.session(flow="agent")
    assert (await ask(base, "Within.")).status_code == 200
    found = await until(place, lambda found: bool(found and found[0]["question"]), session=session.id)
    assert len(found) == 1
    assert (found[0]["question"], found[0]["key"], found[0]["agent"]) == ("Within.", "", "nora")


async def test_what_was_refused_is_a_record_too(place: Place, upstream: Upstream) -> None:
    """By key, session and agent as far as they can be told: a revoked key, a wrong capability, too large a body."""
    session, key = await place.session()
    _, others = await place.session("strict")
    assert await place.store.keys.revoke(session.key)
    for _ in range(500):
        if (await ask(f"{place.url}/k/{key}/v1", "Hello?")).status_code == 401:
            break
        await asyncio.sleep(0.01)
    answered = len(upstream.requests)
    assert (await ask(f"{place.url}/k/{key}/agents/nora/v1", "Hello?")).status_code == 401
    assert (await ask(f"{place.url}/agents/nora", "Hello?", {"api-key": key})).status_code == 401
    assert (await ask(f"{place.url}/k/wrong/agents/nora/v1", "Hello?")).status_code == 404
    assert (await ask(f"{place.url}/k/gw_wrong/agents/nobody/v1", "Hello?")).status_code == 404
    assert (await ask(f"{place.url}/k/{others}/agents/nora/v1", "Hello?")).status_code == 404
    assert (await ask(f"{place.url}/agents/nora", "x" * 2**20)).status_code == 413
    assert (await ask(f"{place.url}/agents/nobody", "Hello?")).status_code == 404
    listed = (await turns(place, outcome="refused"))[:7]
    assert [(one["status"], one["code"], one["agent"], one["session"]) for one in listed] == [
        (404, "model_not_found", "", ""),
        (413, "request_too_large", "nora", ""),
        (404, "not_found", "nora", f"ses_{others.split('_')[1]}"),
        (404, "not_found", "", ""),
        (404, "not_found", "nora", ""),
        (401, "invalid_api_key", "nora", session.id),
        (401, "invalid_api_key", "nora", session.id),
    ]
    assert key not in str(listed) and others not in str(listed) and "wrong" not in str(listed)
    assert len(upstream.requests) == answered


@pytest.mark.parametrize("ended", [False, True])
async def test_a_barge_in_says_whom_it_interrupted(place: Place, upstream: Upstream, ended: bool) -> None:
    """Hung up on in the middle, the upstream was cancelled, soon; at its end it had ended, and the caller is gone."""
    upstream.script = Script(["One ", "two ", *([Finish()] if ended else []), Hang()])
    _, key = await place.session()
    body: dict[str, Any] = {"messages": [{"role": "user", "content": "Count."}], "stream": True}
    async with calling(f"{place.url}/k/{key}/v1/chat/completions", body) as call:
        async for event in call.events():
            if ('"stop"' if ended else "two") in event.data:
                break
        call.hang_up()
    (one,) = await until(place, bool, outcome="client_gone")
    assert one["upstream"] == ("ended" if ended else "cancelled")
    timings = one["timings"]
    assert 0 <= timings["close"] < 250
    assert timings["ttft"] <= timings["hangup"] <= timings["total"]
    assert timings["total"] == pytest.approx(timings["hangup"] + timings["close"], abs=0.05)


async def test_a_caller_that_goes_while_it_waits_is_one_too(place: Place, upstream: Upstream) -> None:
    """Before the first word: no `ttft`, and the upstream that was being asked is hung up on."""
    upstream.script = Script([], before=[Hang()])
    body: dict[str, Any] = {"messages": [{"role": "user", "content": "Hello?"}], "stream": True}
    async with calling(f"{place.url}/agents/nora/chat/completions", body) as call:
        for _ in range(500):
            if upstream.requests:
                break
            await asyncio.sleep(0.01)
        call.hang_up()
    found = await until(place, bool, outcome="client_gone")
    assert (found[0]["upstream"], found[0]["phase"], found[0]["status"]) == ("cancelled", "open", 499)
    assert "ttft" not in found[0]["timings"] and found[0]["timings"]["close"] < 250


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=1001", "limit=ten", "limit=", "limit=5.5", "outcome=fine", "session=ses_", "agent=Nora",
     "request=a%20b", "colour=red", "agent=a&agent=b"],
)  # fmt: skip
async def test_what_cannot_be_asked_for_is_said(place: Place, query: str) -> None:
    """A 400 that names the parameter, and nothing is guessed."""
    async with httpx.AsyncClient(base_url=place.url) as client:
        answer = await client.get(f"/admin/turns?{query}")
        assert answer.status_code == 400, answer.text
        assert answer.json()["error"]["code"] in ("invalid_value", "invalid_type")
        assert query.partition("=")[0] in str(answer.json()) or "more than once" in answer.text
        assert (await client.get("/admin/turns?session=&agent=&outcome=&request=&limit=5")).status_code == 200


async def test_only_an_administrator_sees_them(place: Place) -> None:
    """On this machine without an admin key; not through a proxy, not for a page, and no key that may chat."""
    session, key = await place.session()
    persons = await place.store.keys.create(agent="nora")
    said = await ask(f"{place.url}/k/{key}/v1", "Hello?")
    assert session.id and said.status_code == 200
    async with httpx.AsyncClient(base_url=place.url) as client:
        for path in ("/admin/turns", f"/admin/turns/{said.headers['x-request-id']}"):
            assert (await client.get(path)).status_code == 200
            assert (await client.get(path, headers={"x-forwarded-for": "192.0.2.1"})).status_code == 401
            assert (await client.get(path, headers={"origin": "https://www.example.org"})).status_code == 401
            for wrong in (key, persons.text):
                assert (await client.get(path, headers={"x-api-key": wrong})).status_code == 403
            assert (await client.get(f"/k/{key}{path}")).status_code == 404
            assert (await client.post(path)).status_code == 405
