"""One answer on its way out of the avatar's mouth: what of it has been heard by now."""

import asyncio
from collections import deque
from collections.abc import Callable

from gateway.audio.sentences import ripe
from gateway.audio.voice import Voice
from gateway.sandbox.avatar.avatar import Avatar
from gateway.sandbox.avatar.onset import Onset
from gateway.sandbox.behaviour import Behaviour
from gateway.sandbox.talk.slow import slowed
from gateway.sandbox.talk.turn import Moment

RIGHT = Behaviour()
AHEAD_S = 20.0
"""Seconds that are made before they are heard: most of a long answer is interrupted before its end."""


class Speech:
    """Text goes in as it comes. Without an avatar nobody listens, and all counts as heard at once."""

    def __init__(
        self,
        avatar: Avatar | None,
        voice: Voice,
        language: str = "en",
        *,
        behaviour: Behaviour = RIGHT,
        mark: Callable[[Moment], None] = lambda _: None,
    ) -> None:
        """`mark` is told of the moments of what is said: its first clause, its first sound, its first mouth."""
        self.text = ""
        self._avatar = avatar
        self._voice = voice
        self._language = language
        self._mute = behaviour.tts == "refused"
        self._slow = behaviour.sound == "wrong_rate"
        self._mark = mark
        self._given = 0
        """Characters of the text that were given to the voice."""
        self._waiting: deque[str] = deque()
        """Pieces that were given to it, and are not said yet."""
        self._saying: asyncio.Task[None] | None = None
        self._words: list[tuple[int, str]] = []
        """Each word, and at which sample of what the avatar plays it begins."""
        self._next = avatar.played if avatar is not None else 0
        if avatar is not None:
            avatar.onset = Onset(mark)

    def add(self, piece: str) -> None:
        """More of the answer; whole sentences go out at once, and of the first a clause, so that it is heard early."""
        self.text += piece
        if self._mute:
            return
        while self._avatar is not None and (end := ripe(self.text, self._given, first=not self._given)) > self._given:
            self._speak(end)

    def finish(self) -> None:
        """Nothing more comes: what is left is spoken as it is."""
        if self._avatar is not None:
            self._speak(len(self.text))

    def _speak(self, end: int) -> None:
        if end == self._given or self._mute:
            return
        if not self._given:
            self._mark("first_clause")
        self._waiting.append(self.text[self._given : end])
        self._given = end
        if self._saying is None or self._saying.done():
            self._saying = asyncio.create_task(self._say(), name="speech")

    async def _say(self) -> None:
        """One piece after another: the next is made while this one is heard."""
        while self._avatar is not None and self._waiting:
            spoken = await self._voice.spoken(self._waiting.popleft(), self._language)
            if self._slow:
                spoken = slowed(spoken)
            await asyncio.sleep(max(0.0, self._avatar.waiting - AHEAD_S))
            self._avatar.play(spoken.pcm)
            self._words += [(self._next + begins, word) for begins, word in spoken.words]
            self._next += len(spoken.pcm) // 2

    @property
    def heard(self) -> str:
        """What has been heard of it by now: a word that was begun counts."""
        if self._mute:
            return ""
        if self._avatar is None:
            return self.text
        played = self._avatar.played
        return "".join(word for begins, word in self._words if begins < played)

    async def over(self) -> None:
        """Return when all that was given to the avatar has been heard."""
        if self._saying is not None:
            await self._saying
        if self._avatar is not None:
            await self._avatar.drained()

    def break_off(self) -> str:
        """Fall silent, and say no more; what was heard."""
        heard = self.heard
        if self._saying is not None:
            self._saying.cancel()
        if self._avatar is not None:
            self._avatar.clear()
            self._avatar.onset = None
            self._avatar, self.text = None, heard
        return heard
