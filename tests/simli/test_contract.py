"""Each endpoint of Simli's that the gateway uses, as its contract has it: the client against the sandbox, or Simli.

A `row` names the endpoints that a test is about; those of a test in both dialects are both rows.
"""

import ast
import contextlib
import time
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiortc import RTCPeerConnection, RTCSessionDescription

from gateway.errors import SimliAuthFailed, SimliNotFound, SimliRejected
from gateway.settings import Simli as Options
from gateway.simli.client import Simli, opened
from gateway.simli.dialect import Dialect
from gateway.simli.fields import agent_fields, session_fields
from gateway.types import Agent, Voice
from gateway.types.simli import SimliAgent
from tests.sandboxed import Sandbox
from tests.simli.conftest import Place
from tests.simli.rows import IN_SCOPE

NORA = Agent("nora", "You are Nora.", first_message="Hello.", voice=Voice("cartesia", "voice-1", "sonic-2"))
ENDPOINT = "https://gateway.example.org/agents/nora/v1/chat/completions"
LLM_KEY = "gw-planted-llm-key"
BILLS = "a session is billed"
STAYS = "it would leave something behind, or be billed"


@contextlib.asynccontextmanager
async def made(simli: Simli) -> AsyncIterator[SimliAgent]:
    """An agent that is gone afterwards, at the real Simli too."""
    fields = {**agent_fields(NORA, ENDPOINT, "[gateway test]").fields, "name": f"contract test {uuid.uuid4()}"}
    agent = await simli.create_agent(fields)
    try:
        yield agent
    finally:
        await simli.delete_agent(agent.id)


def session(dialect: Dialect, **more: Any) -> dict[str, Any]:
    mapped = session_fields(NORA, ENDPOINT, LLM_KEY, tts_key="tts", dialect=dialect, marker="[gateway test]")
    return {**mapped.fields, **more}


@pytest.mark.row("ping")
async def test_ping(simli: Simli) -> None:
    """It answers, without a key."""
    await simli.ping()


@pytest.mark.row("agent-create", "agent-read", "agent-list", "agent-update", "agent-delete")
@pytest.mark.row("auto-agent-create", "auto-agent-read", "auto-agent-list", "auto-agent-update", "auto-agent-delete")
async def test_an_agents_life(simli: Simli) -> None:
    """Made with what it was sent and what Simli assigns; read, listed, changed in part, deleted, and gone."""
    async with made(simli) as agent:
        assert agent.id and agent.fields["llm_endpoint"] == ENDPOINT
        assert agent.fields["voice_provider"] == "cartesia" and agent.fields["max_idle_time"] == 300
        assert {"owner_id", "created_at", "updated_at"} <= set(agent.fields)
        assert (await simli.agent(agent.id)).name == agent.name
        assert agent.id in [each.id for each in await simli.agents()]
        await simli.update_agent(agent.id, {"first_message": "Welcome.", "max_idle_time": 60})
        changed = (await simli.agent(agent.id)).fields
        assert (changed["first_message"], changed["max_idle_time"]) == ("Welcome.", 60)
        assert (changed["prompt"], changed["llm_endpoint"]) == ("[gateway test]", ENDPOINT)
        await simli.delete_agent(agent.id)
        with pytest.raises(SimliNotFound):
            await simli.agent(agent.id)
        with pytest.raises(SimliNotFound):
            await simli.update_agent(agent.id, {"name": "x"})
    assert agent.id not in [each.id for each in await simli.agents()]


@pytest.mark.row("agent-create", "auto-agent-create")
@pytest.mark.here("a value that Simli takes after all would leave an agent behind")
async def test_an_agent_with_a_strange_provider_is_refused(simli: Simli) -> None:
    """Simli's Agents take elevenlabs and cartesia only; what it says is passed on."""
    with pytest.raises(SimliRejected, match=r"create the agent: it refuses what was sent .*voice_provider"):
        await simli.create_agent({"name": "x", "face_id": "f", "voice_provider": "playht"})


@pytest.mark.row("createE2ESessionToken", "auto-token")
async def test_a_token_for_an_agents_session(simli: Simli) -> None:
    """With keys, expiry, origins: an opaque text of some length."""
    token = await simli.auto_token(
        llm_key=LLM_KEY,
        tts_key="tts",
        expires=int(time.time()) + 60,
        origins=["https://a.example.org"],
        transcript=True,
    )
    assert len(token.text) > 40 and " " not in token.text


