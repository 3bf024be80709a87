"""A person's voice as a track: 20 ms at a time by the clock, silence where nothing is said."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TypeAlias

import numpy as np
from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError
from av import AudioFrame
from av.audio.resampler import AudioResampler
from numpy.typing import NDArray

from gateway.peer.packets import RATE as SAID_RATE

RATE = 48000
FRAME = 960
FRAME_S = FRAME / RATE
SAMPLE_TIME = Fraction(1, RATE)
LATE = 0.1
"""Seconds that are caught up with at once; whoever is later goes on from now, and no sound is hurried."""

Wave: TypeAlias = NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class Said:
    """When something was said, in seconds of the watch: as it sounds before a microphone, which hands out 20 ms when
    they are over."""

    began: float
    ended: float


@dataclass(eq=False)
class Saying:
    """What is being said."""

    wave: Wave
    done: "asyncio.Future[Said]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    at: int = 0
    """Samples that were handed out."""
    began: float | None = None


class Microphone(MediaStreamTrack):
    """`now` is the clock of what is told of it. It begins to run when it is first read."""

    kind = "audio"

    def __init__(self, now: Callable[[], float]) -> None:
        super().__init__()
        self._now = now
        self._zero: float | None = None
        self._number = -1
        self._sayings: deque[Saying] = deque()

    @property
    def waiting(self) -> float:
        """Seconds of what is still to be said."""
        return sum(one.wave.size - one.at for one in self._sayings if not one.done.cancelled()) / RATE

    def say(self, pcm: bytes) -> "asyncio.Future[Said]":
        """Say it (16-bit little-endian, 16 kHz, mono; half a sample at the end is none) after what is being said."""
        saying = Saying(_raised(pcm))
        self._sayings.append(saying)
        return saying.done

    def hush(self) -> None:
        """What is still to be said is not."""
        while self._sayings:
            saying = self._sayings.popleft()
            now = self._now()
            _told(saying, Said(now if saying.began is None else saying.began, now))

    async def recv(self) -> AudioFrame:
        """The next 20 ms, once they are over."""
        if self._zero is None:
            self._zero = self._now()
        self._number += 1
        late = self._now() - self._zero - (self._number + 1) * FRAME_S
        if late > LATE:
            self._number += int(late / FRAME_S)
        await asyncio.sleep(self._zero + (self._number + 1) * FRAME_S - self._now())
        if self.readyState != "live":
            raise MediaStreamError
        frame = AudioFrame(format="s16", layout="stereo", samples=FRAME)
        # The encoder is stereo, and what it makes of a mono frame is 3 dB quieter.
        frame.planes[0].update(np.repeat(self._taken(self._now() - FRAME_S), 2).tobytes())
        frame.pts, frame.sample_rate, frame.time_base = self._number * FRAME, RATE, SAMPLE_TIME
        return frame

    def _taken(self, begins: float) -> Wave:
        """The sound of 20 ms that began at that second."""
        out = np.zeros(FRAME, np.int16)
        filled = 0
        while self._sayings and filled < FRAME:
            saying = self._sayings[0]
            if saying.done.cancelled():  # nobody wants it said any more
                self._sayings.popleft()
                continue
            if saying.began is None:
                saying.began = begins + filled / RATE
            piece = saying.wave[saying.at : saying.at + FRAME - filled]
            out[filled : filled + piece.size] = piece
            filled += piece.size
            saying.at += piece.size
            if saying.at >= saying.wave.size:
                self._sayings.popleft()
                _told(saying, Said(saying.began, begins + filled / RATE))
        return out


def _told(saying: Saying, said: Said) -> None:
    if not saying.done.done():
        saying.done.set_result(said)


def _raised(pcm: bytes) -> Wave:
    """16 kHz to 48 kHz, in one piece."""
    wave = np.frombuffer(pcm[: len(pcm) & ~1], "<i2").reshape(1, -1)
    if not wave.size:
        return np.zeros(0, np.int16)
    frame = AudioFrame.from_ndarray(np.ascontiguousarray(wave, np.int16), format="s16", layout="mono")
    frame.sample_rate, frame.pts = SAID_RATE, None
    resampler = AudioResampler(format="s16", layout="mono", rate=RATE)
    pieces = [*resampler.resample(frame), *resampler.resample(None)]
    raised: Wave = np.concatenate([piece.to_ndarray().reshape(-1) for piece in pieces]).astype(np.int16)
    return raised
