"""What is still to be heard: PCM in as it comes, 20 ms at a time out."""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

RATE = 16000
"""Samples a second of what goes in: signed 16-bit little-endian, mono."""
BLOCK = 320
"""Samples of 20 ms."""
BLOCK_S = BLOCK / RATE
LONGEST_S = 900
"""Seconds that are kept; clients push whole answers at once, but none pushes a quarter of an hour."""
AUDIBLE = 64
"""The amplitude from which a sample is more than a codec's or a converter's noise (-54 dBFS)."""

Block: TypeAlias = NDArray[np.int16]
SILENCE: Block = np.zeros(BLOCK, np.int16)


class PlayBuffer:
    """First in, first out; `clear` and go on is how an interruption sounds."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self.played = 0
        """Samples that were taken since it was made; what was cleared is not among them."""

    def append(self, pcm: bytes) -> int:
        """Add samples; how many were taken. An odd last byte is half a sample, and dropped; so is what is too much."""
        room = LONGEST_S * RATE * 2 - len(self._bytes)
        size = min(len(pcm) & ~1, max(0, room))
        self._bytes += pcm[:size]
        return size // 2

    def take(self) -> Block | None:
        """The next 20 ms, the last of them filled up with silence; None: there is nothing."""
        size = min(BLOCK * 2, len(self._bytes))
        if not size:
            return None
        block = np.zeros(BLOCK, np.int16)
        block[: size // 2] = np.frombuffer(self._bytes[:size], "<i2")
        del self._bytes[:size]
        self.played += size // 2
        return block

    def clear(self) -> int:
        """Forget what was not heard yet; how many samples that is."""
        forgotten = len(self._bytes) // 2
        self._bytes.clear()
        return forgotten

    @property
    def waiting(self) -> int:
        """Samples that are still to be heard."""
        return len(self._bytes) // 2


def audible(block: Block) -> bool:
    """Whether a block is more than silence."""
    return int(np.abs(block.astype(np.int32)).max(initial=0)) >= AUDIBLE


def followed(mouth: float, block: Block) -> float:
    """How far a mouth is open after 20 ms of this: it opens faster than it closes."""
    wanted = level(block)
    return mouth + (wanted - mouth) * (0.7 if wanted > mouth else 0.35)


def level(block: Block) -> float:
    """How loud it is: 0 (-45 dBFS and less) to 1 (-9 dBFS and more), even steps in decibels as an ear has them."""
    rms = float(np.sqrt(np.mean(np.square(block.astype(np.float32)))))
    return float(np.clip((20 * np.log10(max(rms, 1.0) / 32768) + 45) / 36, 0.0, 1.0))
