"""What was heard and when, of sound whose times are known."""

import asyncio
from fractions import Fraction

import numpy as np
import pytest
from av import AudioFrame

from gateway.errors import NoSound, SessionEnded
from gateway.peer.listening import KEPT_S, SPARE_S, Listening
from gateway.peer.watch import Watch
from gateway.types.peer import Ending


class Sounding:
    """A watch that is fed 20 ms at a time, as from a track whose own time began at 7."""

    def __init__(self) -> None:
        self.watch = Watch()
        self.listening = Listening(self.watch)
        self.own = 7.0

    def sounds(self, at: float, loud: float, late: float = 0.0) -> None:
        """20 ms that came at that second."""
        wave = (loud * 32767 * np.sin(2 * np.pi * 400 * np.arange(960) / 48000)).astype(np.int16)
        frame = AudioFrame.from_ndarray(np.repeat(wave, 2).reshape(1, -1), format="s16", layout="stereo")
        frame.sample_rate, frame.time_base, frame.pts = 48000, Fraction(1, 48000), round(self.own * 48000)
        self.listening.take(frame, self.watch.began + at + late)
        self.own += 0.02

    def span(self, begin: float, end: float, *loud: tuple[float, float]) -> None:
        """All from a second to another; loud between these."""
        for number in range(round(begin / 0.02), round(end / 0.02)):
            at = number * 0.02
            self.sounds(at, 0.3 if any(first - 1e-6 <= at < last - 1e-6 for first, last in loud) else 0.0)


async def test_a_stretch_is_found_between_its_silences() -> None:
    """It begins and ends to 20 ms, pauses shorter than asked for are a part of it, and its sound is all of it."""
    sounding = Sounding()
    sounding.span(0.0, 6.0, (1.0, 2.0), (2.6, 3.0), (5.0, 5.4))
    heard = await sounding.listening.answer(0.5)
    assert [heard.began, heard.ended] == pytest.approx([1.0, 3.0], abs=0.02)
    wave = np.frombuffer(heard.pcm, "<i2")
    assert wave.size / 16000 == pytest.approx(2.4, abs=0.03)
    assert np.abs(wave[: 16000 // 6]).max() < 200
    assert np.abs(wave[4000:16000]).max() > 9000
    first = await sounding.listening.answer(0.5, quiet_s=0.5)
    assert first.ended == pytest.approx(2.0, abs=0.02)


async def test_what_goes_on_is_not_what_begins() -> None:
    """Asked for what begins after a moment in the middle of a sound, the next one is told."""
    sounding = Sounding()
    sounding.span(0.0, 5.0, (1.0, 2.0), (2.1, 2.3), (3.0, 3.4))
    assert sounding.listening.onset(1.5) == pytest.approx(3.0, abs=0.02)
    assert sounding.listening.onset(0.0) == pytest.approx(1.0, abs=0.02)
    assert sounding.listening.onset(3.2) is None
    assert sounding.listening.last_sound(2.7) == pytest.approx(2.3, abs=0.02)
    assert sounding.listening.last_sound(1.5) == pytest.approx(1.5, abs=0.02)
    assert sounding.listening.last_sound(0.9) is None


async def test_what_is_not_kept_is_silence() -> None:
    """A wave is as long as it was asked for, whatever of it was heard."""
    sounding = Sounding()
    sounding.span(1.0, 2.0, (1.0, 2.0))
    wave = np.frombuffer(sounding.listening.wave(0.5, 2.5), "<i2")
    assert wave.size == 32000
    assert not wave[:7900].any() and not wave[24100:].any() and np.abs(wave[8200:23800]).max() > 9000
    assert len(sounding.listening.wave(8.0, 8.5)) == len(sounding.listening.wave(-3.0, -2.5)) == 16000


async def test_lost_sound_keeps_its_place() -> None:
    """What comes after a hole in the track's own time is as late as it was; and jitter moves nothing."""
    sounding = Sounding()
    sounding.span(0.0, 1.0)
    sounding.own += 0.5
    sounding.span(1.5, 2.5, (2.0, 2.2))
    for number, late in enumerate((0.03, 0.0, 0.05, 0.01) * 10):
        sounding.sounds(2.5 + number * 0.02, 0.3, late)
    assert sounding.listening.onset(0.0) == pytest.approx(2.0, abs=0.02)
    assert sounding.listening.onset(2.3) == pytest.approx(2.5, abs=0.03)


async def test_another_session_begins_anew() -> None:
    """Its track's times begin again; what was heard before stays where it was."""
    sounding = Sounding()
    sounding.span(0.0, 2.0, (1.0, 1.5))
    sounding.own = 0.0
    sounding.span(3.0, 5.0, (4.0, 4.5))
    assert sounding.listening.onset(0.0) == pytest.approx(1.0, abs=0.02)
    assert sounding.listening.onset(2.0) == pytest.approx(4.0, abs=0.02)


async def test_only_the_last_minutes_are_kept() -> None:
    """What is older is forgotten, and the rest keeps its times."""
    sounding = Sounding()
    until = KEPT_S + 2 * SPARE_S
    sounding.span(0.0, until, (1.0, 2.0), (until - 3.0, until - 2.0))
    assert len(sounding.listening._pcm) <= 32000 * (KEPT_S + SPARE_S + 1)
    assert sounding.listening.onset(0.0) == pytest.approx(until - 3.0, abs=0.02)


async def test_nothing_is_heard_in_time() -> None:
    """That is said, and no stretch is made up."""
    sounding = Sounding()
    sounding.span(0.0, 0.1)
    with pytest.raises(NoSound, match=r"Within 0\.2 s nothing was heard"):
        await sounding.listening.answer(0.0, within=0.2)


async def test_an_end_interrupts_who_waits() -> None:
    """Whoever waits for a beginning, or for an end, is told why the session is over; what was whole is still told."""
    sounding = Sounding()
    now = sounding.watch.now()
    waiting = asyncio.create_task(sounding.listening.answer(now, quiet_s=5.0))
    await asyncio.sleep(0.05)
    sounding.span(0.0, 2.0, (1.0, 1.5))
    await asyncio.sleep(0.05)
    assert not waiting.done()
    sounding.watch.ending = Ending("max")
    with pytest.raises(SessionEnded):
        await waiting
    with pytest.raises(SessionEnded):
        await sounding.listening.began(3.0)
    assert (await sounding.listening.answer(0.0, quiet_s=0.3)).ended == pytest.approx(1.5, abs=0.02)


async def test_an_answer_without_an_end_is_cut() -> None:
    """At the length that is asked for at most."""
    sounding = Sounding()
    sounding.span(0.0, 3.0, (0.5, 3.0))
    heard = await sounding.listening.answer(0.0, quiet_s=60.0, longest=2.0)
    assert heard.ended - heard.began >= 2.0
