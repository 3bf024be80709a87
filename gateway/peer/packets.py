"""PCM as it is sent to a face: packets of an even number of bytes, however the sound came in. Pure."""

from collections.abc import Iterator

RATE = 16000
"""Samples a second: signed 16-bit little-endian, one channel."""
PACKET = 6000
"""Bytes; Simli prefers it. 187.5 ms."""
LARGEST = 65_536
"""Bytes of a message at most, its prefix among them."""
IMMEDIATE = b"PLAY_IMMEDIATE"
"""In front of a packet: forget what waits to be heard, and play this."""


def seconds(size: int) -> float:
    """How long so many bytes are heard."""
    return size / (2 * RATE)


class Packets:
    """Cuts what comes into packets of one size. A byte that is half a sample waits for its other half."""

    def __init__(self, size: int = PACKET) -> None:
        if size % 2 or not 2 <= size <= LARGEST - len(IMMEDIATE):
            raise ValueError(f"a packet has an even number of bytes, 2 to {LARGEST - len(IMMEDIATE)}, not {size}")
        self._size = size
        self._waiting = bytearray()

    def add(self, pcm: bytes) -> Iterator[bytes]:
        """The packets that are whole now."""
        self._waiting += pcm
        whole = [
            bytes(self._waiting[at : at + self._size])
            for at in range(0, len(self._waiting) - self._size + 1, self._size)
        ]
        del self._waiting[: len(whole) * self._size]
        return iter(whole)

    def rest(self) -> bytes:
        """What is left at the end; half a sample is none."""
        left = bytes(self._waiting[: len(self._waiting) & ~1])
        self._waiting.clear()
        return left

    def clear(self) -> None:
        """Forget what waits: an interruption."""
        self._waiting.clear()
