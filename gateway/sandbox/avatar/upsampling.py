"""16 kHz to 48 kHz: Opus in WebRTC has 48, Simli is sent 16.

A windowed sinc in three phases; it is half a millisecond late."""

import numpy as np

from gateway.sandbox.avatar.buffer import BLOCK, Block

TIMES = 3
TAPS = 16
"""Input samples that an output sample is made of."""


def _phases() -> np.ndarray:
    position = np.arange(TAPS * TIMES, dtype=np.float32) - (TAPS * TIMES - 1) / 2
    weights = np.sinc(position / TIMES) * np.hamming(TAPS * TIMES)
    phases = weights.reshape(TAPS, TIMES)
    return np.ascontiguousarray(phases / phases.sum(axis=0), dtype=np.float32)


PHASES = _phases()


class Upsampler:
    """Block by block, as if it were one piece."""

    def __init__(self) -> None:
        self._before = np.zeros(TAPS - 1, np.float32)

    def __call__(self, block: Block) -> Block:
        """Three samples for each."""
        joined = np.concatenate([self._before, block.astype(np.float32)])
        self._before = joined[-(TAPS - 1) :]
        windows = np.lib.stride_tricks.sliding_window_view(joined, TAPS)
        raised = windows @ PHASES[::-1]
        out: Block = np.clip(np.rint(raised.reshape(BLOCK * TIMES)), -32768, 32767).astype(np.int16)
        return out
