"""One turn of a conversation: what was typed, and what came of it."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Turn:
    """It is followed by whoever typed it, and by nobody who does not want to."""

    asked: str
    """Empty: the greeting."""
    began: float = field(default_factory=time.time)
    pieces: list[str] = field(default_factory=list)
    """What the LLM said so far."""
    first_ms: float | None = None
    """Milliseconds until it said something."""
    error: str = ""
    """Why nothing was said, or no more."""
    heard: str = ""
    """What was heard of it, once it is over."""
    interrupted: bool = False
    answered: bool = False
    """Whether the LLM is done."""
    spoken: bool = False
    """Whether all that will be heard of it has been."""
    _changed: asyncio.Event = field(default_factory=asyncio.Event, repr=False)

    @property
    def text(self) -> str:
        """All that the LLM said."""
        return "".join(self.pieces)

    def add(self, piece: str) -> None:
        """The LLM said something."""
        if self.first_ms is None:
            self.first_ms = round(1000 * (time.time() - self.began), 1)
        self.pieces.append(piece)
        self.changed()

    def changed(self) -> None:
        """Tell those who follow."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def follow(self) -> AsyncIterator[str]:
        """What the LLM says, from the beginning until it is done."""
        seen = 0
        while True:
            waiting = self._changed
            for piece in self.pieces[seen:]:
                seen += 1
                yield piece
            if self.answered:
                return
            if seen == len(self.pieces):
                await waiting.wait()

    async def over(self) -> None:
        """Return when all that will be heard of it has been."""
        while not self.spoken:
            await self._changed.wait()

    def shown(self) -> dict[str, Any]:
        """As JSON: what is known of it now."""
        return {
            "asked": self.asked,
            "said": self.text,
            "heard": self.heard,
            "at": self.began,
            "first_ms": self.first_ms,
            "error": self.error or None,
            "interrupted": self.interrupted,
            "spoken": self.spoken,
        }
