"""A session of the agent: launched in one of three ways, ended whatever happens, written down, and seen to be over."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpx

from gateway.errors import GatewayError, SimliError, SimliProtocolError, SimliUnavailable
from gateway.errors.redaction import redacting
from gateway.settings.values import loopback
from gateway.simli import client
from gateway.simli.refusals import Answer, refusal
from gateway.smoke import verdicts
from gateway.smoke.causes import found
from gateway.smoke.evidence import Left
from gateway.smoke.scene import Scene

TRANSCRIPT_S = 15.0
"""For Simli to have the transcript of a session that is over."""
ENDED_S = 5.0
"""For a session to be seen ended."""
LOOK = 0.25
STARTING = 60.0


@dataclass(slots=True)
class Launched:
    """One that runs."""

    id: str
    room_url: str
    simli_id: str = ""
    warnings: tuple[str, ...] = field(default=())


@contextlib.asynccontextmanager
async def launched(scene: Scene) -> AsyncIterator[Launched]:
    """The agent applied and a session of it; left, its key opens nothing and its room is left. Raises GatewayError."""
    gateway, steps, wanted = scene.gateway, scene.steps, scene.wanted
    async with steps.step("agent", f"{wanted.agent} applied") as step:
        step.says = f"{wanted.agent}: {await gateway.apply()}"
    async with steps.step("session", "a turn through the public URL, then Simli's start") as step:
        one = await _started(scene)
        step.says = f"{one.id}, by {wanted.start}"
    scene.session = one.id
    try:
        yield one
    finally:
        await asyncio.shield(_ended(scene, one))


async def _started(scene: Scene) -> Launched:
    gateway, wanted = scene.gateway, scene.wanted
    if wanted.start != "link":
        told = await gateway.start(wanted.agent, by_agent=wanted.start == "agent")
        session = told["session"]
        return Launched(session["id"], told["room_url"], session["simli_id"], tuple(told["warnings"]))
    allowed = scene.agent.get("origins") or ([wanted.origin] if wanted.origin else [])
    told = await gateway.link(wanted.agent, allowed)
    id_ = told["session"]["id"]
    try:
        room_url, simli_id = await _asked_as_page(
            told["start_url"], told["token"], wanted.origin or next(iter(allowed), "")
        )
    except GatewayError:
        await gateway.end(id_)
        raise
    return Launched(id_, room_url, simli_id, tuple(told["warnings"]))


async def _asked_as_page(url: str, token: str, origin: str) -> tuple[str, str]:
    """A GET by a page of that origin, which starts the session: its room, and Simli's id. Raises SimliError."""
    local = loopback(urlsplit(url).hostname or "")
    headers = {"origin": origin, "referer": f"{origin}/"} if origin else {}
    try:
        async with httpx.AsyncClient(timeout=STARTING, trust_env=not local) as http:
            answer = await http.get(url, headers=headers)
    except httpx.HTTPError as error:
        raise SimliUnavailable(f"Simli did not start the session of the link ({type(error).__name__}).") from None
    deed = f"start the session for a page of {origin or 'no origin'}"
    redact = redacting([token])
    refused = refusal(Answer(answer.status_code, answer.headers, answer.content, deed, redact, keyed=False))
    if refused is not None:
        raise refused
    try:
        told = answer.json()
        return str(told["roomUrl"]), str(told.get("sessionId", ""))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise SimliProtocolError(f"Simli's answer to {deed} names no room.") from None


async def _ended(scene: Scene, one: Launched) -> None:
    """Its key opens nothing, and nobody is in its room: said as a step, which raises nothing."""
    with contextlib.suppress(GatewayError):
        async with scene.steps.step("end", one.id) as step:
            step.says = await scene.gateway.end(one.id)
            if scene.place.sandbox:
                await left(one.room_url)
                step.says = "its key opens nothing any more, and its room is left"


async def left(room_url: str) -> None:
    """A sandbox's session ends when its room is left, also by who could not enter it."""
    with contextlib.suppress(httpx.HTTPError):
        async with httpx.AsyncClient(timeout=5.0, trust_env=False) as http:
            await http.post(f"{room_url}/leave")


async def own_transcript(scene: Scene) -> None:
    """What the gateway wrote down by itself, while Simli has none yet."""
    async with scene.steps.step("gateway's transcript") as step:
        _, _, lines = await scene.gateway.transcript(scene.session)
        scene.written["gateway"] = lines
        step.says = f"{len(lines)} lines"


async def transcript(scene: Scene) -> None:
    """Simli's, waited for. A finding where it does not come."""
    async with scene.steps.step("transcript") as step:
        until = scene.watch.now() + TRANSCRIPT_S
        while True:
            state, source, lines = await scene.gateway.transcript(scene.session)
            if state == "ready" and source in ("simli", "both"):
                scene.written["sandbox" if scene.place.sandbox else "simli"] = lines
                step.says = f"{len(lines)} lines, {scene.watch.now() - until + TRANSCRIPT_S:.1f} s after the end"
                return
            if state == "ready" or scene.watch.now() > until:
                break
            await asyncio.sleep(LOOK)
        step.verdict, step.says = "failed", f"none within {TRANSCRIPT_S:g} s of the end"
        scene.findings.append(found("transcript_missing", f"Simli had no transcript {TRANSCRIPT_S:g} s after the end."))


async def usage(scene: Scene) -> int | None:
    """Sessions that run at Simli now; None: it cannot be asked."""
    settings = scene.place.settings
    with contextlib.suppress(SimliError):
        async with client.opened(settings.simli_url, settings.simli_key, settings.simli) as simli:
            return await simli.usage()
    return None


async def deserted(scene: Scene, one: Launched | None, before: int | None) -> None:
    """Nothing of this run is left running; a finding where something is. `before`: what ran when it began."""
    async with scene.steps.step("nothing left") as step:
        until = scene.watch.now() + ENDED_S
        while True:
            found_ = await _left(scene, one, before)
            if not found_.running or scene.watch.now() > until:
                break
            await asyncio.sleep(LOOK)
        if found_.running is None:
            step.verdict, step.says = "skipped", found_.says or "it could not be asked"
        else:
            step.says = f"{found_.running} sessions of this run at {found_.at}"
        if finding := verdicts.of_end(found_):
            step.verdict = "failed"
            scene.findings.append(finding)


async def _left(scene: Scene, one: Launched | None, before: int | None) -> Left:
    at = scene.place.settings.simli_url
    if scene.place.sandbox:
        try:
            async with httpx.AsyncClient(timeout=5.0, trust_env=False) as http:
                state = (await http.get(f"{at}/sandbox/state.json")).json()
        except (httpx.HTTPError, ValueError):
            return Left(None, at, "the sandbox is gone")
        return Left(len([each for each in state["sessions"] if _of_run(each, scene, one)]), at)
    if one is not None:
        return Left(None, at, "Simli ends the session by itself once nobody has spoken for its idle time")
    now = await usage(scene)
    return Left(None if now is None or before is None else max(0, now - before), at)


def _of_run(session: Mapping[str, Any], scene: Scene, one: Launched | None) -> bool:
    """Whether it is this run's, and runs still."""
    if session["ended"] is not None:
        return False
    ours = session["id"] == one.simli_id if one else session["kind"] == "compose"
    return bool(ours) and session["started"] >= scene.epoch - 1.0