@pytest.mark.parametrize("dialect", ["legacy", "current"])
@pytest.mark.row("createE2ESessionToken", "auto-token", "agent-list", "auto-agent-list", "compose-token", "compose-ice")
@pytest.mark.row("startAudioToVideoSession", "getIceServers", "startE2ESession", "auto-start", "ratelimiter", "history")
async def test_a_wrong_key_is_refused_wherever_it_goes(place: Place, dialect: str) -> None:
    """In a header or in the body, under each of its four names; the token in the refusal is not taken."""
    async with opened(place.url, "x" * 24, Options(dialect=dialect, patience=0)) as simli:
        calls = (
            simli.agents,
            simli.auto_token,
            lambda: simli.compose_token("tmp9i8bbq7c"),
            simli.ice,
            simli.usage,
            simli.history,
            lambda: simli.start({"faceId": "tmp9i8bbq7c"}),
        )
        for call in calls:
            with pytest.raises(SimliAuthFailed, match="it refuses the API key"):
                await call()


@pytest.mark.row("startE2ESession", "auto-start")
@pytest.mark.here(BILLS)
@pytest.mark.parametrize("dialect", ["legacy", "current"])
async def test_a_session_with_all_its_fields(place: Place, sandbox: Sandbox, dialect: Dialect) -> None:
    """Starts once, in a room; Simli is given both forms of the LLM, and knows every field but the newer form."""
    async with opened(place.url, place.key, Options(dialect=dialect)) as simli:
        started = await simli.start(session(dialect))
    assert started.id and started.room_url.startswith("http")
    (call,) = await sandbox.calls("auto.start")
    assert call["unknown"] in ([], ["llmConfig"] if dialect == "legacy" else [])
    assert LLM_KEY not in str(await sandbox.state())
    assert (await sandbox.session(started.id))["state"] in ("waiting", "open", "running", "began")


@pytest.mark.row("startE2ESession", "auto-start")
@pytest.mark.here(BILLS)
async def test_a_session_with_a_wrong_value_is_refused(place: Place) -> None:
    """FastAPI's 422, with the field's name."""
    for dialect in ("legacy", "current"):
        async with opened(place.url, place.key, Options(dialect=dialect)) as simli:
            with pytest.raises(SimliRejected, match=r"\(422: body\.ttsProvider: Input should be") as caught:
                await simli.start({"faceId": "f", "ttsProvider": "Polly"})
            assert caught.value.exit_code == 65


@pytest.mark.row("session-path", "session-header", "auto-start-path", "auto-start-header")
@pytest.mark.here(BILLS)
@pytest.mark.parametrize("in_header", [False, True], ids=["path", "header"])
async def test_a_session_of_an_agent(simli: Simli, sandbox: Sandbox, *, in_header: bool) -> None:
    """The token starts it, from the path or from a header; each call starts one more."""
    async with made(simli) as agent:
        token = await simli.auto_token(llm_key=LLM_KEY)
        started = await simli.start_agent(agent.id, token, in_header=in_header)
        assert started.id and started.room_url.startswith("http")
        assert await simli.usage() == 1
    assert token.text not in str(await sandbox.state())
    assert len(await sandbox.calls("auto.start_agent")) == 1


@pytest.mark.row("session-path", "auto-start-path")
@pytest.mark.here(BILLS)
async def test_a_token_has_an_end_and_origins(simli: Simli) -> None:
    """Expired, or asked by another page than it is for, it starts nothing: the token's fault, not the key's."""
    async with made(simli) as agent:
        expired = await simli.auto_token(expires=int(time.time()) - 1)
        elsewhere = await simli.auto_token(origins=["https://a.example.org"])
        for token in (expired, elsewhere):
            with pytest.raises(SimliRejected, match="it refuses the session token, or the origin"):
                await simli.start_agent(agent.id, token)
        assert await simli.usage() == 0


@pytest.mark.row("getE2ETranscript", "auto-transcript")
async def test_a_transcript_that_is_not_there_is_pending(simli: Simli) -> None:
    """404 says nothing more."""
    assert await simli.transcript(str(uuid.uuid4())) is None


@pytest.mark.row("getE2ETranscript", "auto-transcript")
@pytest.mark.here(BILLS)
@pytest.mark.parametrize("dialect", ["legacy", "current"])
async def test_a_transcript_is_there_after_the_end(place: Place, sandbox: Sandbox, dialect: Dialect) -> None:
    """While the session runs it is pending; then it has what was said, with roles and times."""
    async with opened(place.url, place.key, Options(dialect=dialect)) as simli:
        started = await simli.start(session(dialect))
        assert await simli.transcript(started.id) is None
        await sandbox.leave(started.room_url)
        lines = await simli.transcript(started.id)
    assert lines is not None
    assert [line.role for line in lines] in ([], ["assistant"])


@pytest.mark.row("startAudioToVideoSession", "compose-token")
async def test_a_token_for_audio_of_ones_own(simli: Simli) -> None:
    """An opaque text of some length; a face with an emotion has a slash."""
    assert len((await simli.compose_token("tmp9i8bbq7c", handleSilence=False, maxIdleTime=30)).text) > 40


