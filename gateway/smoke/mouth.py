"""A model's words spoken by the local voice, as they come: a piece is said as soon as it can be."""

import asyncio
from collections.abc import Callable

from gateway.audio.sentences import ripe
from gateway.audio.voice import Voice
from gateway.peer.packets import RATE


class Mouth:
    """Text goes in, sound comes out of `read`, which is what `peer/playing.py` plays."""

    def __init__(self, voice: Voice, language: str, clock: Callable[[], float]) -> None:
        self.text = ""
        self.first_clause: float | None = None
        """When there was enough to be said."""
        self._voice = voice
        self._language = language
        self._clock = clock
        self._given = 0
        self._pieces: asyncio.Queue[str] = asyncio.Queue()
        self._words: list[tuple[float, str]] = []
        """When each word begins, in seconds of the sound."""
        self._made = 0.0

    def add(self, text: str) -> None:
        """More of it."""
        self.text += text
        while (end := ripe(self.text, self._given, first=not self._given)) > self._given:
            self._give(end)

    def finish(self) -> None:
        """No more comes."""
        if self._given < len(self.text):
            self._give(len(self.text))
        self._pieces.put_nowait("")

    async def read(self) -> bytes:
        """The sound of the next piece; empty at the end."""
        while piece := await self._pieces.get():
            spoken = await self._voice.spoken(piece, self._language)
            self._words += [(self._made + at / RATE, word) for at, word in spoken.words]
            self._made += len(spoken.pcm) / 2 / RATE
            if spoken.pcm:
                return spoken.pcm
        return b""

    def said(self, seconds: float) -> str:
        """The words that were begun in so many seconds of it."""
        return "".join(word for at, word in self._words if at < seconds).strip()

    def _give(self, end: int) -> None:
        if self.first_clause is None:
            self.first_clause = self._clock()
        self._pieces.put_nowait(self.text[self._given : end])
        self._given = end
