"""One answer on its way out of the avatar's mouth: what of it was heard by when."""

import asyncio
import re
from collections.abc import Callable, Iterable
from typing import Protocol

RATE = 32_000
"""Bytes of a second: PCM16, 16 kHz, mono."""
_SENTENCE = re.compile(r".*?[.!?\u2026:;\u3002\uff01\uff1f](?=\s|$)\s*|.*?\n+", re.DOTALL)
"""What is long enough to be spoken: Simli's pipeline waits for a sentence's end, too."""


class Mouth(Protocol):
    """Of an avatar: audio that is played, and can be broken off."""

    def play(self, pcm: bytes) -> None:
        """Append PCM16 at 16 kHz to what is being played."""

    def clear(self) -> None:
        """Fall silent."""


class Speech:
    """Text goes in as it comes. Without a mouth nobody listens, and all counts as heard at once."""

    def __init__(self, mouth: Mouth | None, voiced: Callable[[str], Iterable[tuple[str, bytes]]]) -> None:
        self.text = ""
        self._mouth = mouth
        self._voiced = voiced
        self._begun = 0
        """Characters of the text that were given to the mouth."""
        self._heard: list[tuple[float, int]] = []
        """Loop time, and how many characters have been heard by then."""
        self._ends = 0.0

    def add(self, piece: str) -> None:
        """More of the answer; whole sentences go out at once."""
        self.text += piece
        while self._mouth is not None and (found := _SENTENCE.match(self.text, self._begun)):
            if found.end() == len(self.text):  # "1." may be "1.5": what ends a sentence is followed by something
                return
            self._speak(found.end())

    def finish(self) -> None:
        """Nothing more comes: what is left is spoken as it is."""
        if self._mouth is not None and self._begun < len(self.text):
            self._speak(len(self.text))

    def _speak(self, end: int) -> None:
        assert self._mouth is not None
        at = self._begun
        self._ends = max(self._ends, asyncio.get_running_loop().time())
        for word, pcm in self._voiced(self.text[self._begun : end]):
            self._mouth.play(pcm)
            self._ends += len(pcm) / RATE
            found = self.text.find(word, at, end)
            at = found + len(word) if found >= 0 else at
            self._heard.append((self._ends, at))
        self._begun = end
        self._heard.append((self._ends, end))

    @property
    def heard(self) -> str:
        """What has been heard of it by now."""
        if self._mouth is None:
            return self.text
        now = asyncio.get_running_loop().time()
        return self.text[: max((count for at, count in self._heard if at <= now), default=0)]

    async def over(self) -> None:
        """Return when all that was given to the mouth has been heard."""
        if self._mouth is not None:
            await asyncio.sleep(max(0.0, self._ends - asyncio.get_running_loop().time()))

    def break_off(self) -> str:
        """Fall silent; what was heard."""
        heard = self.heard
        if self._mouth is not None:
            self._mouth.clear()
            self._mouth, self.text = None, heard
        return heard
