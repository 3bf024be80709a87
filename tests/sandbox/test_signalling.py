"""Signalling in three dialects: the order of its words, its ends, and what is said when something is wrong."""

import asyncio
import contextlib
import itertools
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from gateway.sandbox.accounts import Accounts
from gateway.sandbox.options import Options
from gateway.sandbox.signalling.patience import Patience
from gateway.sandbox.signalling.rest import Rest
from gateway.sandbox.signalling.routes import routes
from gateway.sandbox.tokens import Compose
from tests.sandbox.viewer import Talk, current, legacy, posted, socket, token, tone, viewing
from tests.sandboxed import Sandbox, caller, sandboxed, served

CALM = Patience(again=0.05)
SHORT = Patience(offer=0.2, token=0.05, media=0.3, again=0.05)


@contextlib.asynccontextmanager
async def hasty(patience: Patience = SHORT, /, **behaviour: Any) -> AsyncIterator[tuple[Sandbox, str]]:
    """The signalling alone, of a sandbox that does not wait long, and a token for it."""
    accounts = Accounts(Options(key="key"))
    accounts.behaviour = replace(accounts.behaviour, **behaviour)
    rest = Rest(accounts, patience)
    async with served(Starlette(routes=routes(accounts, rest, patience))) as url:
        yield Sandbox(url, "key"), accounts.tokens.mint(Compose("face", "current"))
        await rest.close()


def path_of(key: str) -> str:
    """The path of today's dialect with a token, which has to be encoded."""
    return f"/compose/webrtc/p2p?{httpx.QueryParams(session_token=key)}"


async def test_todays_order() -> None:
    """The answer with sdp first and nothing but type beside it, no unknown word before START, and START again later."""
    async with (
        hasty(CALM) as (sandbox, key),
        viewing(candidates=False) as (viewer, offer),
        socket(sandbox, f"/compose/webrtc/peer_to_peer?session_token={key}", viewer) as talk,
    ):
        await talk.send(json.dumps(offer))
        await viewer.heard("START", 2)
        answer = viewer.texts[0][1]
        assert answer.startswith('{"sdp":"v=0') and list(json.loads(answer)) == ["sdp", "type"]
        assert "a=candidate" in json.loads(answer)["sdp"]
        assert [list(json.loads(text)) for text in viewer.said[:2]] == [
            ["destination", "session_id"],
            ["video_metadata"],
        ]
        assert viewer.said[2:] == ["START", "START"]


async def test_the_seeds_order() -> None:
    """ACK, the answer, and on the token ACK and START, though the viewer never connects: the oldest client needs it."""
    async with (
        sandboxed() as sandbox,
        viewing() as (viewer, offer),
        socket(sandbox, "/startWebRTCSession", viewer) as talk,
    ):
        viewer.connects = False
        await talk.send(json.dumps(offer))
        await viewer.until(lambda: len(viewer.texts) == 2, "the answer")
        await talk.send("ping 1732.5")
        await talk.send(bytes(640))
        await talk.send(await token(sandbox, legacy=True))
        await viewer.heard("START")
        assert viewer.said == ["ACK", "pong 1732.5", "MISSING_SESSION_TOKEN", "ACK", "START"]
        assert viewer.texts[1][1].startswith('{"sdp":')


async def test_the_rest_form() -> None:
    """One POST is answered; token, PCM, SKIP, ping and the end go over the data channel, and the face moves."""
    async with sandboxed() as sandbox, posted(sandbox) as (viewer, channel):
        channel.send(await token(sandbox, legacy=True))
        await viewer.heard("START")
        channel.send("ping 7")
        channel.send(tone(0.2))
        await viewer.heard("SPEAK")
        channel.send(tone(1.0))
        channel.send("SKIP")
        await viewer.heard("SILENT")
        await viewer.seen(3)
        channel.send("DONE")
        await viewer.heard("STOP")
        assert viewer.said == ["ACK", "START", "pong 7", "ACK", "SPEAK", "ACK", "SILENT", "ENDFRAME", "STOP"]
        await viewer.until(lambda: viewer.connection.connectionState == "closed", "the end")
        assert max(sound.rms for sound in viewer.sounds) > 500
        assert not (await sandbox.state())["running"]


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/compose/webrtc/p2p?session_token=FAIL+TOKEN", "INVALID_SESSION_TOKEN"),
        ("/compose/webrtc/p2p", "MISSING_SESSION_TOKEN"),
        ("/compose/webrtc/livekit?session_token=x", "LIVEKIT_NOT_CONFIGURED"),
        ("/StartWebRTCSessionLivekit", "LIVEKIT_NOT_CONFIGURED"),
    ],
)
async def test_who_may_not_enter_is_told_and_stopped(path: str, code: str) -> None:
    """An error's code, then STOP and the close, for two clients do not understand the error alone."""
    async with sandboxed() as sandbox, viewing() as (viewer, _), socket(sandbox, path, viewer) as talk:
        assert await talk.over() == 1000
        assert viewer.said == [f"ERROR: {code}", "STOP"]