@pytest.mark.row("compose-token")
async def test_an_unknown_face_is_refused_though_a_token_comes_along(current: Simli) -> None:
    """The body's FAIL TOKEN is not taken for one."""
    with pytest.raises(SimliRejected) as caught:
        await current.compose_token("invalid face!")
    assert (caught.value.simli_code, caught.value.simli_status) == ("INVALID_FACE_ID", 400)


@pytest.mark.row("getIceServers", "compose-ice")
async def test_ice_servers(simli: Simli) -> None:
    """At least one, each with an address."""
    servers = await simli.ice()
    assert servers and all(url.startswith(("stun:", "turn:", "turns:")) for each in servers for url in each.urls)


@pytest.mark.row("startWebRTCSession")
@pytest.mark.here(BILLS)
async def test_signalling_in_the_rest_form(legacy: Simli) -> None:
    """An offer is answered with what a peer can take."""
    peer = RTCPeerConnection()
    try:
        peer.addTransceiver("audio", direction="recvonly")
        peer.addTransceiver("video", direction="recvonly")
        peer.createDataChannel("datachannel")
        await peer.setLocalDescription(await peer.createOffer())
        answer = await legacy.signalled(peer.localDescription.sdp)
        await peer.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        assert peer.signalingState == "stable"
    finally:
        await peer.close()


@pytest.mark.row("history")
async def test_history(simli: Simli) -> None:
    """Of a range of time, too."""
    assert isinstance(await simli.history(), list)
    assert await simli.history("2020-01-01T00:00:00Z", "2020-01-02T00:00:00Z") == []


@pytest.mark.row("history", "ratelimiter")
@pytest.mark.here(BILLS)
async def test_a_session_counts_and_is_remembered(current: Simli, sandbox: Sandbox) -> None:
    """While it runs it is one of those at once; after its end it is history, with its face and times."""
    started = await current.start(session("current"))
    assert await current.usage() == 1
    await sandbox.leave(started.room_url)
    assert await current.usage() == 0
    (past,) = await current.history()
    assert past.face_id == "tmp9i8bbq7c" and past.started and past.ended and past.seconds >= 0


@pytest.mark.row("ratelimiter")
async def test_sessions_at_once(simli: Simli) -> None:
    """A number."""
    assert await simli.usage() >= 0


async def test_auto_speaks_what_simli_serves(place: Place) -> None:
    """Nothing is set: a Simli of today, and one of then, are both found out."""
    async with opened(place.url, place.key, Options()) as simli:
        await simli.agents()
        assert await simli.dialect() == "current"
    if place.sandbox is None:
        return
    await place.sandbox.behave(serves="legacy")
    async with opened(place.url, place.key, Options()) as simli:
        await simli.auto_token()
        assert await simli.dialect() == "legacy"


@pytest.mark.here("a Simli of one generation only")
async def test_a_dialect_that_simli_does_not_speak_is_named(place: Place, sandbox: Sandbox) -> None:
    """Where the wrong one is set, the message does not blame an id."""
    await sandbox.behave(serves="current")
    async with opened(place.url, place.key, Options(dialect="legacy")) as simli:
        with pytest.raises(SimliNotFound, match="it has no such call in this dialect, or nothing of that id"):
            await simli.auto_token()


@pytest.mark.here("a sandbox's faults")
@pytest.mark.parametrize("kind", ["overloaded", "limited", "failing", "fail_token"])
async def test_a_passing_fault_passes(place: Place, sandbox: Sandbox, kind: str) -> None:
    """Asked once more, an overloaded Simli makes the token; one that refuses it is not asked again."""
    await sandbox.fault("auto.token", kind, count=1, headers={})
    async with opened(place.url, place.key, Options(dialect="current", patience=5)) as simli:
        if kind == "fail_token":
            with pytest.raises(SimliRejected, match="INVALID_FACE_ID"):
                await simli.auto_token()
        else:
            assert (await simli.auto_token()).text.startswith("gAAAA")
    assert len(await sandbox.calls("auto.token")) == (1 if kind == "fail_token" else 2)


@pytest.mark.here("a sandbox's faults")
async def test_an_agent_whose_answer_was_lost_is_not_made_twice(place: Place, sandbox: Sandbox) -> None:
    """It exists although the client saw an error: the next plan finds it."""
    await sandbox.fault("agents.create", "failing", count=1, after=True)
    async with opened(place.url, place.key, Options(dialect="current", patience=5)) as simli:
        with pytest.raises(Exception, match="Simli did not create the agent: it failed"):
            await simli.create_agent(agent_fields(NORA, ENDPOINT, "").fields)
        assert len(await simli.agents()) == 1


def test_every_row_has_a_test() -> None:
    """What is in scope is tested, and a test names nothing else."""
    marks = [
        [argument.value for argument in node.args if isinstance(argument, ast.Constant)]
        for path in Path(__file__).parent.glob("test_contract*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.row"
    ]
    assert {row for mark in marks for row in mark} == set(IN_SCOPE)
