"""A conversation by text: the gateway is asked as any caller asks it, and a face speaks its answers with our voice."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field

from gateway.errors import NoSound
from gateway.peer.listening import Sounded
from gateway.peer.packets import Packets
from gateway.peer.playing import Playing
from gateway.peer.session import Way, joined
from gateway.simli import client
from gateway.simli.client import Simli
from gateway.simli.fields import DEFAULT_FACE
from gateway.smoke.asking import Answer, Caller, caller
from gateway.smoke.evidence import Call, Exchange, Interruption
from gateway.smoke.mouth import Mouth
from gateway.smoke.scene import INTO_S, QUIET_S, Scene, crowded, silent_ms, told, upstream_of
from gateway.smoke.script import Question
from gateway.smoke.understanding import Understood
from gateway.types.peer import Ticket
from gateway.types.smoke import Moments, SmokeLine, SmokeTurn

HUSH_S = 0.8
"""Seconds for which it is listened whether silence follows an interruption."""


@dataclass
class Composed:
    """A conversation that is under way."""

    scene: Scene
    playing: Playing
    caller: Caller
    history: list[dict[str, str]] = field(default_factory=list)

    async def converse(self) -> None:
        """Ask everything. Raises Found, PeerError, GatewayGone, Deaf."""
        for number, question in enumerate(self.scene.wanted.questions):
            name = "interruption" if question.interrupted else f"question {number + 1}"
            async with self.scene.steps.step(name, question.text) as step:
                turn = await (
                    self._broken_off(number, question) if question.interrupted else self._asked(number, question)
                )
                words = told(turn) if turn.interrupted else f"{len(turn.heard.split())} words heard"
                step.says = f"{question.text} ({words})"
                if turn.missing:
                    step.verdict = "failed"
        await self.playing.finish()

    async def _asked(self, number: int, question: Question) -> SmokeTurn:
        """One question, heard to its end."""
        scene = self.scene
        mouth, answer = self._begun()
        asking = asyncio.create_task(self._ask(question, mouth, answer), name="asking")
        listening = asyncio.create_task(
            scene.listening.answer(answer.requested, QUIET_S, scene.wanted.wait), name="listening"
        )
        sounded: Sounded | None = None
        try:
            await self.playing.play(mouth.read)
            await asking
            if mouth.text:
                await self.playing.idle(listening.done)
                with contextlib.suppress(NoSound):
                    sounded = await listening
        finally:
            await _over(asking, listening)
        call = await self._call(answer)
        heard = await scene.heard(sounded, mouth.text) if sounded else Understood("", None)
        moments = self._moments(answer, mouth)
        if sounded:
            mouth_at = scene.mouth(sounded.began, sounded.ended)
            moments |= {"first_sound": sounded.began, "first_mouth": mouth_at, "end": sounded.ended}
        self.history += [
            {"role": "user", "content": question.text},
            {"role": "assistant", "content": mouth.text or "…"},
        ]
        return self._kept(number, question, _Came(answer, mouth, call, heard, moments))

    async def _broken_off(self, number: int, question: Question) -> SmokeTurn:
        """One question whose answer is broken off once it is heard."""
        scene, watch = self.scene, self.scene.watch
        mouth, answer = self._begun()
        asking = asyncio.create_task(self._ask(question, mouth, answer), name="asking")
        playing = asyncio.create_task(self.playing.play(mouth.read), name="playing")
        began: float | None = None
        at = 0.0
        try:
            began = await scene.listening.began(answer.requested, scene.wanted.wait)
            await asyncio.sleep(max(0.0, began + INTO_S - watch.now()))
            at = watch.now()
        except NoSound:
            await asking
        finally:
            await _over(asking, playing)
        if began is None:
            call = await self._call(answer)
            moments = self._moments(answer, mouth)
            return self._kept(number, question, _Came(answer, mouth, call, Understood("", None), moments))
        await self.playing.interrupt()
        hushed = watch.now()
        await self.playing.idle(lambda: watch.now() > at + HUSH_S)
        silent = scene.cut_off(at, began - 0.1, at + HUSH_S)
        end = silent or at
        spoken = mouth.said(at - began)
        sound = Sounded(began, end, scene.listening.wave(began - 0.2, end + 0.2))
        call = await self._call(answer)
        heard = await scene.heard(sound, "")
        moments = self._moments(answer, mouth) | {
            "first_sound": began, "first_mouth": scene.mouth(began, end), "end": end, "interrupted": at,
            "hushed": hushed,
        }  # fmt: skip
        self.history += [{"role": "user", "content": question.text}, {"role": "assistant", "content": spoken or "…"}]
        broken = Interruption(at, silent, call, crowded())
        return self._kept(number, question, _Came(answer, mouth, call, heard, moments, broken))

    def _begun(self) -> tuple[Mouth, Answer]:
        scene = self.scene
        mouth = Mouth(scene.voice, scene.language, scene.watch.now)
        return mouth, Answer(scene.watch.now())

    async def _ask(self, question: Question, mouth: Mouth, answer: Answer) -> None:
        await self.caller.ask([*self.history, {"role": "user", "content": question.text}], mouth, answer)

    async def _call(self, answer: Answer) -> Call | None:
        """The gateway's record of it."""
        found = await self.scene.calls(answer.requested, lambda calls: any(one.id == answer.id for one in calls))
        return next((one for one in found if one.id == answer.id), None)

    def _moments(self, answer: Answer, mouth: Mouth) -> dict[str, float | None]:
        return {
            "asked": answer.requested,
            "asked_end": answer.requested,
            "requested": answer.requested,
            "retrieved": answer.retrieved,
            "first_token": answer.first_token,
            "first_clause": mouth.first_clause,
            "last_token": answer.last_token,
        }

    def _kept(self, number: int, question: Question, came: "_Came") -> SmokeTurn:
        scene = self.scene
        moments = Moments(**came.moments)
        one = Exchange(
            number=number,
            question=question,
            moments=moments,
            spoken=False,
            answer=came.mouth.text,
            heard=came.heard.text,
            rate=came.heard.rate,
            wait=scene.wanted.wait,
            calls=(came.call,) if came.call else (),
            seen=scene.seen(),
            interruption=came.broken,
        )
        broken = came.broken
        turn = SmokeTurn(
            question=question.text,
            understood=question.text,
            answer=came.mouth.text,
            heard=came.heard.text,
            answer_error=came.heard.error,
            sources=came.answer.sources,
            interrupted=broken is not None,
            silent_ms=silent_ms(broken),
            upstream=upstream_of(broken) if broken else "",
            moments=moments,
        )
        scene.lines_of(one)
        scene.recognised("user", question.text)
        scene.recognised("assistant", came.heard.text)
        if came.mouth.text:
            said = came.mouth.said(1e9 if broken is None else broken.began - (moments.first_sound or 0.0))
            scene.written["gateway"] = (
                *scene.written.get("gateway", ()), SmokeLine("user", question.text), SmokeLine("assistant", said)
            )  # fmt: skip
        return scene.judged(one, turn)


