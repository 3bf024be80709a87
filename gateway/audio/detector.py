"""Whether a moment of sound is speech: by Silero's model where the extra `ears` is, else by its loudness and pitch.

The model costs 0.1 ms a frame and is deaf to whatever is no voice. Without it, clean speech is found as well, and
clicks, breath and noise begin nothing; music and a hum are taken for speech until the noise floor has reached them.
"""

from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from gateway.audio.spoken import RATE

FRAME = 512
"""Samples: 32 ms, what the model was trained on."""
PACKAGE = "faster_whisper"
MODEL = "assets/silero_vad_v6.onnx"
CONTEXT = 64
"""Samples of the frame before that it wants to see again."""


class Detector(Protocol):
    """The frames of one sound go in, one after another."""

    def __call__(self, frame: NDArray[np.float32]) -> float:
        """How probable it is that somebody speaks in these 512 samples (-1 to 1). From 0.5 on somebody does."""


def detector(package: str = PACKAGE) -> Detector:
    """The best there is here, for one sound."""
    found = model(package)
    return Silero(found) if found else Loudness()


def model(package: str = PACKAGE) -> Path | None:
    """Silero's model, which faster-whisper has in its package; None: it is not installed."""
    spec = find_spec(package)
    places = (spec.submodule_search_locations or []) if spec else []
    return next((path for place in places if (path := Path(place) / MODEL).is_file()), None)


@lru_cache(maxsize=1)
def _session(path: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


class Silero:
    """The model, which all share, and one sound's memory."""

    def __init__(self, path: Path) -> None:
        self._session = _session(path)
        self._memory = [np.zeros((1, 1, 128), np.float32), np.zeros((1, 1, 128), np.float32)]
        self._before = np.zeros(CONTEXT, np.float32)

    def __call__(self, frame: NDArray[np.float32]) -> float:
        """What the model says."""
        seen = np.concatenate([self._before, frame])[np.newaxis]
        self._before = frame[-CONTEXT:]
        h, c = self._memory
        found, *self._memory = self._session.run(None, {"input": seen, "h": h, "c": c})
        return float(found.reshape(-1)[0])


LEAST_DB, ABOVE_DB = -45.0, 6.0
"""Speech is louder than that, and so much louder than the noise."""
FALLS, RISES_DB = 0.3, 0.1
"""A frame: the noise floor falls by a share of what it is too high, and rises by so much (3 dB a second)."""
LOWEST_HZ, HIGHEST_HZ, PERIODIC = 70, 400, 0.5
"""A voice's pitch, and how much like itself it is one period later."""
TONE = 0.9
"""More of a frame's power than so in one place is a tone, not a voice."""
VOICED, LOUD, QUIET = 0.9, 0.4, 0.0
"""What is only loud begins nothing, but goes on: an s, a t. In the frames after a voice it belongs to the voice."""
AFTER = 3


class Loudness:
    """What is louder than the noise around it, and has a pitch."""

    def __init__(self) -> None:
        self._floor = LEAST_DB - ABOVE_DB
        self._voice = 0

    def __call__(self, frame: NDArray[np.float32]) -> float:
        """One of three: voiced, loud, quiet."""
        level = 10 * float(np.log10(np.mean(frame**2) + 1e-10))
        apart = level - self._floor
        self._floor += apart * FALLS if apart < 0 else min(apart, RISES_DB)
        self._voice -= 1
        if level < max(LEAST_DB, self._floor + ABOVE_DB):
            return QUIET
        if _voiced(frame):
            self._voice = AFTER
        return VOICED if self._voice >= 0 else LOUD


def _voiced(frame: NDArray[np.float32]) -> bool:
    power = np.abs(np.fft.rfft(np.diff(frame), 2 * FRAME)) ** 2  # the difference: as much of high sounds as of low ones
    peak = int(np.argmax(power))
    if power[max(0, peak - 4) : peak + 5].sum() > TONE * power.sum():
        return False
    alike = np.fft.irfft(power)
    lags = np.arange(RATE // HIGHEST_HZ, RATE // LOWEST_HZ)
    # A sum over fewer samples at a longer lag: as if over all.
    return bool((alike[lags] * FRAME / (FRAME - lags)).max() > PERIODIC * alike[0])
