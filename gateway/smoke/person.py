"""A session's room, joined by somebody else than the run's own peer: what came of it, and what the gateway saw of it.

One question is spoken: a microphone that is a file speaks when its time has come, and cannot wait for an answer.
"""

import asyncio
import contextlib
import tempfile
import wave
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import httpx

from gateway.audio.agreement import word_error
from gateway.peer.packets import RATE
from gateway.peer.source import decoded
from gateway.smoke.auto import By, conversed, judged
from gateway.smoke.causes import found
from gateway.smoke.evidence import Call, Exchange
from gateway.smoke.scene import Scene
from gateway.smoke.script import Question
from gateway.smoke.transcripts import Line
from gateway.smoke.understanding import Understood, missing
from gateway.smoke.verdicts import of_silence
from gateway.types.smoke import Moments, SmokeTurn, Visit

ENTERS_S = 3.0
"""Seconds from a page's microphone to the avatar's first words."""
ANSWER_S = 30.0
"""Seconds that an answer may take, beside the wait for it."""


async def visit(scene: Scene, room_url: str, by: By = "auto") -> Visit:
    """Ask the first question in that room, and judge what came of it: a turn, and findings where it did not hold.

    Raises InvalidValue for a question that cannot be spoken, Deaf.
    """
    question = scene.wanted.questions[0]
    greeting = str(scene.agent.get("first_message") or "")
    lead = ENTERS_S + (len((await scene.voice.spoken(greeting, scene.language)).pcm) / 2 / RATE if greeting else 0.0)
    pcm = await scene.sound_of(question)
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
    await _kept(scene, question, came, calls, await _account(room_url) if scene.place.sandbox else {})
    for other in scene.wanted.questions[1:]:
        scene.steps.skipped("question", f"{other.text} (a microphone that is a file asks one question)")
    return came


async def _kept(
    scene: Scene, question: Question, came: Visit, calls: Sequence[Call], account: Mapping[str, Any]
) -> None:
    """Who said what, the turn, and what did not hold."""
    answered = [one for one in calls if not one.refused]
    said = str(account.get("said") or (answered[-1].answer if answered else "") or "")
    known = [line.text for line in came.words if line.role == "user"] or [str(account.get("asked") or "")]
    heard = Understood("", None)
    if came.heard:
        pcm = b"".join(await asyncio.to_thread(list, decoded(str(came.heard), None)))
        heard = Understood((await scene.ears.heard(pcm[: 2 * RATE * 55], scene.language)).text, None)
    told = " ".join(line.text for line in came.words if line.role == "assistant")
    lost = missing(heard.text, question.facts) if came.heard else ()
    names = {one.name for one in fields(Moments)}
    moments = {name: at - scene.epoch for name, at in (account.get("moments") or {}).items() if name in names}
    scene.turns.append(
        SmokeTurn(
            question=question.text,
            understood=known[0],
            question_error=word_error(question.text, known[0]) if known[0] else None,
            answer=said,
            heard=heard.text,
            answer_error=word_error(told, heard.text) if told and heard.text else None,
            facts=question.facts,
            missing=lost,
            sources=answered[-1].sources if answered else (),
            moments=Moments(**moments),
        )
    )
    if came.joined:
        scene.held.append(Line("user", question.text))
    if said:
        scene.held.append(Line("assistant", said))
    deaf = str(account.get("ears") or "")
    if finding := judged(came, asked=bool(answered)):
        told_more = came.joined and (calls or deaf)
        one = Exchange(0, question, calls=tuple(calls), wait=scene.wanted.wait, deaf=deaf)
        scene.findings.append(of_silence(one) if told_more else finding)
    elif came.heard and not heard.text:
        says = f"The gateway answered with {len(said)} characters, and no word was heard in the room."
        scene.findings.append(found("voice_silent", says, turn=0))
    elif lost:
        says = f"The answer does not hold {', '.join(map(repr, lost))}; heard was {heard.text[:200]!r}."
        scene.findings.append(found("fact_missing", says, turn=0))


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
