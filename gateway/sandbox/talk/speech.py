"""One answer on its way out of the avatar's mouth: what of it has been heard by now."""

import regex

from gateway.sandbox.avatar.avatar import Avatar
from gateway.sandbox.avatar.voice import said

SENTENCE = regex.compile(r".*?(?:[.!?\u2026:;](?=\s)|[\u3002\uff01\uff1f]|\n)\s*", regex.DOTALL)
"""What is long enough to be spoken: Simli's pipeline waits for a sentence's end, too."""


class Speech:
    """Text goes in as it comes. Without an avatar nobody listens, and all counts as heard at once."""

    def __init__(self, avatar: Avatar | None) -> None:
        self.text = ""
        self._avatar = avatar
        self._given = 0
        """Characters of the text that were given to the avatar."""
        self._words: list[tuple[int, str]] = []
        """Each word, and at which sample of what the avatar plays it begins."""
        self._next = avatar.played if avatar is not None else 0

    def add(self, piece: str) -> None:
        """More of the answer; whole sentences go out at once."""
        self.text += piece
        while self._avatar is not None and (found := SENTENCE.match(self.text, self._given)):
            self._speak(found.end())

    def finish(self) -> None:
        """Nothing more comes: what is left is spoken as it is."""
        if self._avatar is not None:
            self._speak(len(self.text))

    def _speak(self, end: int) -> None:
        assert self._avatar is not None
        for word, pcm in said(self.text[self._given : end]):
            self._avatar.play(pcm)
            self._words.append((self._next, word))
            self._next += len(pcm) // 2
        self._given = end

    @property
    def heard(self) -> str:
        """What has been heard of it by now: a word that was begun counts."""
        if self._avatar is None:
            return self.text
        played = self._avatar.played
        return "".join(word for begins, word in self._words if begins < played)

    async def over(self) -> None:
        """Return when all that was given to the avatar has been heard."""
        if self._avatar is not None:
            await self._avatar.drained()

    def break_off(self) -> str:
        """Fall silent, and say no more; what was heard."""
        heard = self.heard
        if self._avatar is not None:
            self._avatar.clear()
            self._avatar, self.text = None, heard
        return heard
