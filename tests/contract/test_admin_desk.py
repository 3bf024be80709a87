"""The admin API and Simli: what the desk says and raises, as an operator's program meets it."""

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from gateway.errors import (
    ConfigurationError,
    Conflict,
    Fault,
    GatewayError,
    SimliAuthFailed,
    SimliBilling,
    SimliLimited,
    SimliOverloaded,
    SimliProtocolError,
    SimliRejected,
    SimliTimeout,
    SimliUnavailable,
    StoreUnavailable,
    StreamBuffered,
)
from gateway.types.orchestration import Applied
from tests.administered import Administered, administered
from tests.desk import CHANGES

PLAN, APPLY = "/admin/agents/plan", "/admin/agents/apply"


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Administered]:
    async with administered(tmp_path) as gateway:
        yield gateway


async def test_a_plan_is_what_the_command_shows(running: Administered) -> None:
    """Changes with their differences and warnings, what is unowned; `prune` goes on to the desk."""
    plan = await running.answer("POST", PLAN, {"prune": True})
    assert [one["action"] for one in plan["changes"]] == ["create", "unchanged"] and plan["unowned"] == 2
    assert plan["changes"][0]["differences"] == [{"field": "face_id", "now": "", "wanted": "tmp9i8bbq7c"}]
    assert running.desk.asked == [("plan", True)]


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (SimliAuthFailed("It refuses the key.", simli_code="INVALID_API_KEY", simli_status=401), 502, None),
        (SimliBilling("Pay.", simli_code="BILLING_ERROR", simli_status=402), 402, None),
        (SimliRejected("A value.", simli_status=422), 422, None),
        (SimliLimited("Too many.", simli_status=429, retry_after=7.0), 429, None),
        (SimliOverloaded("Overloaded.", simli_status=200), 503, None),
        (SimliUnavailable("Away."), 502, None),
        (SimliTimeout("Late."), 504, None),
        (SimliProtocolError("Garbage.", simli_status=200), 502, None),
        (StoreUnavailable("No store."), 503, None),
        (Conflict("As many as may be."), 409, None),
        (StreamBuffered("In one piece."), 502, None),
        (ConfigurationError([Fault("prompts/nora.md", 3, "voice", "is none")]), 409, "configuration_error"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, GatewayError) else str(value),
)
async def test_an_error_keeps_its_status_and_code(
    running: Administered, error: GatewayError, status: int, code: str | None
) -> None:
    """What the command exits with has a status here, in OpenAI's envelope, with what Simli said beside it."""
    running.desk.failing = error
    answer = await running.http.post("/admin/sessions", json={"agent": "nora"})
    assert answer.status_code == status, answer.text
    assert answer.json()["error"]["code"] == (code or error.code)
    if simli_status := getattr(error, "simli_status", None):
        simli_code = getattr(error, "simli_code", None) or None
        assert answer.json()["x_gateway"]["simli"] == {"code": simli_code, "status": simli_status}
    if isinstance(error, ConfigurationError):
        faults = answer.json()["x_gateway"]["faults"]
        assert faults == [{"where": "prompts/nora.md", "line": 3, "field": "voice", "problem": "is none"}]
    assert answer.headers.get("retry-after") == ("7" if isinstance(error, SimliLimited) else None)
    assert running.desk.sessions == {}


async def test_an_apply_that_stopped_half_way_is_an_error(running: Administered) -> None:
    """With the status of what stopped it, and how far it came; asked again it goes on."""
    running.desk.applied = Applied(CHANGES[:1], "Simli is overloaded.", "simli_overloaded", 2)
    error = (await running.answer("POST", APPLY, status=503))["error"]
    assert error["code"] == "simli_overloaded"
    assert error["message"].startswith("Simli is overloaded. 1 change made, 2 left: apply again to go on.")


async def test_who_hangs_up_ends_no_apply(running: Administered) -> None:
    """A caller that has gone learns nothing; what it began comes to its end."""
    running.desk.gate = asyncio.Event()
    with pytest.raises(httpx.ReadTimeout):
        await running.http.post(APPLY, timeout=0.2)
    assert running.desk.asked == [("apply", False)]
    running.desk.gate.set()
    await asyncio.wait_for(running.desk.over.wait(), 5)


async def test_nothing_is_begun_at_simli_by_a_process_that_is_about_to_stop(running: Administered) -> None:
    """503 while draining, with Retry-After; what is only looked at is shown still."""
    running.drain.begin()
    for path, body in ((APPLY, None), ("/admin/sessions", {"agent": "nora"})):
        answer = await running.http.post(path, json=body)
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "shutting_down")
        assert answer.headers["retry-after"] == "1"
    assert (await running.answer("GET", "/admin/sessions")) == {"sessions": []}
    assert [what for what, _ in running.desk.asked] == ["listed"]


async def test_sessions_by_their_paths(running: Administered) -> None:
    """Started, linked, listed newest first, shown, ended once and again; another method of `link` is a 405."""
    first = await running.answer("POST", "/admin/sessions", {"agent": "nora"}, 201)
    assert first["room_url"] == "https://room" and first["token"] == "" and first["warnings"] == ["a warning"]
    link = await running.answer("POST", "/admin/sessions/link", {"agent": "nora", "origins": ["https://a.org"]}, 201)
    assert link["session"]["flow"] == "link" and link["token"] and link["start_url"]
    assert ("link", ("nora", ("https://a.org",))) in running.desk.asked
    listed = await running.answer("GET", "/admin/sessions")
    assert [one["id"] for one in listed["sessions"]] == [link["session"]["id"], first["session"]["id"]]
    path = f"/admin/sessions/{first['session']['id']}"
    assert (await running.answer("GET", path))["state"] == "open"
    for _ in range(2):
        ended = await running.answer("POST", f"{path}/end")
        assert ended["session"]["state"] == "ended" and ended["billed_until"] == 303.0
    answer = await running.http.get("/admin/sessions/link")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST, OPTIONS")


async def test_the_log_names_what_was_done_and_no_token(
    running: Administered, caplog: pytest.LogCaptureFixture
) -> None:
    """Who reads the log sees sessions and changes by their ids."""
    with caplog.at_level(logging.INFO, "gateway"):
        await running.answer("POST", APPLY)
        link = await running.answer("POST", "/admin/sessions/link", {"agent": "nora"}, 201)
    lines = [record.getMessage() for record in caplog.records]
    assert any("create of agent nora at Simli" in line for line in lines)
    assert any(link["session"]["id"] in line for line in lines)
    assert link["token"] not in caplog.text and link["start_url"] not in caplog.text


async def test_an_agent_may_be_called_what_a_path_is(tmp_path: Path) -> None:
    """`plan` is a good name for an agent: its file is shown, and asking to plan is something else."""
    async with administered(tmp_path, {"plan": "You are Plan.\n"}) as gateway:
        assert (await gateway.answer("GET", PLAN))["written"]["name"] == "plan"
        assert "changes" in await gateway.answer("POST", PLAN)
