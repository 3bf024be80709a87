"""A conversation by voice: a person enters the room of a session, asks aloud, listens, and interrupts."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import httpx
import numpy as np

from gateway.audio.agreement import word_error
from gateway.audio.spoken import AUDIBLE
from gateway.errors import NoSound
from gateway.peer import room as rooms
from gateway.peer.listening import Sounded
from gateway.peer.packets import RATE
from gateway.settings.values import loopback
from gateway.smoke.account import Account, moments_of
from gateway.smoke.causes import found
from gateway.smoke.evidence import Call, Exchange, Interruption
from gateway.smoke.scene import INTO_S, QUIET_S, Found, Scene, crowded, silent_ms, told, upstream_of
from gateway.smoke.script import Question
from gateway.smoke.transcripts import Line
from gateway.smoke.understanding import Understood, understood
from gateway.types.smoke import Moments, SmokeTurn

WORD_S = 0.6
"""Seconds of a word, spoken slowly: a sound that goes on for longer than its text is not waited for."""
LONGEST = 60.0
HUSH_S = 1.5
"""Seconds in which an avatar that is interrupted has to have fallen silent, to be measured."""
STILL_S = 0.5
"""Without a piece of sound, a silent one neither, for so long, the line may be broken;"""
LOST_S = 4.0
"""and the peer says so in this time."""
LOOK = 0.1


class Spoken(NamedTuple):
    """A question as it was said aloud."""

    began: float
    """Its first audible sample."""
    ended: float
    pcm: bytes


class Heard(NamedTuple):
    """An answer, and what was understood of it."""

    sounded: Sounded | None
    words: Understood


@dataclass
class Conversed:
    """A conversation that is under way."""

    scene: Scene
    room: rooms.Room
    account: Account

    async def converse(self) -> None:
        """The first message, then every question. Raises Found, PeerError, GatewayGone, Deaf."""
        greeted = await self._greeted()
        spoken: Spoken | None = None
        questions = self.scene.wanted.questions
        for number, question in enumerate(questions):
            name = "interruption" if question.interrupted else f"question {number + 1}"
            async with self.scene.steps.step(name, question.text) as step:
                spoken = spoken or await self._say(question)
                if question.interrupted:
                    turn, spoken = await self._broken_off(number, question, spoken, questions[number + 1])
                    step.says = f"{question.text} ({told(turn)})"
                    continue
                turn, spoken = await self._answered(number, question, spoken), None
                step.says = f"{question.text} ({len(turn.heard.split())} words heard)"
                if turn.missing:
                    step.verdict = "failed"
        if not greeted:
            says = f"Within {self.scene.wanted.wait:g} s of the entrance the first message was not heard."
            self.scene.findings.append(found("first_message_missing", says))

    async def _greeted(self) -> bool:
        """Whether the first message was heard, where there is one. Raises Found where it has another rate."""
        scene = self.scene
        text = str(scene.agent.get("first_message") or "")
        if not text:
            return True
        async with scene.steps.step("first message", text[:60]) as step:
            longest = min(LONGEST, 3.0 + WORD_S * len(text.split()))
            sounded = await self._sounded(scene.watch.marks["joins"], longest)
            if sounded is None:
                step.verdict, step.says = "failed", f"not heard within {scene.wanted.wait:g} s"
                return False
            cut = sounded.ended - sounded.began >= longest - 0.1
            words = await understood(scene.ears, sounded.pcm, text, scene.language, cut=cut)
            step.says = f"{len(words.text.split())} words heard, {words.error or 0:.0%} of them misheard"
            if words.rate != 1.0:
                says = f"The first message is understood only when it is played {words.rate:g} times as fast."
                finding = found("wrong_rate", says)
                scene.findings.append(finding)
                raise Found([finding])
            scene.recognised("assistant", words.text)
            scene.held.append(Line("assistant", text))
            return True

    async def _say(self, question: Question) -> Spoken:
        """Ask it aloud, to the end."""
        pcm = await self.scene.sound_of(question)
        said = await self.room.say(pcm)
        loud = np.flatnonzero(np.abs(np.frombuffer(pcm[: len(pcm) // 2 * 2], "<i2").astype(np.int32)) >= AUDIBLE)
        if not loud.size:
            return Spoken(said.began, said.ended, pcm)
        return Spoken(said.began + float(loud[0]) / RATE, said.began + float(loud[-1]) / RATE, pcm)

    async def _sounded(self, after: float, longest: float = LONGEST) -> Sounded | None:
        """The next thing that the avatar says, to its end; None: it says nothing. Raises PeerError."""
        sounded: Sounded | None = None
        with contextlib.suppress(NoSound):
            sounded = await self.scene.listening.answer(after, QUIET_S, self.scene.wanted.wait, longest)
        await self._stands()
        return sounded

    async def _stands(self) -> None:
        """Silence is no end of an answer where nothing comes any more: then it is known soon why. Raises PeerError."""
        watch = self.scene.watch
        until = watch.now() + LOST_S
        while watch.now() - watch.sounds.last > STILL_S and watch.now() < until:
            self.room.check()
            await asyncio.sleep(LOOK)
        self.room.check()

    async def _answered(self, number: int, question: Question, spoken: Spoken) -> SmokeTurn:
        """The answer to what was asked, to its end."""
        scene = self.scene
        itself, otherwise = await scene.itself(question, spoken.pcm)
        sounded = await self._sounded(spoken.ended) if itself else None
        known = {"question": question, "number": number, "itself": itself, "itself_otherwise": otherwise}
        account = await self.account.of(spoken.began, over=sounded is not None)
        call = await self._call(account, spoken)
        said = str(account.get("said") or (call[-1].answer if call and call[-1].answer else ""))
        words = await scene.heard(sounded, said) if sounded else Understood("", None)
        return await self._kept(_Came(spoken, account, call, Heard(sounded, words), said), known)

    async def _broken_off(
        self, number: int, question: Question, spoken: Spoken, following: Question
    ) -> tuple[SmokeTurn, Spoken | None]:
        """An answer into which the next question is asked; that one, spoken, where there was something to interrupt."""
        scene, watch = self.scene, self.scene.watch
        itself, otherwise = await scene.itself(question, spoken.pcm)
        known: dict[str, Any] = {
            "question": question,
            "number": number,
            "itself": itself,
            "itself_otherwise": otherwise,
        }
        try:
            began = await scene.listening.began(spoken.ended, scene.wanted.wait)
        except NoSound:
            account = await self.account.of(spoken.began, over=False)
            came = _Came(spoken, account, await self._call(account, spoken), Heard(None, Understood("", None)), "")
            return await self._kept(came, known), None
        await asyncio.sleep(max(0.0, began + INTO_S - watch.now()))
        next_ = await self._say(following)
        silent = scene.cut_off(next_.began, began - 0.1, min(next_.ended, next_.began + HUSH_S))
        account = await self.account.of(spoken.began, over=True)
        calls = await self._call(account, spoken)
        end = silent or next_.began
        sounded = Sounded(began, end, scene.listening.wave(began - 0.2, end + 0.1))
        words = await scene.heard(sounded, str(account.get("heard") or ""))
        known["interruption"] = Interruption(next_.began, silent, calls[-1] if calls else None, crowded())
        came = _Came(spoken, account, calls, Heard(sounded, words), str(account.get("said") or ""))
        return await self._kept(came, known), next_

    async def _call(self, account: Mapping[str, Any], spoken: Spoken) -> list[Call]:
        """What the gateway recorded of it: the request that the room names, or those since."""
        id_ = (account.get("told") or {}).get("request_id", "")

        def enough(calls: list[Call]) -> bool:
            return any(one.id == id_ for one in calls) if id_ else bool(calls)

        found_ = await self.scene.calls(spoken.began, enough)
        return [one for one in found_ if one.id == id_] if id_ and enough(found_) else found_

    async def _kept(self, came: "_Came", known: Mapping[str, Any]) -> SmokeTurn:
        """Make values of it."""
        scene, account, words = self.scene, came.account, came.heard.words
        moments = _moments(came, scene)
        one = Exchange(
            moments=moments,
            understood=account.get("asked"),
            answer=came.said,
            heard=words.text,
            rate=words.rate,
            wait=scene.wanted.wait,
            calls=tuple(came.calls),
            seen=scene.seen(),
            words=str(account.get("error") or ""),
            deaf=str(account.get("ears") or ""),
            **known,
        )
        error = None if one.understood is None else word_error(one.question.text, one.understood)
        broken = one.interruption
        turn = SmokeTurn(
            question=one.question.text,
            understood=one.understood or "",
            question_error=error,
            answer=came.said,
            heard=words.text,
            answer_error=words.error,
            sources=came.calls[-1].sources if came.calls else (),
            interrupted=broken is not None,
            silent_ms=silent_ms(broken),
            upstream=upstream_of(broken) if broken else "",
            moments=moments,
        )
        scene.lines_of(one)
        scene.recognised("user", one.itself or "")
        scene.recognised("assistant", words.text)
        return scene.judged(one, turn)


@dataclass(frozen=True, slots=True)
class _Came:
    """What came of a question."""

    spoken: Spoken
    account: Mapping[str, Any]
    calls: list[Call]
    heard: Heard
    said: str


def _moments(came: _Came, scene: Scene) -> Moments:
    """What the person said, saw and heard is the peer's own; the rest is told."""
    there = moments_of(came.account, came.calls, scene)
    sounded = came.heard.sounded
    return replace(
        there,
        asked=came.spoken.began,
        asked_end=came.spoken.ended,
        first_sound=sounded.began if sounded else None,
        first_mouth=scene.mouth(sounded.began, sounded.ended) if sounded else None,
        end=sounded.ended if sounded else None,
    )


@contextlib.asynccontextmanager
async def entered(scene: Scene, room_url: str) -> AsyncIterator[Conversed]:
    """The room, entered. Raises PeerError, SimliUnavailable."""
    local = loopback(urlsplit(room_url).hostname or "")
    async with (
        httpx.AsyncClient(timeout=scene.wanted.wait, trust_env=not local) as http,
        contextlib.AsyncExitStack() as stack,
    ):
        async with scene.steps.step("room", room_url) as step:
            scene.watch.mark("joins")
            room = await stack.enter_async_context(rooms.entered(room_url, scene.watch, scene.patience))
            step.says = f"entered, and the face is seen, in {scene.watch.now() - scene.watch.marks['joins']:.2f} s"
        yield Conversed(scene, room, Account(scene, room_url.rstrip("/"), http))
