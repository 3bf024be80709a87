"""A person in a room: heard at the pace of speech, hushed in the middle of a word, and told why it is over."""

import asyncio
import time
from typing import Any

import numpy as np
import pytest

from gateway.errors import (
    GatewayError,
    NoAnswer,
    NoPicture,
    SessionDropped,
    SessionEnded,
    SessionLimited,
    SessionRefused,
    SimliUnavailable,
)
from gateway.peer.microphone import Microphone
from gateway.peer.patience import Patience
from gateway.peer.room import Room, entered
from gateway.peer.watch import Watch
from gateway.types.peer import Ending
from tests.peer.rooms import room
from tests.peer.stage import SHORT, pcm

UNHURRIED = Patience(connect=5.0, picture=5.0)


def loud(wave: "np.ndarray[Any, Any]") -> list[tuple[float, float]]:
    """Begin and end, in seconds, of what is heard of a tone."""
    blocks = wave[: wave.size // 480 * 480].reshape(-1, 480).astype(np.float64)
    audible = np.flatnonzero(np.sqrt(np.square(blocks).mean(axis=1)) > 1000)
    if not audible.size:
        return []
    cuts = np.flatnonzero(np.diff(audible) > 5)
    return [(float(part[0]) / 100, float(part[-1] + 1) / 100) for part in np.split(audible, cuts + 1)]


async def test_what_is_said_is_heard_as_it_was_said() -> None:
    """In its length and loudness, between silence that flows all the time, frame behind frame; and the session ends."""
    watch = Watch()
    async with room() as other:
        async with entered(other.url, watch, UNHURRIED) as there:
            await asyncio.sleep(0.3)
            before = watch.now()
            said = await there.say(pcm(0.5))
            assert said.ended - said.began == pytest.approx(0.5, abs=0.03)
            assert before - 0.05 < said.began < before + 0.1 and said.ended <= watch.now() < said.ended + 0.1
            await there.say(pcm(0.2))
            await asyncio.sleep(0.3)
        assert other.left == 1
        assert watch.sessions == 1 and watch.sent_s == pytest.approx(0.7, abs=0.05)
        (stretch,) = loud(other.said())
        assert stretch[1] - stretch[0] == pytest.approx(0.7, abs=0.06)
        assert np.percentile(np.abs(other.said()), 99) == pytest.approx(16384, rel=0.1)
        steps = np.diff(other.pts)
        assert np.count_nonzero(steps != 960) <= 1
        assert {"answer", "connected", "sent"} <= set(watch.marks) and watch.pictures.first is not None


async def test_a_word_can_be_broken_off() -> None:
    """Hushed, it is silent at once, and it is told how much was said; what is said next is heard whole."""
    watch = Watch()
    async with room() as other:
        async with entered(other.url, watch, UNHURRIED) as there:
            saying = asyncio.create_task(there.say(pcm(5.0)))
            await asyncio.sleep(0.4)
            there.hush()
            said = await saying
            assert 0.3 < said.ended - said.began < 0.6
            await asyncio.sleep(0.2)
            cancelled = asyncio.create_task(there.say(pcm(5.0)))
            await asyncio.sleep(0.3)
            cancelled.cancel()
            await asyncio.sleep(0.3)
            await there.say(pcm(0.2))
            await asyncio.sleep(0.2)
        stretches = loud(other.said())
        assert len(stretches) == 3, stretches
        assert stretches[2][1] - stretches[2][0] == pytest.approx(0.2, abs=0.05)
        assert sum(end - begin for begin, end in stretches) < 1.6


@pytest.mark.parametrize(
    ("script", "kind", "says", "leaves"),
    [
        ({"refuses": (404, {"detail": "There is no such room"})}, SessionRefused, "404: There is no such room", 0),
        ({"refuses": (410, {"detail": "The session is over"})}, SessionRefused, "410: The session is over", 0),
        ({"refuses": (403, {"error": 5})}, SessionRefused, "403: {", 0),
        ({"refuses": (429, {"detail": "full"})}, SessionLimited, "429: full", 0),
        ({"refuses": (500, {})}, NoAnswer, "500 and no answer", 1),
        ({"refuses": (200, {"sdp": "v=0", "type": "answer"})}, NoAnswer, "cannot be read", 1),
        ({"takes": 0.6}, NoAnswer, r"did not answer the offer within 0\.4 s", 1),
        ({"drawn": None}, NoPicture, "sound came but no picture", 1),
        ({"drawn": None, "level": None}, NoPicture, "neither picture nor sound came", 1),
    ],
)
async def test_a_room_that_is_not_entered(
    script: dict[str, Any], kind: type[GatewayError], says: str, leaves: int
) -> None:
    """Each has a name of its own and takes a bounded time; a session that may run is ended."""
    patience = Patience(answer=0.4, connect=2.0, picture=0.3, close=1.0)
    began = time.monotonic()
    async with room(**script) as other:
        with pytest.raises(kind, match=says):
            async with entered(other.url, Watch(), patience):
                pass
        assert time.monotonic() - began < 3.0
        assert other.left == leaves


async def test_nobody_is_at_the_rooms_address() -> None:
    """It is said at once."""
    began = time.monotonic()
    for url in ("http://127.0.0.1:9/room/a", "ftp://127.0.0.1/a", "http://127.0.0.1:x/a"):
        with pytest.raises(SimliUnavailable):
            async with entered(url, Watch(), SHORT):
                pass
    assert time.monotonic() - began < 1.0


async def test_a_room_that_does_not_listen() -> None:
    """Whoever says something is told, and does not wait for it."""
    async with room(declines=True) as other, entered(other.url, Watch(), UNHURRIED) as there:
        with pytest.raises(SessionRefused, match="does not listen"):
            await there.say(pcm(0.2))


@pytest.mark.parametrize(
    ("state", "kind", "reason"),
    [
        ({"state": "speaking"}, SessionDropped, "dropped"),
        ({"state": "ended", "reason": "MAX"}, SessionEnded, "max"),
        ({"state": "ended", "reason": "IDLE"}, SessionEnded, "idle"),
        ({"state": "ended", "reason": "left"}, SessionEnded, "stop"),
    ],
)
async def test_the_other_end_goes(state: dict[str, Any], kind: type[GatewayError], reason: str) -> None:
    """Who speaks is interrupted, and told whether the session was ended or the line is broken."""
    watch = Watch()
    async with room(state=state) as other, entered(other.url, watch, UNHURRIED) as there:
        saying = asyncio.create_task(there.say(pcm(9.0)))
        await asyncio.sleep(0.1)
        began = time.monotonic()
        await other.vanish()
        with pytest.raises(kind):
            await saying
        assert time.monotonic() - began < 2.5
        assert there.ending is not None and there.ending.reason == reason
        assert watch.ending == there.ending == await there.over()
        with pytest.raises(kind):
            await there.say(pcm(0.1))


async def test_leaving_is_an_end_too() -> None:
    """Whoever still speaks then is interrupted, and to leave again changes nothing."""
    watch = Watch()
    async with room() as other, entered(other.url, watch, UNHURRIED) as there:
        saying = asyncio.create_task(there.say(pcm(9.0)))
        await asyncio.sleep(0.1)
        await there.leave()
        with pytest.raises(SessionDropped):
            await saying
        await there.leave()
        assert there.ending == Ending("done") and watch.ending is None and other.left == 1


async def test_a_room_left_leaves_nothing_behind() -> None:
    """No task of ours is left."""
    async with room() as other:

        async def once() -> Room:
            async with entered(other.url, Watch(), UNHURRIED) as there:
                return there

        await once()
        await other.vanish()
        await asyncio.sleep(0.05)
        before = asyncio.all_tasks()
        await once()
        await other.vanish()
        await asyncio.sleep(0.05)
        assert not [task for task in asyncio.all_tasks() - before if task.get_name() == "peer"]


async def test_a_microphone_that_was_kept_waiting_goes_on_from_now() -> None:
    """What is late by more than 0.1 s is left out of the clock, none of it of what is said."""
    now = 0.0
    microphone = Microphone(lambda: now)
    said = microphone.say(pcm(0.06))
    now = 0.02
    pts = []
    for late in (0.0, 0.02, 1.0, 0.0):
        now += 0.02 + late
        pts.append((await microphone.recv()).pts)
    assert pts[0] == 0 and pts[1] == 960 and pts[2] is not None and pts[2] > 40 * 960
    assert said.done() and said.result().ended - said.result().began > 1.0
