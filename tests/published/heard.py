"""What the Python clients send and get, as numbers: a tone, the level and pitch of audio, frames that differ."""

import math
from collections.abc import Mapping
from time import monotonic
from typing import Any

import av
import numpy as np

SENT_RATE = 16_000
"""Of the PCM that a client sends: 16 bit, mono."""
WINDOW = 0.2
"""Seconds of audio that a pitch is made of."""


def tone(hertz: float, seconds: float) -> bytes:
    """A sine as PCM."""
    at = np.arange(int(SENT_RATE * seconds)) / SENT_RATE
    return (12_000 * np.sin(2 * math.pi * hertz * at)).astype("<i2").tobytes()


class Ear:
    """The audio that arrives: 0 is silence, 1 is full scale."""

    def __init__(self) -> None:
        self._last: np.ndarray[Any, Any] = np.zeros(1, np.float32)
        self._kept: list[np.ndarray[Any, Any]] = []
        self._rate = 48_000

    def hear(self, frame: av.AudioFrame) -> None:
        """The next frame, 16 bit."""
        samples = frame.to_ndarray().reshape(-1, len(frame.layout.channels)).mean(axis=1) / 32768
        self._last, self._rate = samples, frame.sample_rate
        self._kept.append(samples)
        del self._kept[: -int(WINDOW * frame.sample_rate / len(samples))]

    @property
    def level(self) -> float:
        """Root mean square of the last frame."""
        return float(np.sqrt(np.mean(self._last**2)))

    @property
    def hertz(self) -> float:
        """The loudest frequency of the last fifth of a second."""
        samples = np.concatenate(self._kept)
        spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), 1 << 15))
        return float(np.argmax(spectrum) * self._rate / (1 << 15))


class Eye:
    """The frames that arrive."""

    def __init__(self) -> None:
        self._before: bytes | None = None
        self.first = 0.0
        self.frames = 0
        self.changed = 0
        self.size = (0, 0)

    def see(self, frame: av.VideoFrame) -> None:
        """The next frame."""
        self.first = self.first or monotonic()
        self.size = (frame.width, frame.height)
        # Every eighth pixel, as in pages/observed.js.
        pixels = frame.to_ndarray(format="rgb24")[::8, ::8].tobytes()
        self.frames += 1
        self.changed += self._before is not None and pixels != self._before
        self._before = pixels

    def count(self) -> Mapping[str, int]:
        """So far."""
        return {"frames": self.frames, "changed": self.changed}
