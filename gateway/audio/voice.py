"""What speaks, and which of them does."""

from typing import Literal, Protocol, TypeAlias

from gateway.audio.babble import Babble
from gateway.audio.reader import Reader
from gateway.audio.spoken import Spoken

Chosen: TypeAlias = Literal["speech", "babble"]
"""`speech`: English, read by a model; `babble`: no words, of any language, always the same."""


class Voice(Protocol):
    """A piece of a text goes in, what it sounds like comes out. It always has an answer."""

    def say(self, text: str, language: str = "en", pace: float = 1.0) -> Spoken:
        """What a text sounds like, for a thread that may wait. Pace 2 is twice as fast."""

    async def spoken(self, text: str, language: str = "en") -> Spoken:
        """The same, for the loop, which is not held up."""

    def warm(self, language: str = "en") -> None:
        """Somebody will be spoken to soon; returns at once."""

    def close(self) -> None:
        """Let go of what it holds; nothing is asked of it any more."""


def voice(chosen: Chosen) -> Voice:
    """The voice of that name. It costs nothing before somebody is spoken to."""
    return Reader() if chosen == "speech" else Babble()
