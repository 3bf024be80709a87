"""What goes wrong has a name of its own, and takes a bounded time."""

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import (
    GatewayError,
    NoConnection,
    NoPicture,
    NoSound,
    NoStart,
    SessionDropped,
    SessionEnded,
    SessionLimited,
    SessionRefused,
    SimliAuthFailed,
    SimliRejected,
    SimliUnavailable,
)
from gateway.peer.packets import Packets
from gateway.peer.patience import Patience
from gateway.peer.performing import Wanted, perform
from gateway.peer.playing import Playing
from gateway.peer.session import Way, joined
from gateway.peer.source import reading
from gateway.peer.watch import Watch
from gateway.peer.words import Words
from gateway.types.peer import PeerDialect, Ticket
from gateway.types.simli import SimliToken
from tests.peer.stage import SHORT, nothing, pcm, stage, waved

ONCE = Wanted(reconnects=0, patience=SHORT)


@pytest.mark.parametrize(
    ("dialect", "behaviour", "kind", "says"),
    [
        ("p2p", {"start": "withheld"}, NoStart, "START did not come within 0.3 s"),
        ("websocket", {"start": "withheld"}, NoStart, "START did not come within 0.3 s"),
        ("rest", {"start": "withheld"}, NoStart, "START did not come within 0.3 s"),
        ("p2p", {"ice": "blocked"}, NoConnection, "no packet gets through"),
        ("websocket", {"ice": "blocked"}, NoConnection, "no packet gets through"),
        ("rest", {"ice": "blocked"}, NoConnection, "no packet gets through"),
        ("websocket", {"media": "audio"}, NoPicture, "sound came but no picture"),
        ("p2p", {"media": "none"}, NoPicture, "neither picture nor sound came"),
        ("p2p", {"drops_after": 0.1}, SessionDropped, "broke without a word"),
        ("rest", {"drops_after": 0.1}, SessionDropped, "broke without a word"),
    ],
)
async def test_what_the_sandbox_does_wrong_is_named(
    dialect: PeerDialect, behaviour: dict[str, Any], kind: type[GatewayError], says: str, tmp_path: Path
) -> None:
    """Each fault raises its own error in its time, and leaves no session behind."""
    watch = Watch()
    async with stage() as on, reading(str(waved(tmp_path / "tone.wav", 3.0))) as source:
        await on.sandbox.behave(**behaviour)
        with pytest.raises(kind, match=says):
            await perform(source, on.way(dialect), on.ticket, watch, ONCE)
        assert watch.now() < 2.5
        assert await on.deserted()


@pytest.mark.parametrize("dialect", ["p2p", "websocket", "rest"])
async def test_a_token_that_opens_nothing(dialect: PeerDialect) -> None:
    """Simli's own word for it is in the message, and the token is not."""
    async with stage() as on:
        ticket = Ticket(SimliToken("not-a-token"))
        with pytest.raises(SessionRefused, match="INVALID_SESSION_TOKEN") as refused:
            async with joined(on.way(dialect), ticket, Watch(), SHORT):
                pass
        assert "not-a-token" not in refused.value.message + repr(ticket)


async def test_too_many_sessions() -> None:
    """RATE is an error of its own, that a caller may try again later."""
    async with stage() as on:
        await on.sandbox.behave(sessions=1)
        second = await on.ticket()
        async with on.joined():
            with pytest.raises(SessionLimited) as limited:
                async with joined(on.way(), second, Watch(), SHORT):
                    pass
        assert (limited.value.status, limited.value.exit_code) == (429, 75)


async def test_a_wrong_key_and_an_unknown_face() -> None:
    """Neither gets as far as a session, and each is told apart."""
    async with stage(key="wrongwrongwrongwrong") as on:
        with pytest.raises(SimliAuthFailed):
            await on.ticket()
    async with stage() as on:
        with pytest.raises(SimliRejected, match="INVALID_FACE_ID"):
            await on.simli.compose_token("invalid-face")


async def test_nobody_listens() -> None:
    """A Simli that is not there is named as such, at once."""
    began = time.monotonic()
    way = Way("http://127.0.0.1:9", "p2p", lambda _: asyncio.sleep(0, ""))
    with pytest.raises(SimliUnavailable):
        async with joined(way, Ticket(SimliToken("t")), Watch(), SHORT):
            pass
    assert time.monotonic() - began < 1


