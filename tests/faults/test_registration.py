"""Agents at Simli where Simli fails, or where the gateway's public URL changes under them."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from gateway import administration, public
from gateway.app import create_app
from gateway.cli import tunnelling
from gateway.errors import SimliError
from gateway.orchestration.preflight import preflight
from gateway.settings import Settings
from gateway.tunnel import Pace, Tunnel
from tests.registering import NAMES, agency, registering
from tests.sandboxed import Sandbox, sandboxed
from tests.serving import serve
from tests.tunnelled import Scripted

QUICK = Pace(start=15, first=0.05, quiet=0.01, beat=0.05, patience=1, failures=2, hopeless=1000, backoff=0.05)


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    """A local Simli."""
    async with sandboxed() as running:
        yield running


@pytest.fixture
def settings(sandbox: Sandbox, tmp_path: Path) -> Settings:
    """Three agents, a sandbox, no knowledge."""
    return registering(sandbox, tmp_path)


def impatient(settings: Settings) -> Settings:
    """As long as a busy machine needs for an answer, and no longer."""
    return replace(settings, simli=replace(settings.simli, timeout=1.5))


FAULTS: dict[str, dict[str, Any]] = {
    "401": {"status": 401, "body": {"error": "Invalid API key"}},
    "402": {"status": 402, "body": {"detail": "BILLING_ERROR"}},
    "422": {"status": 422, "body": {"detail": [{"loc": ["body", "face_id"], "msg": "field required", "type": "x"}]}},
    "429": {"kind": "limited"},
    "500": {"kind": "failing"},
    "overloaded": {"kind": "overloaded"},
    "HTML": {"kind": "garbage"},
    "hangs": {"kind": "hang"},
    "another shape": {"status": 201, "body": {"agent": {"uuid": "7"}}},
}
LOST: dict[str, dict[str, Any]] = {
    "502": {"status": 502, "body": {}, "after": True},
    "HTML": {"kind": "garbage", "after": True},
    "hangs": {"kind": "hang", "after": True},
    "another shape": {"status": 201, "body": {"agent": {"uuid": "7"}}, "after": True},
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_s20_simli_fails_in_the_middle_of_a_registration(
    settings: Settings, sandbox: Sandbox, fault: str
) -> None:
    """A sentence says why and how far it came, with no secret in it; the next apply makes the rest, nothing twice."""
    async with agency(impatient(settings) if fault == "hangs" else settings) as agents:
        await sandbox.fault("agents.create", count=1, **FAULTS[fault])
        first = await agents.apply()
        assert first.error and first.code.startswith("simli_") and first.left == 3 - len(first.changes)
        assert "planted" not in first.error and sandbox.key not in first.error and "\n" not in first.error
        again = await agents.apply()
        assert again.error == ""
        made = await sandbox.agents()
        assert sorted(agent["name"] for agent in made) == sorted(NAMES)
        assert (await agents.plan()).changed == ()


@pytest.mark.parametrize("fault", LOST)
async def test_s20_simli_makes_an_agent_and_its_answer_is_lost(
    settings: Settings, sandbox: Sandbox, fault: str
) -> None:
    """Nobody is told that it was made, so it is looked for before anything else: no file ever has two agents."""
    async with agency(impatient(settings) if fault == "hangs" else settings) as agents:
        await sandbox.fault("agents.create", count=1, **LOST[fault])
        await agents.apply()
        assert (await agents.apply()).error == ""
        assert sorted(agent["name"] for agent in await sandbox.agents()) == sorted(NAMES)


async def test_s20_simli_fails_where_agents_are_listed(settings: Settings, sandbox: Sandbox) -> None:
    """Nothing is planned, and so nothing done, while nobody knows what is there."""
    async with agency(settings) as agents:
        for fault in ("failing", "garbage", "limited"):
            await sandbox.fault("agents.list", count=1, kind=fault)
            with pytest.raises(Exception) as caught:  # noqa: PT011 each has its own kind
                await agents.apply()
            assert type(caught.value).__name__.startswith("Simli")
        assert await sandbox.agents() == []


async def test_s20_agents_that_no_file_asks_for_are_listed_and_can_be_removed(
    settings: Settings, sandbox: Sandbox
) -> None:
    """An agent of ours whose file is gone stays until `--prune`; strangers stay for ever."""
    async with agency(settings) as agents:
        assert (await agents.apply()).error == ""
        (settings.prompts / "pia.md").unlink()
        states = {one.name: one.state for one in await agents.listed()}
        assert states == {"nora": "in sync", "otto": "in sync", "pia": "no file"}
        await agents.apply()
        assert len(await sandbox.agents()) == 3
        await agents.apply(prune=True)
        assert sorted(agent["name"] for agent in await sandbox.agents()) == ["nora", "otto"]


async def until(true: Callable[[], Any], seconds: float = 20.0) -> None:
    async with asyncio.timeout(seconds):
        while not (  # noqa: ASYNC110 nobody has an event for it
            await found if asyncio.iscoroutine(found := true()) else found
        ):
            await asyncio.sleep(0.02)


async def endpoints(settings: Settings, sandbox: Sandbox) -> dict[str, str]:
    """Where each agent at Simli asks."""
    async with httpx.AsyncClient(base_url=sandbox.url, trust_env=False) as client:
        answer = await client.get("/auto/agents", headers={"x-simli-api-key": settings.simli_key})
    return {agent["name"]: agent["llm_endpoint"] for agent in answer.json()}


async def client_made(settings: Settings, sandbox: Sandbox) -> str:
    """Somebody else's agent of the same name as one of our files; where it asks."""
    endpoint = "https://elsewhere.example.org/v1/chat/completions"
    async with httpx.AsyncClient(base_url=sandbox.url, trust_env=False) as client:
        body = {"name": "pia", "face_id": "tmp9i8bbq7c", "llm_endpoint": endpoint}
        answer = await client.post("/auto/agent", json=body, headers={"x-simli-api-key": settings.simli_key})
    assert answer.status_code == 201
    return endpoint


