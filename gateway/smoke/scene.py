"""What both kinds of conversation share: who speaks, who hears, and what is kept of it."""

import asyncio
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from gateway.audio.agreement import word_error
from gateway.audio.ears import Ears
from gateway.audio.voice import Voice
from gateway.errors import GatewayError
from gateway.peer.lips import Lips
from gateway.peer.listening import Listening, Sounded
from gateway.peer.packets import RATE
from gateway.peer.patience import Patience
from gateway.peer.source import reading
from gateway.peer.watch import Watch
from gateway.smoke import verdicts
from gateway.smoke.evidence import Call, Exchange, Interruption, Seen
from gateway.smoke.gateway import Gateway
from gateway.smoke.script import Question
from gateway.smoke.steps import Steps
from gateway.smoke.surroundings import Place
from gateway.smoke.transcripts import Line
from gateway.smoke.understanding import Understood, missing, otherwise, understood
from gateway.smoke.verdicts import GARBLED
from gateway.smoke.wanted import Wanted
from gateway.types.smoke import Finding, SmokeLine, SmokeMedia, SmokeTurn

QUIET_S = 1.2
"""An answer is over after so long without a sound: models pause between sentences."""
INTO_S = 0.8
"""Seconds of an answer that are heard before it is interrupted."""
RECORDED_S = 3.0
"""The gateway writes a record down when the answer has ended; so long it is waited for."""
LONGEST_S = 55
"""Seconds of a question that are heard."""
EARLY_S = 0.4
"""A mouth may open so much before it is heard."""
LOOK = 0.1


class Found(Exception):
    """A cause was found, and the conversation cannot go on."""

    def __init__(self, findings: list[Finding]) -> None:
        super().__init__(findings[0].says)
        self.findings = findings