async def test_a_session_that_simli_ends() -> None:
    """That it was as long as it may be is told apart from a broken line."""
    async with stage() as on, on.joined("p2p", maxSessionLength=1) as session:
        with pytest.raises(SessionEnded, match="as long as it may be"):
            await Playing(session, Packets()).play(lambda: asyncio.sleep(9, b""))
        assert session.ending is not None and session.ending.reason == "max"


async def test_a_silent_source_and_a_face_that_is_not_heard_in_time(tmp_path: Path) -> None:
    """That the source is silent is told apart from a face that says nothing."""
    async with stage() as on:
        async with reading(str(waved(tmp_path / "silent.wav", 0.8, loud=0.0))) as source:
            with pytest.raises(NoSound, match="source is silent"):
                await perform(source, on.way(), on.ticket, Watch(), ONCE)
        hasty = Patience(sound=0.001)
        async with on.joined(patience=hasty) as session:
            with pytest.raises(NoSound, match="nothing was heard"):
                await _shout(Playing(session, Packets(), paced=False))


async def _shout(playing: Playing) -> None:
    pieces = iter([pcm(0.1875)] * 40)

    async def read() -> bytes:
        await asyncio.sleep(0.002)
        return next(pieces)

    await playing.play(read)


async def test_a_broken_line_is_taken_up_again(tmp_path: Path) -> None:
    """With a new token, from where the source stands; and the whole of it was one performance."""
    watch = Watch()
    async with stage() as on, reading(str(waved(tmp_path / "tone.wav", 1.5))) as source:
        await on.sandbox.behave(drops_after=0.3)
        playing = asyncio.create_task(perform(source, on.way(), on.ticket, watch, Wanted(patience=SHORT)))
        while watch.sessions < 2 and not playing.done():  # noqa: ASYNC110 a number, not an event
            await asyncio.sleep(0.01)
        await on.sandbox.behave(drops_after=0.0)
        await playing
        assert await on.deserted()
        assert len({ticket.token.text for ticket in on.tickets}) == watch.sessions >= 2
    assert watch.seen and watch.heard and watch.ending is not None and watch.ending.reason == "done"
    assert watch.sent_s - watch.silence_s == pytest.approx(1.5, abs=0.4)


async def test_leaving_in_the_middle_ends_the_session_at_simli() -> None:
    """Whoever is cancelled says DONE first: what was sent is not played out, and nothing runs on."""
    async with stage() as on:
        began = asyncio.Event()

        async def play() -> None:
            async with on.joined() as session:
                playing = Playing(session, Packets(), paced=False)
                pieces = iter([pcm(20.0), b""])

                async def read() -> bytes:
                    return next(pieces)

                await playing.play(read)
                began.set()
                await asyncio.sleep(60)

        task = asyncio.create_task(play())
        await began.wait()
        at = time.monotonic()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await on.deserted()
        assert time.monotonic() - at < 1.5


@pytest.mark.parametrize("first", ["ACK", "STOP", "START", "\ufffd", "{}", '{"sdp": 5}', "[1]"])
async def test_the_first_word_of_the_older_dialect_means_nothing(first: str) -> None:
    """Whatever it is: neither an end nor a start; the second one counts."""
    words = Words(Watch(), reserved=True)
    words.take(first)
    assert not words.over.done() and not words.started.is_set() and not words.answer.done()
    words.take('{"sdp":"v=0","type":"answer"}')
    words.take("whatever else")
    words.take("START")
    assert words.answer.result() == "v=0" and words.started.is_set() and not words.over.done()
    words.take("CLOSING REASON: MAX")
    words.take("STOP")
    assert words.over.result().reason == "max"


@pytest.mark.parametrize(
    ("texts", "reason"),
    [
        (["ERROR: X"], "error"),
        (["error X", "STOP"], "error"),
        (["RATE LIMIT EXCEEDED", "STOP"], "rate"),
        (["ENDFRAME", "CLOSING REASON: IDLE", "STOP"], "idle"),
        (["STOP REASON: MAX"], "max"),
        (["STOP"], "stop"),
        ([], "dropped"),
    ],
)
async def test_why_a_session_is_over(texts: list[str], reason: str) -> None:
    """In both spellings of an error, in both orders of an end, and without a word."""
    words = Words(Watch(), reserved=False)
    for text in texts:
        words.take(text)
    words.gone()
    assert words.over.result().reason == reason


async def test_a_source_at_its_end_sends_nothing() -> None:
    """Not even a packet without a sample in it."""
    async with stage() as on, on.joined() as session:
        await Playing(session, Packets()).play(nothing)
        assert session.watch.sent_s == 0
