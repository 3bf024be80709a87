"""One session as it plays: what the client says moves the avatar; silence and age end it."""

import asyncio
from typing import Protocol

from gateway.sandbox.avatar.avatar import Avatar
from gateway.sandbox.signalling.lines import Line
from gateway.sandbox.signalling.words import Kind, Said, of_camera, of_scene


class Limits(Protocol):
    """How long a session may last; in seconds."""

    @property
    def max_session_length(self) -> float:
        """From its start."""

    @property
    def max_idle_time(self) -> float:
        """Without anything to play."""


class Playing:
    """From START to the end."""

    def __init__(self, avatar: Avatar, line: Line, limits: Limits) -> None:
        self._avatar = avatar
        self._line = line
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._begun = self._heard = self._loop.time()
        self._ending = asyncio.Event()
        self._at_once = False
        avatar.on_change = self._changed

    def take(self, said: Said) -> None:
        """Do what the client says."""
        match said.kind:
            case Kind.AUDIO | Kind.IMMEDIATE:
                self._play(said)
            case Kind.SKIP:
                self._avatar.clear()
            case Kind.DONE | Kind.STOP:
                self._at_once = said.kind is Kind.STOP
                self._ending.set()
            case Kind.PING:
                self._line.say(f"pong{said.text}")
            case Kind.CAMERA:
                self._line.say(of_camera(said.pcm))
            case Kind.SCENE:
                if notice := of_scene(said.text):
                    self._line.say(notice)
            case Kind.OFFER | Kind.TOKEN:
                pass  # said again: a client that retries on an open line changes nothing

    async def over(self) -> str:
        """Wait for the end, and say why it is: `IDLE`, `MAX`, or nothing where the client was done."""
        oldest = self._begun + self._limits.max_session_length
        while not self._ending.is_set():
            now = self._loop.time()
            if self._avatar.waiting:
                self._heard = now + self._avatar.waiting
            idle = self._heard + self._limits.max_idle_time
            if now >= min(oldest, idle):
                return "MAX" if oldest <= idle else "IDLE"
            await _within(min(oldest, idle) - now, self._ending)
        if not self._at_once and not await _within(oldest - self._loop.time(), self._avatar.silent):
            return "MAX"
        return ""

    def _play(self, said: Said) -> None:
        self._heard = self._loop.time()
        if said.kind is Kind.IMMEDIATE:
            self._avatar.play_immediate(said.pcm)
        else:
            self._avatar.play(said.pcm)
        self._line.say("ACK")

    def _changed(self, speaking: bool) -> None:
        self._line.say("SPEAK" if speaking else "SILENT")


async def _within(seconds: float, event: asyncio.Event) -> bool:
    """Whether it happens in time."""
    try:
        async with asyncio.timeout(max(0.0, seconds)):
            await event.wait()
    except TimeoutError:
        return False
    return True