@dataclass
class Scene:
    """One conversation, and all that was kept of it. Moments are seconds of the watch."""

    wanted: Wanted
    place: Place
    gateway: Gateway
    watch: Watch
    steps: Steps
    voice: Voice
    ears: Ears
    listening: Listening
    lips: Lips
    epoch: float
    """When the watch began, in seconds since the epoch."""
    agent: Mapping[str, Any] = field(default_factory=dict)
    session: str = ""
    """The gateway's id of it; empty: it has none."""
    exchanges: list[Exchange] = field(default_factory=list)
    turns: list[SmokeTurn] = field(default_factory=list)
    held: list[Line] = field(default_factory=list)
    """What was said by whom, as the person knows it."""
    written: dict[str, tuple[SmokeLine, ...]] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    @property
    def language(self) -> str:
        """Of the agent, without its region."""
        return str(self.agent.get("language") or "en").partition("-")[0]

    @property
    def patience(self) -> Patience:
        """Of the peer: as the run waits for an answer, so it waits for a face."""
        usual, wait = Patience(), self.wanted.wait
        return replace(
            usual,
            answer=min(usual.answer, wait),
            connect=min(usual.connect, 1.5 * wait),
            start=min(usual.start, 1.5 * wait),
            picture=min(usual.picture, 1.5 * wait),
            sound=min(usual.sound, wait),
        )

    def seen(self) -> Seen:
        """What came of the face by now."""
        watch = self.watch
        since = watch.marks.get("connected")
        watched = 0.0 if since is None else watch.now() - since
        return Seen(watch.pictures.count, watch.moved, watch.sounds.count, watch.heard, watched)

    async def sound_of(self, question: Question) -> bytes:
        """The question as 16-bit, 16 kHz, mono. Raises InvalidValue for a file that cannot be read."""
        if not question.audio:
            return (await self.voice.spoken(question.text, self.language)).pcm
        pieces = bytearray()
        async with reading(question.audio, question.raw) as source:
            while piece := await source.read():
                pieces += piece
        return bytes(pieces)

    async def itself(self, question: Question, pcm: bytes) -> tuple[str, str]:
        """What our own ears hear in the question; and as what samples it is understood where it is not as sent."""
        text = (await self.ears.heard(pcm[: LONGEST_S * RATE * 2], self.language)).text
        error = word_error(question.text, text)
        if error <= GARBLED:
            return text, ""
        other = await otherwise(self.ears, pcm, question.text, self.language) if question.raw else ""
        return ("" if question.audio and not other and error >= 1.0 else text), other

    async def heard(self, sounded: Sounded, said: str) -> Understood:
        """What our ears make of an answer, against what was said where that is known."""
        return await understood(self.ears, sounded.pcm, said, self.language)

    async def calls(self, since: float, enough: Callable[[list[Call]], bool], within: float = RECORDED_S) -> list[Call]:
        """What the gateway recorded of this session from a moment on; refused ones of nobody's too."""
        until = self.watch.now() + within
        while True:
            told = await self.gateway.calls(self.epoch + since - 0.5, self.epoch)
            found = [one for one in told if self._ours(one)]
            if enough(found) or self.watch.now() > until:
                return found
            await asyncio.sleep(LOOK)

    def _ours(self, call: Call) -> bool:
        if call.session or not self.session:
            return call.session == self.session
        return call.refused and call.agent in ("", self.wanted.agent)

    def judged(self, one: Exchange, turn: SmokeTurn) -> SmokeTurn:
        """Keep what came of a question. Raises Found where it cannot go on."""
        self.exchanges.append(one)
        missed = () if one.interruption else missing(one.heard, one.question.facts)
        turn = replace(turn, facts=one.question.facts, missing=missed)
        self.turns.append(turn)
        stopping = list(verdicts.of_exchange(one))
        broken = list(verdicts.of_interruption(one))
        words = [] if one.interruption else list(verdicts.of_words(one, turn.question_error, turn.answer_error, missed))
        if stopping:
            self.findings += stopping
            raise Found(stopping)
        self.findings += [*broken, *words]
        return turn

    def mouth(self, began: float, ended: float) -> float | None:
        """When it first moved for a sound of that time; None: it was not seen to."""
        at = self.lips.first_mouth(began - EARLY_S)
        return at if at is not None and at < ended else None

    def cut_off(self, began: float, from_: float, to: float) -> float | None:
        """When the avatar's last sound ended between the two; None: it was not speaking when somebody else began."""
        last = self.listening.last_sound(to)
        before = self.listening.last_sound(began)
        speaking = before is not None and before > from_ and began - before < QUIET_S
        return last if speaking else None

    def lines_of(self, one: Exchange) -> None:
        """Keep who said what."""
        self.held.append(Line("user", one.question.text))
        text = one.answer if one.answer and not one.interruption else one.heard
        if text:
            self.held.append(Line("assistant", text, cut=one.interruption is not None))

    def recognised(self, role: str, text: str) -> None:
        """Keep what our ears heard."""
        if text:
            line = SmokeLine("user" if role == "user" else "assistant", text)
            self.written["recogniser"] = (*self.written.get("recogniser", ()), line)

    def media(self) -> SmokeMedia:
        """What was measured of the face."""
        watch = self.watch

        def ms(seconds: float | None) -> float | None:
            return None if seconds is None else round(1000 * seconds, 1)

        joined = watch.marks.get("joins", 0.0)
        return SmokeMedia(
            connected_ms=ms(_since(watch.marks.get("connected"), joined)),
            first_picture_ms=ms(_since(watch.pictures.first, joined)),
            first_sound_ms=ms(_since(watch.marks.get("heard"), joined)),
            fps=round(watch.pictures.rate, 1),
            pictures=watch.pictures.count,
            moving=round(watch.moved / watch.pictures.count, 3) if watch.pictures.count else 0.0,
            freezes=watch.pictures.gaps,
            longest_freeze_ms=ms(watch.pictures.longest_gap) or 0.0,
            audio_gaps=watch.sounds.gaps,
            picture_jitter_ms=ms(watch.pictures.jitter),
            sound_jitter_ms=ms(watch.sounds.jitter),
            lip_offset_ms=self.lips.offset_ms(),
            round_trip_ms=ms(watch.round_trip),
        )


def _since(at: float | None, began: float) -> float | None:
    return None if at is None else at - began


def crowded() -> float:
    """Programs that want to run, for each core of this machine: the mean of the last minute."""
    return os.getloadavg()[0] / (os.cpu_count() or 1)


def silent_ms(broken: Interruption | None) -> float | None:
    """Until the avatar was silent; 0: it was in a pause, and did not go on."""
    if broken is None or broken.silent is None:
        return None
    return round(max(0.0, 1000 * (broken.silent - broken.began)), 1)


def told(turn: SmokeTurn) -> str:
    """What came of an interruption, for a step's line."""
    silent = "nothing was interrupted" if turn.silent_ms is None else f"silent after {turn.silent_ms:.0f} ms"
    return f"{silent}, upstream {turn.upstream or 'unknown'}"


def upstream_of(broken: Interruption) -> Literal["", "cancelled", "had ended", "ran on"]:
    """In the report's words: what became of the stream from the model."""
    call = broken.call
    if call is None or call.upstream in ("", "failed"):
        return ""
    if call.upstream == "cancelled":
        return "cancelled"
    return "had ended" if call.outcome == "client_gone" or call.upstream == "ended" else "ran on"


def error_of(error: GatewayError, scene: Scene) -> Finding:
    """The cause of an error: where no picture came, what came instead says more."""
    if error.code in ("no_picture", "no_sound"):
        found = verdicts.of_media(replace(scene.seen(), watched_s=max(scene.seen().watched_s, verdicts.STANDS)))
        if found:
            return found
    return verdicts.of_error(error)
