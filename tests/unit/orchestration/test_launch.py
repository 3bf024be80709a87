"""gateway/orchestration/launch.py: against a sandbox and a store that run."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.errors import (
    ConfigurationError,
    Conflict,
    InvalidValue,
    KeyNotTaken,
    NotFound,
    SimliAuthFailed,
    SimliBilling,
    SimliError,
    SimliLimited,
    SimliOverloaded,
    SimliProtocolError,
    SimliRejected,
    SimliTimeout,
    SimliUnavailable,
    StoreUnavailable,
    StreamBuffered,
)
from gateway.settings import SANDBOX_KEY
from gateway.settings import Simli as Options
from tests.launches import PUBLIC, Site, site
from tests.sandboxed import Sandbox, sandboxed
from tests.stores import free_port, running, until

STARTS = ("auto.start", "auto.start_agent")


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with sandboxed() as started:
        yield started


@pytest.fixture
async def here(sandbox: Sandbox, tmp_path: Path) -> AsyncIterator[Site]:
    async with site(tmp_path, sandbox.url) as made:
        yield made


async def starts(sandbox: Sandbox) -> int:
    """How often a session was asked for."""
    return sum([len(await sandbox.calls(operation)) for operation in STARTS])


async def test_all_fields_go_with_the_start(here: Site, sandbox: Sandbox) -> None:
    """The URL has the key in it, which is for this agent and this session, and ends a minute after it."""
    launched = await here.desk.start("nora", False)
    session = launched.session
    [call] = await sandbox.calls("auto.start")
    sent = call["body"]
    [(base, key, model)] = here.looked
    assert base == f"{PUBLIC}/k/{key}/agents/nora/v1" and model == "nora"
    assert sent["maxSessionLength"] == 600 and sent["maxIdleTime"] == 120 and sent["createTranscript"] is True
    assert sent["systemPrompt"].startswith("This agent is served by its own gateway")
    known = here.store.keys.recognise(key)
    assert known is not None and known.session == session.id == f"ses_{known.id}" and known.agent == "nora"
    assert known.scope == "chat" and known.expires == session.expires == pytest.approx(time.time() + 660, abs=5)
    assert launched.room_url == session.room_url and session.simli_id
    assert await here.desk.shown(session.id) == session and (await here.desk.listed()) == [session]
    assert key not in repr(launched) and SANDBOX_KEY not in repr(launched)
    at_simli = await sandbox.session(session.simli_id)
    assert "llmConfig" in str(at_simli["llm"])


async def test_by_agent_a_token_has_the_key(here: Site, sandbox: Sandbox) -> None:
    """The agent at Simli is started by a token that expires and has no origins; its URL and key were looked at."""
    id_ = await here.applied()
    launched = await here.desk.start("nora", True)
    [token] = await sandbox.calls("auto.token")
    assert token["body"]["expiryStamp"] == pytest.approx(launched.session.expires, abs=1)
    assert token["body"]["originAllowList"] == [] and token["body"]["createTranscript"] is True
    [(base, key, _)] = here.looked
    assert base.startswith(f"{PUBLIC}/k/{here.pad.id}.") and base.endswith("/agents/nora/v1") and key not in base
    assert launched.session.simli_agent == id_ and launched.session.flow == "agent" and launched.room_url
    assert not launched.token and len(await sandbox.calls("auto.start_agent")) == 1


async def test_a_link_starts_nothing(here: Site, sandbox: Sandbox) -> None:
    """Its address starts a session from its pages only, for an hour; its key lives as long as the last one."""
    await here.applied()
    here.warns = ("slow",)
    launched = await here.desk.link(
        "nora", ["https://Www.Example.org/", "http://127.0.0.1:3000", "https://www.example.org"]
    )
    assert await starts(sandbox) == 0 and launched.warnings == ("slow",)
    [token] = await sandbox.calls("auto.token")
    assert token["body"]["originAllowList"] == ["https://www.example.org", "http://127.0.0.1:3000"]
    assert token["body"]["expiryStamp"] == pytest.approx(time.time() + 3600, abs=5)
    assert launched.session.expires == pytest.approx(time.time() + 3600 + 660, abs=5)
    assert launched.token not in repr(launched) and launched.start_url not in repr(launched)
    async with httpx.AsyncClient() as browser:
        other = await browser.get(launched.start_url, headers={"origin": "https://evil.example"})
        assert other.status_code in (401, 403)
        own = await browser.get(launched.start_url, headers={"origin": "https://www.example.org"})
    assert own.status_code == 200 and own.json()["roomUrl"]


async def test_a_links_origins_are_the_files_where_none_are_named(here: Site, sandbox: Sandbox) -> None:
    """Without any, or with what is no origin, nothing is made."""
    await here.applied("paged")
    await here.desk.link("paged", [])
    assert (await sandbox.calls("auto.token"))[0]["body"]["originAllowList"] == ["https://www.example.org"]
    for origins in (
        [],
        ["www.example.org"],
        ["https://a.example/path"],
        ["https://u:p@a.example"],
        ["*"],
        ["https://"],
    ):
        with pytest.raises(InvalidValue) as error:
            await here.desk.link("nora", origins)
        assert error.value.param == "origins"
    assert len(await here.desk.listed()) == 1


@pytest.mark.parametrize("by_agent", [False, True])
async def test_what_the_look_finds_stops_the_launch(here: Site, sandbox: Sandbox, by_agent: bool) -> None:
    """Nothing is started, the key opens nothing, the place is free, and the record says why."""
    await here.applied()
    here.fails = StreamBuffered("something between holds the stream back")
    with pytest.raises(StreamBuffered):
        await here.desk.start("nora", by_agent)
    assert await starts(sandbox) == 0 and not await sandbox.calls("auto.token")
    [session] = await here.desk.listed()
    assert session.ended is not None and not session.unsure and "holds the stream back" in session.note
    assert here.key_state(session.key) == "revoked"
    ended = await here.desk.end(session.id)
    assert "never started" in ended.says and ended.billed_until == session.started


async def test_a_key_that_is_not_known_yet_is_looked_at_again(here: Site, sandbox: Sandbox) -> None:
    """Another process may hear of a new key a moment later; one that never does stops the launch."""
    here.fails = KeyNotTaken("no such key")
    task = asyncio.ensure_future(here.desk.start("nora", False))
    await until(lambda: bool(here.looked))
    here.fails = None
    assert (await task).room_url and len(here.looked) > 1


FAULTS: Mapping[str, tuple[dict[str, Any], type[SimliError]]] = {
    "401": ({"status": 401, "body": {"detail": "INVALID_API_KEY"}}, SimliAuthFailed),
    "402": ({"status": 402, "body": {"detail": "BILLING_ERROR"}}, SimliBilling),
    "422": ({"status": 422, "body": {"detail": [{"loc": ["body", "faceId"], "msg": "bad"}]}}, SimliRejected),
    "limited": ({"kind": "limited"}, SimliLimited),
    "overloaded": ({"kind": "overloaded"}, SimliOverloaded),
    "500": ({"kind": "failing"}, SimliUnavailable),
    "garbage": ({"kind": "garbage"}, SimliProtocolError),
    "hang": ({"kind": "hang"}, SimliTimeout),
    "500 after it was done": ({"kind": "failing", "after": True}, SimliUnavailable),
}
UNSURE = ("500", "garbage", "hang", "500 after it was done")


@pytest.mark.parametrize("operation", STARTS)
async def test_what_simli_answers_to_the_start_is_said_and_nothing_is_started_twice(
    sandbox: Sandbox, tmp_path: Path, operation: str
) -> None:
    """The key is taken away; where the session may run all the same, error and record say so, and until when."""
    async with site(tmp_path, sandbox.url, options=Options("current", 0.4, 0.0)) as here:
        await here.applied()
        for count, (name, (fault, kind)) in enumerate(FAULTS.items(), 1):
            unsure = name in UNSURE
            await sandbox.fault(operation, **fault)
            with pytest.raises(kind) as error:
                await here.desk.start("nora", operation == "auto.start_agent")
            await sandbox.mend()
            assert await starts(sandbox) == count, name
            session = (await here.desk.listed())[0]
            assert session.unsure is unsure and session.ended is not None, name
            assert here.key_state(session.key) == "revoked", name
            assert session.note == error.value.message == str(error.value), name
            assert ("may have started" in session.note) is unsure, name
            assert ("120 s of silence or 600 s" in session.note) is unsure, name
            assert SANDBOX_KEY not in session.note and here.looked[-1][1] not in session.note, name
            says = (await here.desk.end(session.id)).says
            assert ("never started" in says) is not unsure and ("bills until" in says) is unsure, name


async def test_a_token_that_is_refused_starts_nothing(here: Site, sandbox: Sandbox) -> None:
    """A FAIL TOKEN is no token."""
    await here.applied()
    await sandbox.fault("auto.token", "fail_token")
    with pytest.raises(SimliRejected):
        await here.desk.start("nora", True)
    with pytest.raises(SimliRejected):
        await here.desk.link("nora", ["https://a.example"])
    assert await starts(sandbox) == 0
    assert {here.key_state(session.key) for session in await here.desk.listed()} == {"revoked"}


async def test_a_simli_that_is_not_there_has_started_nothing(tmp_path: Path) -> None:
    """Where no connection comes about the error says that alone."""
    async with site(tmp_path, f"http://127.0.0.1:{free_port()}", options=Options("legacy", 1.0, 0.0)) as here:
        with pytest.raises(SimliUnavailable) as error:
            await here.desk.start("nora", False)
        [session] = await here.desk.listed()
    assert error.value.unsent and "may have" not in error.value.message and not session.unsure


async def test_a_launch_that_is_broken_off_takes_its_key_away(sandbox: Sandbox, tmp_path: Path) -> None:
    """A caller that goes while Simli is asked leaves no key that opens; the session may run, and the record says so."""
    async with site(tmp_path, sandbox.url) as here:
        await sandbox.fault("auto.start", "hang")
        task = asyncio.ensure_future(here.desk.start("nora", False))
        await until(lambda: bool(here.looked))
        for _ in range(200):
            if await sandbox.calls("auto.start"):
                break
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        [session] = await here.desk.listed()
        assert session.unsure and "broken off" in session.note and here.key_state(session.key) == "revoked"


async def test_an_agent_that_is_not_applied_cannot_be_started(here: Site, sandbox: Sandbox) -> None:
    """Not there, a stranger of its name, or ours with the URL of yesterday: the message says what to run."""
    async with here.pad.simli() as simli:
        await simli.create_agent({"name": "nora", "face_id": "x", "llm_endpoint": "https://api.openai.com/v1"})
        for says in ("not at Simli yet", "another URL"):
            with pytest.raises(Conflict, match=says) as error:
                await here.desk.start("nora", True)
            assert "gateway agents apply" in error.value.message
            await here.applied()
            await here.store.generations.rotate("nora")
        await here.applied()
    assert (await here.desk.start("nora", True)).room_url
    assert len(await here.desk.listed()) == 1


async def test_what_simli_cannot_take_is_said_before_anything_is_done(here: Site, sandbox: Sandbox) -> None:
    """An agent that is none, and a voice whose key is not set: no key is made, and Simli starts nothing."""
    with pytest.raises(NotFound, match="there are: mute, nora, paged, spoken"):
        await here.desk.start("nobody", False)
    for by_agent in (False, True):
        with pytest.raises(ConfigurationError) as error:
            await here.desk.start("spoken", by_agent)
        assert "TTS_KEY" in str(error.value.faults[0])
    assert await here.desk.listed() == [] and await starts(sandbox) == 0 and not here.looked


async def test_a_voices_key_goes_to_simli_and_nowhere_else(sandbox: Sandbox, tmp_path: Path) -> None:
    """It is read from the environment by the name that the file gives."""
    async with site(tmp_path, sandbox.url) as here:
        here.pad = replace(here.pad, settings=replace(here.settings, environ={"TTS_KEY": "planted-tts-key"}))
        await here.applied("spoken")
        launched = [await here.desk.start("spoken", by_agent) for by_agent in (False, True)]
        records = [await here.desk.shown(each.session.id) for each in launched]
    assert "planted" not in repr(launched) + repr(records)


async def test_no_more_are_started_than_may_be_open(sandbox: Sandbox, tmp_path: Path) -> None:
    """The next one is refused before Simli is asked, its key taken back; an end makes room."""
    async with site(tmp_path, sandbox.url, options=Options(sessions=1)) as here:
        first = await here.desk.start("nora", False)
        with pytest.raises(Conflict, match=r"1 session is open.*gateway sessions end") as error:
            await here.desk.start("nora", False)
        assert error.value.status == 409 and await starts(sandbox) == 1 and len(here.looked) == 1
        assert len(await here.desk.listed()) == 1
        await here.desk.end(first.session.id)
        assert (await here.desk.start("nora", False)).room_url


async def test_without_a_store_nothing_is_started(sandbox: Sandbox, tmp_path: Path) -> None:
    """StoreUnavailable, and Simli was asked for nothing that bills."""
    (tmp_path / "server").mkdir()
    with running("valkey", tmp_path / "server") as server:
        async with site(tmp_path / "var", sandbox.url, redis=server.url) as here:
            await here.applied()
            server.kill()
            for by_agent in (False, True):
                with pytest.raises(StoreUnavailable):
                    await here.desk.start("nora", by_agent)
    assert await starts(sandbox) == 0


async def test_a_store_that_goes_while_it_starts_costs_the_record(sandbox: Sandbox, tmp_path: Path) -> None:
    """The room is there and bills, so it is told, with a warning; nothing is started twice."""
    (tmp_path / "server").mkdir()
    with running("valkey", tmp_path / "server") as server:
        async with site(tmp_path / "var", sandbox.url, redis=server.url) as here:
            real = here.pad.look

            async def look(base_url: str, key: str, model: str) -> Any:
                server.kill()
                return await real(base_url, key, model)

            here.pad = replace(here.pad, look=look)
            launched = await here.desk.start("nora", False)
    assert launched.room_url and "the store went away" in launched.warnings[-1] and await starts(sandbox) == 1


async def test_an_end_takes_the_key_away_and_says_what_is_still_billed(here: Site, sandbox: Sandbox) -> None:
    """Said twice it is the same end; Simli's own limits are named; what is no session is a NotFound."""
    launched = await here.desk.start("nora", False)
    ended = await here.desk.end(launched.session.id)
    assert here.key_state(launched.session.key) == "revoked"
    assert ended.billed_until == pytest.approx(launched.session.started + 600, abs=2) and "120 s" in ended.says
    assert (await here.desk.end(launched.session.id)).session == ended.session
    here.ahead = 700
    assert "by its own limits" in (await here.desk.end(launched.session.id)).says
    for nobody in ("ses_zzzzzzzzzzzz", "*", ""):
        for does in (here.desk.end, here.desk.shown, here.desk.transcript):
            with pytest.raises(NotFound):
                await does(nobody)