@pytest.mark.parametrize(
    ("says", "code"),
    [
        ([], "NO_OFFER_IN_TIME"),
        ([json.dumps({"sdp": "v=0", "type": "offer"})], "INVALID_OFFER"),
        ([json.dumps({"sdp": 7, "type": "offer"})], "INVALID_OFFER"),
        ([json.dumps({"type": "offer"})], "INVALID_OFFER"),
    ],
)
async def test_an_offer_that_is_none(says: list[str], code: str) -> None:
    """No offer in time, or one that cannot be read, ends both dialects with its code."""
    async with hasty() as (sandbox, key):
        for path in (path_of(key), "/startWebRTCSession"):
            async with viewing() as (viewer, _), socket(sandbox, path, viewer) as talk:
                for text in says:
                    await talk.send(text)
                assert await talk.over() == 1000
                assert [text for text in viewer.said if text != "ACK"] == [f"ERROR: {code}", "STOP"]


async def test_as_many_sessions_as_may_run() -> None:
    """One more is told RATE, in both dialects; when one has ended there is room again."""
    async with sandboxed() as sandbox:
        keys = [await token(sandbox), await token(sandbox, legacy=True)]
        await sandbox.behave(sessions=1, media="audio")
        async with current(sandbox) as first:
            await first.viewer.heard("START")
            async with viewing() as (viewer, _), socket(sandbox, path_of(keys[0]), viewer) as talk:
                assert await talk.over() == 1000
                assert viewer.said == ["RATE LIMIT EXCEEDED", "STOP"]
            async with viewing() as (viewer, offer), socket(sandbox, "/startWebRTCSession", viewer) as talk:
                await talk.send(json.dumps(offer))
                await talk.send(keys[1])
                await talk.over()
                assert viewer.said == ["ACK", "RATE LIMIT EXCEEDED", "STOP"]
            await first.send("DONE")
            await first.over()
        async with viewing() as (viewer, offer), socket(sandbox, path_of(keys[0]), viewer) as talk:
            await talk.send(json.dumps(offer))
            await viewer.heard("START")


async def test_a_post_that_is_no_offer() -> None:
    """422 names what lacks, as FastAPI does; 400 says that an offer cannot be read."""
    async with sandboxed() as sandbox, caller(base_url=sandbox.url) as client:
        lacking = await client.post("/startWebRTCSession", json={"sdp": "v=0"})
        assert (lacking.status_code, lacking.json()["detail"][0]["loc"]) == (422, ["body", "type"])
        assert (await client.post("/startWebRTCSession", content=b"{")).status_code == 422
        assert (await client.post("/startWebRTCSession", json={"sdp": "v=0", "type": "offer"})).status_code == 400


async def test_a_token_that_does_not_come_is_asked_for() -> None:
    """MISSING_SESSION_TOKEN while there is time, then an error; a client that sends it when asked gets its START."""
    async with hasty() as (sandbox, key):
        for late in (False, True):
            async with viewing() as (viewer, offer), socket(sandbox, "/startWebRTCSession", viewer) as talk:
                await talk.send(json.dumps(offer))
                await viewer.heard("MISSING_SESSION_TOKEN")
                if late:
                    assert await talk.over() == 1000
                    assert viewer.said[-2:] == ["ERROR: MISSING_SESSION_TOKEN", "STOP"]
                else:
                    await talk.send(key)
                    await viewer.heard("START")


async def test_silence_and_age_end_a_session() -> None:
    """ENDFRAME, the reason, STOP, a normal close: IDLE after maxIdleTime without audio, MAX after maxSessionLength.

    What plays is not idle, though it was sent at once: the idle time begins when the avatar has fallen silent.
    """

    async def ended(audio: bytes = b"", **limits: Any) -> tuple[list[str], float]:
        async with current(sandbox, **limits) as talk:
            if audio:
                await talk.send(audio)
            assert await talk.over() == 1000
            return talk.viewer.said, talk.viewer.texts[-1][0]

    async with sandboxed() as sandbox:
        idle, oldest, spoke = await asyncio.gather(
            ended(maxIdleTime=1), ended(maxSessionLength=1), ended(tone(0.6), maxIdleTime=1)
        )
        assert idle[0][-3:] == ["ENDFRAME", "CLOSING REASON: IDLE", "STOP"]
        assert oldest[0][-3:] == ["ENDFRAME", "CLOSING REASON: MAX", "STOP"]
        assert "SILENT" in spoke[0] and spoke[0][-2] == "CLOSING REASON: IDLE" and spoke[1] > 1.5
        assert sorted(one["reason"] for one in (await sandbox.state())["sessions"]) == ["IDLE", "IDLE", "MAX"]


