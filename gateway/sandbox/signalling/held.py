"""A session from START to its end, whatever line it is told over."""

import asyncio
import json
from collections.abc import Coroutine
from typing import Any

from gateway.sandbox.accounts import Accounts
from gateway.sandbox.avatar.avatar import Avatar
from gateway.sandbox.sessions import Session
from gateway.sandbox.signalling.lines import Gone, Line
from gateway.sandbox.signalling.patience import Patience
from gateway.sandbox.signalling.peer import Answer, Peer
from gateway.sandbox.signalling.playing import Playing
from gateway.sandbox.signalling.words import read


def compact(value: Any) -> str:
    """JSON without spaces, its keys as they come: clients look at its first word."""
    return json.dumps(value, separators=(",", ":"))


RATE = "RATE LIMIT EXCEEDED"
"""What is said instead of an error where too many sessions run: clients look at its first word."""


async def refused(line: Line, code: str) -> str:
    """Say that something is wrong, and hang up; STOP as well, for two clients do not understand the error alone."""
    line.say(code if code == RATE else f"ERROR: {code}")
    line.say("STOP")
    await line.close()
    return code


class Held:
    """A session that runs: its line, its viewer, its avatar."""

    def __init__(self, line: Line, peer: Peer, session: Session, accounts: Accounts, patience: Patience) -> None:
        self.line = line
        self.peer = peer
        self.session = session
        self._behaviour = accounts.behaviour
        self._patience = patience
        self._playing = Playing(peer.avatar, line, session)

    async def run(self, *, at_once: bool) -> str:
        """Play until the end, and say why it was; START `at_once`, or when the viewer is connected and again."""
        said = asyncio.create_task(self._listen())
        over = asyncio.create_task(self._playing.over())
        started = asyncio.create_task(self._start(at_once=at_once))
        lost = asyncio.create_task(self._lose())
        dropped = asyncio.create_task(self._drop())
        waited: list[asyncio.Task[Any]] = [said, over, started, lost, dropped]
        try:
            await asyncio.wait({said, over, lost, dropped}, return_when=asyncio.FIRST_COMPLETED)
            started.cancel()  # no START behind the STOP
            if said.done() or dropped.done():
                return "closed"
            if over.done():
                return await self._end(over.result(), said)
            if not self.peer.connected.is_set():
                return await refused(self.line, "WEBRTC_CONNECTION_FAILED")
            return await self._end("", said)
        finally:
            for task in waited:
                task.cancel()
            await asyncio.gather(*waited, return_exceptions=True)

    async def _listen(self) -> None:
        try:
            while True:
                self._playing.take(read(await self.line.hear()))
        except Gone:
            return

    async def _start(self, *, at_once: bool) -> None:
        if self._behaviour.start == "withheld":
            return
        if at_once:
            self.line.say("START")
            return
        await self.peer.connected.wait()
        self.line.say("START")
        await asyncio.sleep(self._patience.again)
        self.line.say("START")

    async def _lose(self) -> None:
        """Until the viewer's connection is gone, or has not come about in time."""
        if await in_time(self._patience.media, self.peer.settled.wait()):
            await self.peer.closed.wait()

    async def _drop(self) -> None:
        await self.peer.connected.wait()
        if not self._behaviour.drops_after:
            await asyncio.Event().wait()
        await asyncio.sleep(self._behaviour.drops_after)
        await self.line.drop()

    async def _end(self, reason: str, left: asyncio.Task[None]) -> str:
        """ENDFRAME before the reason: the JavaScript client takes the reason alone for an error.

        The client has a moment to hang up by itself, as all do: one whose data channel breaks first never reads STOP.
        """
        self.line.say("ENDFRAME")
        if reason:
            self.line.say(f"CLOSING REASON: {reason}")
        self.line.say("STOP")
        await asyncio.wait({left}, timeout=self._patience.farewell)
        await self.line.close()
        return reason or "closed"


def shown(answer: Answer, *, blocked: bool) -> str:
    """The answer as it is sent. `blocked`: with a password that is not the avatar's, so that ICE never gets through."""
    sdp = answer["sdp"]
    if blocked:
        lines = sdp.split("\r\n")
        sdp = "\r\n".join("a=ice-pwd:" + "0" * 22 if line.startswith("a=ice-pwd:") else line for line in lines)
    return compact({"sdp": sdp, "type": answer["type"]})


async def in_time(seconds: float, waited: Coroutine[Any, Any, Any]) -> bool:
    """Whether something is done in time; Gone goes through."""
    try:
        async with asyncio.timeout(seconds):
            await waited
    except TimeoutError:
        return False
    return True


def about(avatar: Avatar, session: Session) -> tuple[str, str]:
    """What is told besides the answer: what the session is called, and how its picture is."""
    return (
        compact({"destination": session.room, "session_id": session.id}),
        compact({"video_metadata": {"fps": avatar.fps, "width": 512, "height": 512}}),
    )
