"""A sandbox, a client of it, and sound to play to it."""

import asyncio
import contextlib
import wave
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from av import AudioFrame, VideoFrame

from gateway.peer.patience import Patience
from gateway.peer.session import Session, Way, joined
from gateway.peer.watch import Watch
from gateway.settings import Simli as Options
from gateway.simli.client import Simli, opened
from gateway.types.peer import PeerDialect, Ticket
from tests.sandboxed import Sandbox, sandboxed

FACE = "tmp9i8bbq7c"
SHORT = Patience(answer=1.0, connect=0.4, start=0.3, picture=0.3, sound=3.0, close=1.0)


def sine(seconds: float, rate: int = 16000, hertz: float = 440.0, loud: float = 0.5) -> "np.ndarray[Any, Any]":
    """A tone, -1 to 1."""
    return (loud * np.sin(2 * np.pi * hertz * np.arange(round(rate * seconds)) / rate)).astype(np.float32)


def pcm(seconds: float, **more: Any) -> bytes:
    """A tone as a face is sent it."""
    return bytes((sine(seconds, **more) * 32767).astype("<i2").tobytes())


def waved(path: Path, seconds: float, rate: int = 48000, channels: int = 2, loud: float = 0.5) -> Path:
    """A tone as a WAV file."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        samples = (sine(seconds, rate, loud=loud) * 32767).astype("<i2")
        file.writeframes(np.repeat(samples, channels).tobytes())
    return path


@dataclass
class Ear:
    """Keeps what was heard, for a short while of it."""

    pieces: list["np.ndarray[Any, Any]"] = field(default_factory=list)

    def take(self, frame: AudioFrame | VideoFrame, _: float) -> None:
        if isinstance(frame, AudioFrame):
            self.pieces.append(frame.to_ndarray().reshape(-1, 2)[:, 0].astype(np.float32))

    def hertz(self) -> float:
        """Of the loudest tone in the loudest quarter of a second."""
        whole = np.concatenate(self.pieces)
        blocks = whole[: whole.size // 12000 * 12000].reshape(-1, 12000)
        block = blocks[int(np.square(blocks).sum(axis=1).argmax())]
        return float(np.fft.rfftfreq(12000, 1 / 48000)[int(np.abs(np.fft.rfft(block)).argmax())])


@dataclass
class Stage:
    """What a test plays on."""

    sandbox: Sandbox
    simli: Simli
    tickets: list[Ticket] = field(default_factory=list)

    def way(self, dialect: PeerDialect = "p2p", *, full: bool = False) -> Way:
        """How to the sandbox."""
        return Way(self.sandbox.url, dialect, self.simli.signalled, full)

    async def ticket(self, **fields: Any) -> Ticket:
        """A new one."""
        token, servers = await asyncio.gather(self.simli.compose_token(FACE, **fields), self.simli.ice())
        self.tickets.append(Ticket(token, tuple(servers)))
        return self.tickets[-1]

    @contextlib.asynccontextmanager
    async def joined(
        self, dialect: PeerDialect = "p2p", watch: Watch | None = None, patience: Patience = SHORT, **fields: Any
    ) -> AsyncIterator[Session]:
        """A session that has started."""
        async with joined(self.way(dialect), await self.ticket(**fields), watch or Watch(), patience) as session:
            yield session

    async def deserted(self) -> bool:
        """Whether nothing runs there any more, and so nothing would be billed; half a second is given for it."""
        for _ in range(50):
            if not (await self.sandbox.state())["running"]:
                return True
            await asyncio.sleep(0.01)
        return False


@contextlib.asynccontextmanager
async def stage(key: str = "") -> AsyncIterator[Stage]:
    """A sandbox of its own, and a client."""
    async with sandboxed() as sandbox, opened(sandbox.url, key or sandbox.key, Options()) as simli:
        yield Stage(sandbox, simli)


async def nothing() -> bytes:
    """A source that is at its end."""
    return b""
