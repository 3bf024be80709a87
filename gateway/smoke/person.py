"""A session's room, joined by somebody else than the run's own peer: what came of it, and what the gateway saw of it.

One question is spoken: a microphone that is a file speaks when its time has come, and cannot wait for an answer.
"""

import asyncio
import contextlib
import tempfile
import wave
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import httpx

from gateway.audio.agreement import word_error
from gateway.peer.packets import RATE
from gateway.peer.source import decoded
from gateway.smoke.auto import By, conversed, judged
from gateway.smoke.causes import found
from gateway.smoke.evidence import Call, Exchange
from gateway.smoke.scene import Found, Scene
from gateway.smoke.script import Question
from gateway.smoke.understanding import missing, understood
from gateway.smoke.verdicts import of_exchange, of_silence, of_words
from gateway.types.smoke import Finding, Moments, SmokeTurn, Visit

ENTERS_S = 3.0
"""Seconds from a page's microphone to the avatar's first words."""
ANSWER_S = 30.0
"""Seconds that an answer may take, beside the wait for it."""


async def visit(scene: Scene, room_url: str, by: By = "auto") -> Visit:
    """Ask the first question in that room, and judge what came of it: a turn, and findings where it did not hold.

    Raises InvalidValue for a question that cannot be read, Found for one that our own ears do not understand, Deaf.
    """
    question = scene.wanted.questions[0]
    greeting = str(scene.agent.get("first_message") or "")
    lead = ENTERS_S + (len((await scene.voice.spoken(greeting, scene.language)).pcm) / 2 / RATE if greeting else 0.0)
    pcm = await scene.sound_of(question)
    itself, otherwise = await scene.itself(question, pcm)
    if otherwise or not itself:
        scene.findings += of_exchange(Exchange(0, question, itself=itself, itself_otherwise=otherwise))
        raise Found(scene.findings)
    began = scene.watch.now()
    async with scene.steps.step("room joined", room_url) as step:
        with tempfile.TemporaryDirectory(prefix="smoke-") as place:
            spoken = Path(place, "question.wav")
            await asyncio.to_thread(_written, spoken, pcm)
            stays = lead + len(pcm) / 2 / RATE + scene.wanted.wait + ANSWER_S
            came = await conversed(room_url, spoken, scene.wanted.folder, stays, by, lead_s=lead)
        step.says = came.says
        if not came.joined:
            step.verdict = "failed"
    calls = await scene.calls(began, bool) if came.joined else []
    account = await _account(room_url) if scene.place.sandbox else {}
    answer = await asyncio.to_thread(_after, came.heard, lead + len(pcm) / 4 / RATE) if came.heard else None
    await _kept(scene, _Came(question, itself, came, calls, account, answer))
    for other in scene.wanted.questions[1:]:
        scene.steps.skipped("question", f"{other.text} (a microphone that is a file asks one question)")
    return came


@dataclass(frozen=True, slots=True)
class _Came:
    """What came of the question."""

    question: Question
    itself: str
    """Its sound, as our own ears hear it."""
    visit: Visit
    calls: Sequence[Call]
    account: Mapping[str, Any]
    answer: bytes | None
    """What was heard from the middle of the question on; None: it could not be recorded."""


async def _kept(scene: Scene, came: _Came) -> None:
    """Who said what, the turn, and what did not hold."""
    question, account = came.question, came.account
    answered = [one for one in came.calls if not one.refused]
    said = str(account.get("said") or (answered[-1].answer if answered else "") or "")
    words = await understood(scene.ears, came.answer or b"", said, scene.language)
    names = {one.name for one in fields(Moments)}
    moments = {name: at - scene.epoch for name, at in (account.get("moments") or {}).items() if name in names}
    one = Exchange(
        0,
        question,
        moments=Moments(**moments),
        understood=account.get("asked"),
        answer=said,
        heard=words.text,
        rate=words.rate,
        wait=scene.wanted.wait,
        calls=tuple(came.calls),
        deaf=str(account.get("ears") or ""),
    )
    turn = SmokeTurn(
        question=question.text,
        understood=one.understood or "",
        question_error=word_error(question.text, one.understood) if one.understood else None,
        answer=said,
        heard=words.text,
        answer_error=words.error if came.answer else None,
        facts=question.facts,
        missing=missing(words.text, question.facts) if came.answer else (),
        sources=answered[-1].sources if answered else (),
        moments=one.moments,
    )
    scene.turns.append(turn)
    if came.visit.joined:
        scene.lines_of(one)
        scene.recognised("user", came.itself)
        scene.recognised("assistant", words.text)
    scene.findings += _findings(one, turn, came)


def _findings(one: Exchange, turn: SmokeTurn, came: _Came) -> list[Finding]:
    """The likeliest cause first; empty where somebody was there, the gateway was asked, and its answer was heard."""
    asked = any(not call.refused for call in one.calls)
    if finding := judged(came.visit, asked=asked):
        return [of_silence(one) if came.visit.joined and (one.calls or one.deaf) else finding]
    if came.answer is None:
        return []
    if not one.heard:
        return [of_silence(one)]
    if one.rate != 1.0:
        says = f"What is heard is understood only when it is played {one.rate:g} times as fast."
        return [found("wrong_rate", says, turn=0)]
    return list(of_words(one, turn.question_error, turn.answer_error, turn.missing))


def _after(heard: Path, seconds: float) -> bytes:
    """A recording from there on."""
    return b"".join(decoded(str(heard), None))[2 * round(seconds * RATE) :]


async def _account(room_url: str) -> Mapping[str, Any]:
    """The sandbox's own account of the spoken turn, and of its `ears`; empty: it has none."""
    with contextlib.suppress(httpx.HTTPError, ValueError, KeyError):
        async with httpx.AsyncClient(timeout=5.0, trust_env=False) as http:
            state = (await http.get(f"{room_url}/state.json")).json()
        spoken = [one for one in state["turns"] if one["by"] == "spoken"]
        return {**(spoken[0] if spoken else {}), "ears": state["ears"]}
    return {}


def _written(file: Path, pcm: bytes) -> None:
    with wave.open(str(file), "wb") as written:
        written.setnchannels(1)
        written.setsampwidth(2)
        written.setframerate(RATE)
        written.writeframes(pcm)
