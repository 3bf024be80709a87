"""One session's conversation: turns are typed or spoken, the LLM is asked, it is spoken, and what was heard is kept."""

import asyncio
import time
from collections.abc import Callable, Mapping

from gateway.audio.voice import Voice
from gateway.sandbox.avatar.avatar import Avatar
from gateway.sandbox.behaviour import Behaviour
from gateway.sandbox.sessions import Line, Session
from gateway.sandbox.talk.brain import Brain
from gateway.sandbox.talk.model import Model, Silent
from gateway.sandbox.talk.news import News
from gateway.sandbox.talk.speech import Speech
from gateway.sandbox.talk.told import Told
from gateway.sandbox.talk.turn import By, Moment, Turn

KEPT = 200
"""Turns that are remembered; the history that the LLM gets is not cut."""
UNSPOKEN = "the voice provider refused its key: nothing of the answer was spoken"
UNASKED = "the LLM was not called, and nothing says why"


class Conversation:
    """It runs from the session's start until somebody leaves, or a limit of the session's is reached."""

    def __init__(
        self,
        session: Session,
        brain: Brain,
        model: Model,
        voice: Voice,
        behaviour: Callable[[], Behaviour],
        *,
        deaf: str = "",
    ) -> None:
        """`deaf`: why what is spoken to it cannot be heard."""
        self.session = session
        self.brain = brain
        self.behaviour = behaviour
        """What holds for this session now."""
        self.avatar: Avatar | None = None
        """Once somebody came to watch: until then all is said without a sound, and at once."""
        self.ears = deaf
        """Why it cannot hear; empty: it can."""
        self.turns: list[Turn] = []
        self.news = News()
        """Told of whatever changes: the state, and every turn."""
        self.over = asyncio.Event()
        self._model = model
        self._voice = voice
        self._speech = Speech(None, voice)
        self._running: asyncio.Task[None] | None = None
        self._count = 0
        self._speaking = 0
        """How many persons are speaking."""
        self._active = time.time()

    @property
    def state(self) -> str:
        """`waiting` for somebody to come, `listening`, `thinking`, `speaking` or `ended`."""
        if self.over.is_set():
            return "ended"
        if not self.turns:
            return "waiting" if self.avatar is None else "listening"
        last = self.turns[-1]
        if last.spoken:
            return "listening"
        begun = last.pieces if self.avatar is None else "first_sound" in last.moments
        return "speaking" if begun else "thinking"

    @property
    def hearing(self) -> bool:
        """Whether somebody is speaking to it."""
        return self._speaking > 0 and not self.over.is_set()

    def greet(self) -> None:
        """Somebody is there: what is said first is said, once."""
        if self.turns or self.over.is_set():
            return
        if self.brain.first_message or self.behaviour().greeting == "asked":
            self._begin("", "greeting", {"asked": time.time(), "asked_end": time.time()})

    async def greeted(self) -> None:
        """The same for somebody who only types: it is said before anything else is."""
        self.greet()
        if self.avatar is None and self.turns and self.turns[0].by == "greeting":
            await self.turns[0].over()

    def say(self, text: str, moments: Mapping[Moment, float] | None = None) -> Turn:
        """A turn that was typed now or, with its moments, spoken until then. What is still being said is broken off."""
        now = time.time()
        self._interrupt(now)
        known = moments or {"asked": now, "asked_end": now}
        self.session.said.append(Line("user", text, known["asked"]))
        return self._begin(text, "spoken" if moments else "typed", known)

    def begin_to_speak(self, at: float) -> None:
        """Somebody speaks since then, seconds since the epoch: the avatar falls silent, and nobody is idle."""
        self._speaking += 1
        self._active = time.time()
        self._interrupt(at)
        self.news.tell()

    def fall_silent(self) -> None:
        """Who spoke does not any more."""
        self._speaking -= 1
        self._active = time.time()
        self.news.tell()

    def hears(self, deaf: str) -> None:
        """Whether what was spoken to it could be heard just now: empty, or why not."""
        if deaf != self.ears:
            self.ears = deaf
            self.news.tell()

    def _begin(self, asked: str, by: By, moments: Mapping[Moment, float]) -> Turn:
        turn = Turn(asked, self._count, by, self.news, moments=dict(moments))
        self._count += 1
        self.turns = [*self.turns[-KEPT + 1 :], turn]
        behaviour = self.behaviour()
        self._speech = Speech(self.avatar, self._voice, self.brain.language, behaviour=behaviour, mark=turn.mark)
        if behaviour.tts == "refused":
            turn.fault = UNSPOKEN
        self._active = time.time()
        turn.changed()
        if by == "greeting" and self.brain.first_message:
            turn.add(self.brain.first_message)
            self._speech.add(self.brain.first_message)
            turn.answered = True
            if self.avatar is None:  # nobody listens: it is said
                self._heard(turn)
                return turn
        self._running = asyncio.create_task(self._answered(turn))
        return turn

    async def _answered(self, turn: Turn) -> None:
        try:
            if not turn.answered:
                await self._asked(turn)
            self._speech.finish()
            await self._speech.over()
        finally:
            self._heard(turn)

    async def _asked(self, turn: Turn) -> None:
        behaviour = self.behaviour()
        if behaviour.llm == "never":
            turn.fault, turn.answered = UNASKED, True
            turn.changed()
            return
        answer = self._model.answer(self.brain, behaviour, self._messages())
        if self.brain.base_url:
            turn.mark("requested")
        last: float | None = None
        try:
            async for piece in answer:
                last = time.time()
                if isinstance(piece, Told):
                    self._told(turn, piece)
                else:
                    turn.add(piece)
                    self._speech.add(piece)
            turn.mark("last_token", last)
        except Silent as silent:
            turn.error = str(silent)
        finally:
            await answer.aclose()
            turn.answered = True
            turn.changed()

    def _told(self, turn: Turn, told: Told) -> None:
        turn.told = told
        retrieved = told.until("retrieve")
        if retrieved is not None:
            turn.mark("retrieved", turn.moments["requested"] + retrieved)
        turn.changed()

    def _heard(self, turn: Turn) -> None:
        """The turn is over: what was heard of it is what was said."""
        if turn.spoken:
            return
        turn.spoken = turn.answered = True
        turn.heard = text = self._speech.break_off().strip()
        if turn.interrupted:
            turn.mark("hushed")
        turn.mark("end")
        if text:
            cut = len(text) < len(turn.text.strip())
            self.session.said.append(Line("assistant", text, turn.began, interrupted=cut or turn.interrupted))
        self._active = time.time()
        turn.changed()

    def _interrupt(self, at: float) -> None:
        """Break off what is being said, since somebody speaks since then: the stream to the LLM is closed with it."""
        running, self._running = self._running, None
        if running is None or running.done():
            return
        turn = self.turns[-1]
        turn.interrupted = True
        turn.mark("interrupted", at)
        self._heard(turn)
        running.cancel()

    def _messages(self) -> list[dict[str, str]]:
        """What the LLM is sent: the prompt, and what was said by whom."""
        system = [{"role": "system", "content": self.brain.prompt}] if self.brain.prompt else []
        return [*system, *({"role": line.role, "content": line.text} for line in self.session.said)]

    async def live(self) -> str:
        """Return when the session has been idle or has run for too long, with the word for it, or when it was left."""
        while not self.over.is_set():
            longest = self.session.started + self.session.max_session_length
            talking = self.hearing or self.state in {"thinking", "speaking"}
            idle = (time.time() if talking else self._active) + self.session.max_idle_time
            now = time.time()
            if now >= longest:
                return "MAX"
            if now >= idle:
                return "IDLE"
            try:
                async with asyncio.timeout(min(longest, idle) - now):
                    await self.over.wait()
            except TimeoutError:
                continue
        return self.session.reason

    def watched(self) -> Avatar:
        """The avatar, for somebody who came to watch."""
        if self.avatar is None:
            behaviour = self.behaviour()
            self._voice.warm(self.brain.language)
            self.avatar = Avatar(self.session.face_id, fps=behaviour.fps, media=behaviour.media)
            self.news.tell()
        return self.avatar

    async def close(self) -> None:
        """Break off what is being said, and wait until nothing of it runs."""
        running = self._running
        self._interrupt(time.time())
        self.over.set()
        self.news.tell()
        if self.avatar is not None:
            self.avatar.stop()
        if running is not None:
            await asyncio.wait({running})
