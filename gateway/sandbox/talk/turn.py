"""One turn of a conversation: what was typed or spoken, what came of it, and when."""

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from gateway.sandbox.talk.news import News
from gateway.sandbox.talk.told import Told

By: TypeAlias = Literal["greeting", "typed", "spoken"]
Moment: TypeAlias = Literal[
    "asked",
    "asked_end",
    "recognised",
    "requested",
    "retrieved",
    "first_token",
    "first_clause",
    "first_sound",
    "first_mouth",
    "last_token",
    "interrupted",
    "hushed",
    "end",
]
"""When somebody began to ask, and had asked; when the words were there; when the LLM was asked, had its passages, said
its first word; when a clause was given to the voice, was heard, was seen; when the LLM was done; when somebody began to
speak over it, and nothing more of it was played; when all that will be heard of it has been."""


@dataclass(slots=True)
class Turn:
    """It is followed by whoever asked, and by nobody who does not want to."""

    asked: str
    """Empty: the greeting."""
    number: int = 0
    """In its session, from 0."""
    by: By = "typed"
    news: News = field(default_factory=News, repr=False)
    """Told whenever it is not as it was."""
    began: float = field(default_factory=time.time)
    pieces: list[str] = field(default_factory=list)
    """What the LLM said so far."""
    error: str = ""
    """Why nothing was said, or no more."""
    fault: str = ""
    """Why it is mute although all is well with the LLM: Simli's operator finds it, the person in the room does not."""
    heard: str = ""
    """What was heard of it, once it is over."""
    interrupted: bool = False
    answered: bool = False
    """Whether the LLM is done."""
    spoken: bool = False
    """Whether all that will be heard of it has been."""
    told: Told = field(default_factory=Told)
    moments: dict[Moment, float] = field(default_factory=dict)
    """In seconds since the epoch; those that have come."""
    version: int = 0
    """Another one whenever it is not as it was."""

    @property
    def text(self) -> str:
        """All that the LLM said."""
        return "".join(self.pieces)

    @property
    def first_ms(self) -> float | None:
        """Milliseconds until it said something."""
        first = self.moments.get("first_token")
        return None if first is None else round(1000 * max(0.0, first - self.began), 1)

    def add(self, piece: str) -> None:
        """The LLM said something."""
        self.mark("first_token")
        self.pieces.append(piece)
        self.changed()

    def mark(self, moment: Moment, at: float | None = None) -> None:
        """It has come, now or then. Said again, nothing changes: the first time counts."""
        if moment not in self.moments:
            self.moments[moment] = time.time() if at is None else at
            self.changed()

    def changed(self) -> None:
        """Tell those who follow."""
        self.version += 1
        self.news.tell()

    async def follow(self) -> AsyncIterator[str]:
        """What the LLM says, from the beginning until it is done."""
        seen = 0
        while True:
            fresh = self.news.next()
            for piece in self.pieces[seen:]:
                seen += 1
                yield piece
            if self.answered:
                return
            if seen == len(self.pieces):
                await fresh.wait()

    async def over(self) -> None:
        """Return when all that will be heard of it has been."""
        while not self.spoken:
            await self.news.next().wait()

    def shown(self, *, operator: bool = False) -> dict[str, Any]:
        """As JSON: what is known of it now, in the room, or to its operator."""
        return {
            "number": self.number,
            "by": self.by,
            "asked": self.asked,
            "said": self.text,
            "heard": self.heard,
            "at": self.began,
            "first_ms": self.first_ms,
            "error": self.error or (self.fault if operator else "") or None,
            "interrupted": self.interrupted,
            "spoken": self.spoken,
            "moments": dict(self.moments),
            "told": {
                "request_id": self.told.request_id,
                "target": self.told.target,
                "sources": list(self.told.sources),
                "timings": self.told.timings,
            },
        }
