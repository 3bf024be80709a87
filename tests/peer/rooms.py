"""A room whose other end is data: what it shows, plays and refuses; and what it heard."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError
from av import AudioFrame, VideoFrame
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.sandboxed import served


class Shown(MediaStreamTrack):
    """Pictures by the clock: `drawn` makes each from its second."""

    kind = "video"

    def __init__(self, drawn: Callable[[float], "np.ndarray[Any, Any]"], fps: int) -> None:
        super().__init__()
        self._drawn, self._fps, self._number = drawn, fps, 0
        self._zero = asyncio.get_running_loop().time()

    async def recv(self) -> VideoFrame:
        self._number += 1
        at = self._number / self._fps
        await asyncio.sleep(self._zero + at - asyncio.get_running_loop().time())
        frame = VideoFrame.from_ndarray(self._drawn(at), format="gray").reformat(format="yuv420p")
        frame.pts, frame.time_base = self._number * 90000 // self._fps, Fraction(1, 90000)
        return frame


class Played(MediaStreamTrack):
    """Sound by the clock: 48 kHz, as loud at each second as `level` says (0 to 1)."""

    kind = "audio"

    def __init__(self, level: Callable[[float], float]) -> None:
        super().__init__()
        self._level, self._number = level, 0
        self._zero = asyncio.get_running_loop().time()

    async def recv(self) -> AudioFrame:
        self._number += 1
        at = self._number * 0.02
        await asyncio.sleep(self._zero + at - asyncio.get_running_loop().time())
        tone = np.sin(2 * np.pi * 300 * (self._number * 960 + np.arange(960)) / 48000)
        wave = (self._level(at) * 16000 * tone).astype(np.int16)
        frame = AudioFrame.from_ndarray(np.repeat(wave, 2).reshape(1, -1), format="s16", layout="stereo")
        frame.sample_rate, frame.pts, frame.time_base = 48000, self._number * 960, Fraction(1, 48000)
        return frame


def grey(at: float) -> "np.ndarray[Any, Any]":
    """A picture whose brightness goes up and down."""
    return np.full((64, 64), 100 + 40 * np.sin(6 * at), np.uint8)


def quiet(at: float) -> float:
    """Nothing to be heard."""
    return 0.0


@dataclass
class Scripted:
    """What the room does, and what it saw."""

    url: str = ""
    refuses: tuple[int, Any] | None = None
    """Status and body of the answer to an offer."""
    declines: bool = False
    """It is deaf: what is said is declined."""
    takes: float = 0.0
    """Seconds until the offer is answered."""
    drawn: Callable[[float], "np.ndarray[Any, Any]"] | None = grey
    level: Callable[[float], float] | None = quiet
    fps: int = 30
    state: dict[str, Any] = field(default_factory=lambda: {"state": "listening", "reason": ""})
    heard: list["np.ndarray[Any, Any]"] = field(default_factory=list)
    """What was said, 48 kHz, frame by frame."""
    came: list[float] = field(default_factory=list)
    """When each frame came, by the loop's clock."""
    pts: list[int] = field(default_factory=list)
    left: int = 0
    """How often somebody said that they leave."""
    connections: list[RTCPeerConnection] = field(default_factory=list)
    hearing: list[asyncio.Task[None]] = field(default_factory=list)

    async def vanish(self) -> None:
        """Every connection is closed, and nothing is said of it."""
        for connection in self.connections:
            await connection.close()

    def said(self) -> "np.ndarray[Any, Any]":
        """All that was heard, in one piece."""
        return np.concatenate(self.heard) if self.heard else np.zeros(0, np.int16)

    async def offered(self, request: Request) -> Response:
        """Answer."""
        await asyncio.sleep(self.takes)
        if self.refuses:
            status, body = self.refuses
            return JSONResponse(body, status_code=status)
        connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.connections.append(connection)
        connection.on("track", self._hear)
        await connection.setRemoteDescription(RTCSessionDescription(**await request.json()))
        tracks = {"video": self.drawn and Shown(self.drawn, self.fps), "audio": self.level and Played(self.level)}
        for transceiver in connection.getTransceivers():
            transceiver.sender.replaceTrack(tracks[transceiver.kind])
            hears = transceiver.kind == "audio" and not self.declines
            transceiver.direction = "sendrecv" if hears else "sendonly"
        await connection.setLocalDescription()
        return JSONResponse({"sdp": connection.localDescription.sdp, "type": "answer"})

    async def leave(self, _: Request) -> Response:
        """Somebody left."""
        self.left += 1
        return Response(status_code=204)

    async def shown(self, _: Request) -> Response:
        """Its state."""
        return JSONResponse(self.state)

    def _hear(self, track: MediaStreamTrack) -> None:
        if track.kind == "audio":
            self.hearing.append(asyncio.create_task(self._kept(track)))

    async def _kept(self, track: MediaStreamTrack) -> None:
        with contextlib.suppress(MediaStreamError):
            while True:
                frame = await track.recv()
                assert isinstance(frame, AudioFrame) and frame.pts is not None
                self.came.append(asyncio.get_running_loop().time())
                self.pts.append(frame.pts)
                self.heard.append(frame.to_ndarray().reshape(-1, 2)[:, 0])


@contextlib.asynccontextmanager
async def room(**script: Any) -> AsyncIterator[Scripted]:
    """A room at a URL of its own."""
    scripted = Scripted(**script)
    app = Starlette(
        routes=[
            Route("/room/a/offer", scripted.offered, methods=["POST"]),
            Route("/room/a/leave", scripted.leave, methods=["POST"]),
            Route("/room/a/state.json", scripted.shown),
        ]
    )
    async with served(app) as url:
        scripted.url = f"{url}/room/a"
        try:
            yield scripted
        finally:
            await scripted.vanish()
            for task in scripted.hearing:  # a track that was declined never ends
                task.cancel()
            await asyncio.gather(*scripted.hearing, return_exceptions=True)
