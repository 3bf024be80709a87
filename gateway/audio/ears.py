"""What hears words in sound, and what it says where it cannot."""

from dataclasses import dataclass
from typing import Protocol


class Deaf(Exception):
    """Nothing here can hear this: what is missing, and how it is installed, in a sentence."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What was understood."""

    text: str
    """Empty: there were no words in it."""
    seconds: float
    """How long it took, waiting for others included."""


class Ears(Protocol):
    """Sound goes in, words come out."""

    async def heard(self, pcm: bytes, language: str = "en") -> Heard:
        """The words in 16-bit little-endian, 16 kHz, mono, a minute at most. Raises Deaf."""

    def warm(self, language: str = "en") -> None:
        """Somebody will be heard soon; returns at once."""

    def close(self) -> None:
        """Let go of what it holds; nothing is asked of it any more."""