@dataclass(frozen=True, slots=True)
class _Came:
    """What came of a question."""

    answer: Answer
    mouth: Mouth
    call: Call | None
    heard: Understood
    moments: Mapping[str, float | None]
    broken: Interruption | None = None


@contextlib.asynccontextmanager
async def entered(scene: Scene, key: str) -> AsyncIterator[Composed]:
    """A face that waits for words. Raises SimliError, PeerError."""
    settings = scene.place.settings
    url = f"{scene.place.gateway}/agents/{scene.wanted.agent}/v1/chat/completions"
    async with (
        client.opened(settings.simli_url, settings.simli_key, settings.simli) as simli,
        caller(url) as http,
    ):
        async with scene.steps.step("session", "a token for the face, and ICE servers") as step:
            way = await _way(settings.simli_url, simli)
            face = str(scene.agent.get("face_id") or DEFAULT_FACE)
            token, servers = await asyncio.gather(simli.compose_token(face), simli.ice())
            step.says = f"face {face}, {way.dialect}"
        async with contextlib.AsyncExitStack() as stack:
            async with scene.steps.step("face", "offer, answer, connection, START") as step:
                scene.watch.mark("joins")
                session = await stack.enter_async_context(
                    joined(way, Ticket(token, tuple(servers)), scene.watch, scene.patience)
                )
                step.says = f"connected, and START, in {scene.watch.now() - scene.watch.marks['joins']:.2f} s"
            playing = Playing(session, Packets())
            yield Composed(scene, playing, Caller(http, url, key, scene.wanted.agent, scene.watch.now))


async def _way(url: str, simli: Simli) -> Way:
    return Way(url.rstrip("/"), "p2p" if await simli.dialect() == "current" else "websocket", simli.signalled)


async def _over(*tasks: "asyncio.Task[object] | asyncio.Task[None]") -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
