"""The avatar as a viewer gets it: pictures that move, sound that is heard, and both when they are due."""

import asyncio
import itertools
import time

import numpy as np

from tests.sandbox.viewer import Viewer, current, legacy, silence, tone
from tests.sandboxed import sandboxed

AUDIBLE = 500
"""Of a 16-bit sample's 32,767: Opus makes nothing that loud of silence."""


def spread(viewer: Viewer) -> float:
    """How far the tracks' own clocks went apart, in seconds, from the first to the last that came."""
    picture = viewer.frames[-1].seconds - viewer.frames[0].seconds - (viewer.frames[-1].at - viewer.frames[0].at)
    sound = viewer.sounds[-1].seconds - viewer.sounds[0].seconds - (viewer.sounds[-1].at - viewer.sounds[0].at)
    return max(abs(picture), abs(sound), abs(picture - sound))


def together(viewer: Viewer) -> float:
    """How much the mouth opens with what is heard at the time: a correlation."""
    times = np.array([sound.at for sound in viewer.sounds])
    loud = np.array([sound.rms for sound in viewer.sounds])
    heard = np.interp([frame.at for frame in viewer.frames], times, loud)
    return float(np.corrcoef(heard, [frame.mouth for frame in viewer.frames])[0, 1])


async def watched() -> Viewer:
    """What a viewer gets of a face that is sent a tone, silence, a tone, silence."""
    async with sandboxed() as sandbox, current(sandbox, candidates=False) as talk:
        await talk.viewer.seen(10)
        await talk.send(b"".join((tone(0.4) + silence(0.4)) for _ in range(2)))
        await asyncio.sleep(1.5)
        return talk.viewer


async def test_the_face_moves_and_its_mouth_follows_the_sound() -> None:
    """Every picture differs, thirty a second; the mouth opens with what is heard, and both clocks keep time.

    The best of three, for a busy machine delivers late; whoever drifts, or does not follow, does so each time.
    """
    for _ in range(3):
        viewer = await watched()
        enough = len(viewer.frames) > 0.7 * 30 * (viewer.frames[-1].at - viewer.frames[0].at)
        if enough and spread(viewer) < 0.15 and together(viewer) > 0.6:
            break
    assert enough
    assert spread(viewer) < 0.15
    assert together(viewer) > 0.6
    grey = [frame.grey[::4, ::4].astype(int) for frame in viewer.frames]
    assert all(np.abs(one - other).sum() > 0 for one, other in itertools.pairwise(grey))
    steps = np.diff([frame.seconds for frame in viewer.frames])
    assert abs(np.median(steps) - 1 / 30) < 0.001
    assert max(sound.rms for sound in viewer.sounds) > AUDIBLE


async def test_skip_falls_silent_at_once() -> None:
    """What was still to be heard is dropped: a moment after SKIP nothing is heard, and SILENT follows."""
    async with sandboxed() as sandbox, current(sandbox) as talk:
        viewer = talk.viewer
        await viewer.seen()
        await talk.send(tone(5.0))
        await viewer.until(lambda: any(sound.rms > AUDIBLE for sound in viewer.sounds), "sound")
        assert "SPEAK" in viewer.said
        await talk.send("SKIP")
        skipped = viewer.since()
        await viewer.heard("SILENT")
        late = [sound.at - skipped for sound in viewer.sounds if sound.rms > AUDIBLE]
        assert max(late) < 0.5


async def test_play_immediate_takes_the_place_of_what_waits() -> None:
    """PLAY_IMMEDIATE and its PCM in one frame of over 256 KiB is heard instead of what was queued."""
    async with sandboxed() as sandbox, current(sandbox) as talk:
        viewer = talk.viewer
        await viewer.seen()
        await talk.send(tone(9.0))
        await viewer.heard("SPEAK")
        await talk.send(b"PLAY_IMMEDIATE" + tone(0.1) + silence(8.5))
        sent = time.perf_counter()
        await viewer.heard("SILENT")
        assert time.perf_counter() - sent < 2.0
        assert viewer.said.count("ACK") == 2


async def test_without_handling_of_silence_frames_need_audio() -> None:
    """Where handleSilence is false pictures and sound stop after the first second, and zeros bring them back."""
    async with sandboxed() as sandbox, current(sandbox, handleSilence=False) as talk:
        viewer = talk.viewer
        await viewer.seen()
        before = (-1, -1)
        while before != (now := (len(viewer.frames), len(viewer.sounds))):
            before = now
            await asyncio.sleep(0.2)
        assert viewer.frames[-1].seconds - viewer.frames[0].seconds < 1.1
        await talk.send(silence(0.1875))
        await viewer.seen(before[0] + 3)
        assert "SPEAK" not in viewer.said


async def test_done_plays_out_before_it_ends() -> None:
    """DONE as binary, as Python sends it: what was sent is heard, then SILENT, ENDFRAME, STOP and a normal close."""
    async with sandboxed() as sandbox, legacy(sandbox, sends=True) as talk:
        viewer = talk.viewer
        await viewer.seen()
        await talk.send(tone(0.3) + b"\x01")
        await talk.send(b"DONE")
        assert await talk.over() == 1000
        assert viewer.said[-3:] == ["SILENT", "ENDFRAME", "STOP"]
        assert sum(sound.rms > AUDIBLE for sound in viewer.sounds) * 0.02 > 0.2