@contextlib.asynccontextmanager
async def reached(settings: Settings, scripted: Scripted) -> AsyncIterator[tuple[Tunnel, str]]:
    """A gateway with a tunnel; the tunnel and the gateway's own URL."""
    tunnel = Tunnel(scripted.command, settings.var, {"PATH": os.defpath}, pace=QUICK)
    agents = (await asyncio.to_thread(administration.read, settings)).agents
    async with serve(create_app(settings, agents, missing=tunnel.missing)) as url:
        keeping = asyncio.create_task(
            tunnel.kept(url, partial(tunnelling.said, settings), partial(tunnelling.followed, settings))
        )
        try:
            await until(lambda: public.tunnelled(settings.var))
            yield tunnel, url
            assert not keeping.done()
        finally:
            keeping.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await keeping


async def test_s21_a_tunnel_gives_another_url(settings: Settings, sandbox: Sandbox, tmp_path: Path) -> None:
    """Our agents at Simli follow within a moment, even where it fails at first; none is made, no stranger touched."""
    scripted = Scripted(tmp_path)
    async with agency(settings) as agents, reached(settings, scripted) as (tunnel, _):
        (settings.prompts / "pia.md").rename(settings.prompts / "pia.later")
        assert (await agents.apply()).error == ""
        (settings.prompts / "pia.later").rename(settings.prompts / "pia.md")
        before = await endpoints(settings, sandbox)
        assert all(endpoint.startswith(f"{tunnel.url}/k/") for endpoint in before.values())
        stranger = await client_made(settings, sandbox)
        await sandbox.fault("agents.update", count=1, kind="failing")
        scripted.tell("change")

        async def followed() -> bool:
            found = await endpoints(settings, sandbox)
            ours = [found["nora"], found["otto"]]
            return all(endpoint.startswith(f"{tunnel.url}/k/") for endpoint in ours) and found != before

        await until(followed)
        after = await endpoints(settings, sandbox)
        assert after.pop("pia") == stranger and sorted(after) == ["nora", "otto"]
        assert {urlsplit(url).path for url in after.values()} == {urlsplit(url).path for url in before.values()}
        assert (await preflight(after["nora"], "", "nora")).target == "extractive"
    scripted.close()


async def test_s21_simli_refuses_the_key_when_the_url_changes(
    settings: Settings, sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    """What asking again does not mend is said once, with what to do then; an unavailable Simli is asked again."""
    async with agency(settings) as agents:
        assert (await agents.apply()).error == ""
    moved = replace(settings, public_url="http://127.0.0.1:10")
    for operation in ("agents.list", "agents.update"):
        await sandbox.fault(operation, count=1, status=401, body={"error": "Invalid API key"})
        caplog.clear()
        await tunnelling.followed(moved, moved.public_url)
        assert "gateway agents apply" in caplog.text and sandbox.key not in caplog.text
        await sandbox.mend()
    await sandbox.fault("agents.update", count=1, status=429, body={})
    with pytest.raises(SimliError):
        await tunnelling.followed(moved, moved.public_url)
    await tunnelling.followed(moved, moved.public_url)
    assert {urlsplit(url).port for url in (await endpoints(moved, sandbox)).values()} == {10}


async def test_s21_nothing_comes_through_the_public_url_any_more(settings: Settings, tmp_path: Path) -> None:
    """A call of one's own through it fails: readiness says `public URL` until it is back, and answers go on."""
    scripted = Scripted(tmp_path)
    async with reached(settings, scripted) as (_, url), httpx.AsyncClient(base_url=url, trust_env=False) as client:

        async def missing() -> list[str]:
            ready = await client.get("/readyz")
            assert ready.status_code == 200
            found: list[str] = ready.json()["missing"]
            return found

        assert "public URL" not in await missing()
        scripted.tell("deaf")

        async def gone() -> bool:
            return "public URL" in await missing()

        await until(gone)
        scripted.tell("change")
        scripted.tell("hear")

        async def back() -> bool:
            return "public URL" not in await missing()

        await until(back)
    scripted.close()
