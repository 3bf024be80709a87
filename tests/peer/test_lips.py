"""The offset between mouth and sound, of faces whose offset is known."""

from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from av import AudioFrame, VideoFrame

from gateway.peer.lips import Lips
from gateway.peer.watch import Watch

Picture = Callable[[float], "np.ndarray[Any, Any]"]


def syllables(seed: int) -> Callable[[float], float]:
    """How loud somebody speaks at each second: syllables of uneven length, pauses between some; silent at first."""
    random = np.random.default_rng(seed)
    times, levels = [0.0, 1.0], [0.0, 0.0]
    while times[-1] < 60:
        length = random.uniform(0.08, 0.22)
        times += [times[-1] + length / 2, times[-1] + length]
        levels += [random.uniform(0.3, 1.0), 0.05]
        if random.random() < 0.15:
            times.append(times[-1] + random.uniform(0.2, 0.6))
            levels.append(0.0)
    return lambda at: float(np.interp(at, times, levels))


def face(opened: Callable[[float], float], seed: int = 5, rows: tuple[int, int] = (88, 108)) -> Picture:
    """A head that sways, with a dark mouth; noise everywhere, and a light that runs along the lower edge."""
    random = np.random.default_rng(seed)

    def drawn(at: float) -> "np.ndarray[Any, Any]":
        picture = np.full((128, 160), 150, np.float32) + random.normal(0, 2, (128, 160))
        sway = round(3 * np.sin(1.3 * at))
        high = max(1, round((rows[1] - rows[0]) * opened(at)))
        picture[rows[0] : rows[0] + high, 60 + sway : 90 + sway] = 50
        picture[124:, int(at * 60) % 140 : int(at * 60) % 140 + 20] = 230
        return np.clip(picture, 0, 255).astype(np.uint8)

    return drawn


def watched(level: Callable[[float], float], drawn: Picture, seconds: float, fps: int = 30, anew: float = 1e9) -> Lips:
    """What lips know of both; from the second `anew` on the tracks count from another beginning."""
    watch = Watch()
    lips = Lips(watch)
    for frame, at in frames(level, drawn, seconds, fps):
        assert frame.pts is not None and frame.time_base is not None
        if at > 3.0 + anew:
            frame.pts += round((1 << 32) / 90000 / frame.time_base)
        lips.take(frame, watch.began + at)
    return lips


def frames(
    level: Callable[[float], float], drawn: Picture, seconds: float, fps: int = 30
) -> Iterator[tuple[AudioFrame | VideoFrame, float]]:
    """Sound and picture with their times, as aiortc hands them out: sound 80 ms late, pictures by one of theirs."""
    random = np.random.default_rng(1)
    tone = 12000 * np.sin(2 * np.pi * 220 * np.arange(960) / 48000)
    for number in range(int(seconds * 50)):
        loud = np.interp(np.arange(960), (0, 959), (level(number / 50), level((number + 1) / 50)))
        frame = AudioFrame.from_ndarray(
            np.repeat((loud * tone).astype(np.int16), 2).reshape(1, -1), format="s16", layout="stereo"
        )
        frame.sample_rate, frame.time_base, frame.pts = 48000, Fraction(1, 48000), number * 960
        yield frame, 3.0 + number / 50 + 0.08 + random.exponential(0.003)
    for number in range(int(seconds * fps)):
        picture = VideoFrame.from_ndarray(drawn(number / fps), format="gray").reformat(format="yuv420p")
        picture.pts, picture.time_base = number * 90000 // fps, Fraction(1, 90000)
        yield picture, 3.0 + (number + 1) / fps + random.exponential(0.003)


@pytest.mark.parametrize("behind_ms", [-200, -40, 0, 120, 200])
def test_an_offset_is_found(behind_ms: int) -> None:
    """Within 20 ms, to either side, and the first movement is as much behind the first sound."""
    level = syllables(behind_ms + 500)
    lips = watched(level, face(lambda at: level(at - behind_ms / 1000)), 7.0, fps=25 if behind_ms % 80 else 30)
    assert lips.offset_ms() == pytest.approx(behind_ms, abs=20)
    moved = lips.first_mouth(3.5)
    assert moved == pytest.approx(3.08 + 1.0 + behind_ms / 1000, abs=0.1)


def test_tracks_that_count_anew() -> None:
    """What was seen and heard before is not forgotten where a track's own times leap."""
    level = syllables(8)
    lips = watched(level, face(lambda at: level(at - 0.04)), 6.0, anew=5.0)
    assert lips.offset_ms() == pytest.approx(40, abs=20)


def test_a_mouth_that_gets_brighter_in_another_place() -> None:
    """Where the mouth is and what it looks like is not assumed."""
    level = syllables(3)
    dark = face(lambda at: level(at - 0.06), rows=(66, 80))
    lips = watched(level, lambda at: np.roll(255 - dark(at), 40, axis=1), 8.0)
    assert lips.offset_ms() == pytest.approx(60, abs=20)


@pytest.mark.parametrize("seed", range(5))
def test_a_mouth_that_follows_nobody(seed: int) -> None:
    """One that moves to another voice has no offset, and no first movement."""
    other = syllables(seed + 100)
    lips = watched(syllables(seed), face(other, seed), 6.0)
    assert lips.offset_ms() is None
    assert lips.first_mouth(0.0) is None


def test_what_is_too_little_to_tell() -> None:
    """A still face, silence, two seconds of speech, nothing at all: no offset is made up."""
    level = syllables(9)
    assert watched(level, face(lambda _: 0.5), 5.0).offset_ms() is None
    assert watched(lambda _: 0.0, face(level), 5.0).offset_ms() is None
    assert watched(level, face(level), 3.0).offset_ms() is None
    assert Lips(Watch()).offset_ms() is None
    assert watched(level, face(level), 0.03).offset_ms() is None


def test_an_offset_too_far_away_is_none() -> None:
    """Half a second and more is not told as something nearer."""
    level = syllables(4)
    assert watched(level, face(lambda at: level(at - 0.7)), 6.0).offset_ms() is None