async def test_a_socket_that_drops_ends_its_session() -> None:
    """Whoever is gone is not billed: the session ends with its socket."""
    async with sandboxed() as sandbox:
        async with current(sandbox) as talk:
            await talk.viewer.seen()
            assert (await sandbox.state())["running"] == 1
        async with asyncio.timeout(2):
            while (await sandbox.state())["running"]:
                pass


async def test_cameras_and_scenes_are_answered() -> None:
    """The drawn face has no camera and no scenes: each gets Simli's own notice, and no audio is made of them."""
    async with (
        hasty(CALM) as (sandbox, key),
        viewing() as (viewer, offer),
        socket(sandbox, path_of(key), viewer) as talk,
    ):
        await talk.send(json.dumps(offer))
        await viewer.heard("START", 2)
        for message in (b"CAM_" + bytes(36), b"CAM_123", "BG_" + "0" * 32, "FG_nonsense", "BG_" + "7" * 32):
            await talk.send(message)
        await talk.send("ping")
        await viewer.heard("pong")
        assert viewer.said[4:-1] == [
            "Selected model does not support camera overrides",
            "Invalid camera override received",
            "Invalid foreground message: FG_nonsense",
            "background 77777777-7777-7777-7777-777777777777 is not one of your uploaded backgrounds",
        ]


@contextlib.asynccontextmanager
async def faulty(patience: Patience = CALM, /, **behaviour: Any) -> AsyncIterator[Talk]:
    """A viewer of a sandbox that behaves so."""
    async with (
        hasty(patience, **behaviour) as (sandbox, key),
        viewing() as (viewer, offer),
        socket(sandbox, path_of(key), viewer) as talk,
    ):
        await talk.send(json.dumps(offer))
        yield talk


async def test_media_can_lack() -> None:
    """`media`: audio without a picture, or neither of both, though the session has started."""
    async with faulty(media="audio") as talk:
        await talk.viewer.until(lambda: len(talk.viewer.sounds) > 10, "sound")
        assert not talk.viewer.frames
    async with faulty(media="none") as talk:
        await talk.viewer.heard("START", 2)
        await asyncio.sleep(0.1)
        assert not talk.viewer.frames and not talk.viewer.sounds


async def test_pictures_a_second_can_be_25() -> None:
    """`fps`: what is told of the picture is so, as with Simli's newer faces."""
    async with faulty(fps=25) as talk:
        await talk.viewer.seen(12)
        assert '{"video_metadata":{"fps":25,"width":512,"height":512}}' in talk.viewer.said
        times = [frame.seconds for frame in talk.viewer.frames]
        assert {round((later - sooner) * 25) for sooner, later in itertools.pairwise(times)} <= {1, 2, 3, 4}
        assert abs((times[-1] - times[0]) * 25 % 1 - 0.5) > 0.4


async def test_start_can_be_withheld() -> None:
    """`start`: pictures come, and the word that Python's client waits for does not."""
    async with faulty(start="withheld") as talk:
        await talk.viewer.seen(5)
        assert "START" not in talk.viewer.said


async def test_ice_can_be_blocked() -> None:
    """`ice`: signalling goes well, nothing connects, and in the end that is said."""
    async with faulty(SHORT, ice="blocked") as talk:
        assert await talk.over() == 1000
        assert talk.viewer.said[-2:] == ["ERROR: WEBRTC_CONNECTION_FAILED", "STOP"]
        assert not talk.viewer.frames


async def test_a_socket_can_drop() -> None:
    """`drops_after`: it is gone without a word, as a network goes."""
    async with faulty(drops_after=0.05) as talk:
        assert await talk.over() == 1011
        assert "STOP" not in talk.viewer.said


async def test_both_dialects_connect_well_within_a_second() -> None:
    """From the offer to the first picture, with a face that was drawn before and with one that was not."""
    async with sandboxed() as sandbox:
        for dialect in (current, legacy):
            async with dialect(sandbox) as talk:
                await talk.viewer.seen()
                assert talk.viewer.frames[0].at < 1.0
