"""Reads a run's film: how long it is, single pictures of it, and how loud it is from moment to moment."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

import numpy as np
from av import AudioFrame, FFmpegError, VideoFrame
from av import open as av_open
from av.audio.resampler import AudioResampler
from av.container import InputContainer
from numpy.typing import NDArray

Levels: TypeAlias = NDArray[np.float32]
"""Root mean square of each 20 ms, 0 to 1."""
PER_SECOND = 50
RATE = 16_000
MICRO = 1_000_000
"""Units of a second in which FFmpeg seeks."""
JUMP = 15.0
"""Seconds between two wanted pictures from which on it is quicker to jump than to look at all of them."""


class NoFilm(Exception):
    """It cannot be read: why, in a sentence."""


def length(path: Path) -> float:
    """Seconds. Raises NoFilm."""
    with _opened(path) as container:
        ends = [float(each.duration * each.time_base) for each in container.streams if each.duration and each.time_base]
        return max([*ends, 0.0])


def pictures(path: Path, times: Sequence[float]) -> list[VideoFrame]:
    """What is seen at each of these seconds, which ascend; nothing where there is no picture at all. Raises NoFilm."""
    with _opened(path) as container:
        if not container.streams.video:
            return []
        found: list[VideoFrame] = []
        frames = container.decode(video=0)
        shown = following = next(frames, None)
        for time in times:
            if following is not None and time - _time(following) > JUMP:
                container.seek(round(time * MICRO))
                frames = container.decode(video=0)
                following = next(frames, None)
            while following is not None and _time(following) <= time:
                shown, following = following, next(frames, None)
            if shown is not None:
                found.append(shown)
        return found


def _time(frame: VideoFrame) -> float:
    return frame.time or 0.0


def levels(path: Path) -> Levels:
    """How loud it is; empty where there is no sound. Raises NoFilm."""
    with _opened(path) as container:
        if not container.streams.audio:
            return np.zeros(0, np.float32)
        resampler = AudioResampler(format="s16", layout="mono", rate=RATE)
        began, waves = 0.0, []
        for number, frame in enumerate(container.decode(audio=0)):
            began = frame.time or 0.0 if number == 0 else began
            waves.append(_wave(resampler.resample(frame)))
        waves.append(_wave(resampler.resample(None)))
    lead = max(0, round(began * RATE))
    wave = np.concatenate([np.zeros(lead, np.float32), *waves])
    size = RATE // PER_SECOND
    blocks = np.pad(wave, (0, -wave.size % size)).reshape(-1, size)
    loud: Levels = np.sqrt(np.mean(blocks**2, axis=1)).astype(np.float32)
    return loud


def _wave(pieces: Sequence[AudioFrame]) -> Levels:
    whole = [piece.to_ndarray().reshape(-1).astype(np.float32) / 32768 for piece in pieces]
    return np.concatenate(whole) if whole else np.zeros(0, np.float32)


@contextmanager
def _opened(path: Path) -> Iterator[InputContainer]:
    try:
        with av_open(str(path)) as container:
            yield container
    except (OSError, FFmpegError) as failed:
        raise NoFilm(f"{path.name} could not be read: {failed.strerror}.") from failed
