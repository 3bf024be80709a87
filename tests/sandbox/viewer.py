"""A viewer made of aiortc: it connects in each dialect, and keeps what it sees and hears."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
import numpy as np
from aiortc import RTCConfiguration, RTCDataChannel, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from numpy.typing import NDArray
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.sandboxed import Sandbox, caller

PATIENCE = 8.0
"""Seconds that anything may take before a test says so."""


@dataclass
class Frame:
    """A picture: when it came, where it stands in its track, and its grey values."""

    at: float
    seconds: float
    grey: NDArray[np.uint8]

    @property
    def mouth(self) -> float:
        """How dark it is where the mouth is: more where it is open."""
        return float((self.grey[335:420, 205:307] < 60).mean())


@dataclass
class Sound:
    """20 ms: when they came, where they stand in their track, and how loud they are."""

    at: float
    seconds: float
    rms: float


@dataclass
class Viewer:
    """What arrived so far."""

    connection: RTCPeerConnection
    began: float = field(default_factory=time.perf_counter)
    frames: list[Frame] = field(default_factory=list)
    sounds: list[Sound] = field(default_factory=list)
    texts: list[tuple[float, str]] = field(default_factory=list)
    tasks: list["asyncio.Task[None]"] = field(default_factory=list)
    channel: RTCDataChannel | None = None
    connects: bool = True
    """Whether it goes on with the answer."""

    def since(self) -> float:
        """Seconds since it began."""
        return time.perf_counter() - self.began

    @property
    def said(self) -> list[str]:
        """Every text that came, but for the answer."""
        return [text for _, text in self.texts if not text.startswith('{"sdp"')]

    def watch(self, track: MediaStreamTrack) -> None:
        """Keep what comes of a track."""
        self.tasks.append(asyncio.create_task(self._picture(track) if track.kind == "video" else self._sound(track)))

    async def _picture(self, track: MediaStreamTrack) -> None:
        with contextlib.suppress(MediaStreamError):
            while True:
                frame: Any = await track.recv()
                self.frames.append(Frame(self.since(), frame.pts / 90000, frame.to_ndarray(format="gray")))

    async def _sound(self, track: MediaStreamTrack) -> None:
        with contextlib.suppress(MediaStreamError):
            while True:
                frame: Any = await track.recv()
                wave = frame.to_ndarray().astype(np.float32)
                self.sounds.append(Sound(self.since(), frame.pts / 48000, float(np.sqrt(np.mean(wave**2)))))

    async def until(self, happened: Callable[[], bool], what: str = "it") -> None:
        """Wait until something is so."""
        deadline = time.perf_counter() + PATIENCE
        while not happened():
            assert time.perf_counter() < deadline, f"{what} did not come; there came {self.said}"
            await asyncio.sleep(0.005)

    async def heard(self, text: str, count: int = 1) -> None:
        """Wait for a text."""
        await self.until(lambda: self.said.count(text) >= count, text)

    async def seen(self, count: int = 1) -> None:
        """Wait for so many pictures."""
        await self.until(lambda: len(self.frames) >= count, f"picture {count}")

    async def take(self, answer: str) -> None:
        """Go on with an answer."""
        await self.connection.setRemoteDescription(RTCSessionDescription(**json.loads(answer)))
        for transceiver in self.connection.getTransceivers():
            if transceiver.receiver.track is not None:
                self.watch(transceiver.receiver.track)


@contextlib.asynccontextmanager
async def viewing(*, candidates: bool = True, sends: bool = False) -> AsyncIterator[tuple[Viewer, dict[str, str]]]:
    """A viewer and its offer. Without `candidates` as a browser; `sends`: as the seed's page, camera and channel."""
    connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    viewer = Viewer(connection)
    for kind in ("audio", "video"):
        connection.addTransceiver(kind, direction="sendrecv" if sends else "recvonly")
    if sends:
        viewer.channel = connection.createDataChannel("datachannel")
    await connection.setLocalDescription()
    sdp = connection.localDescription.sdp
    if not candidates:
        sdp = "".join(line for line in sdp.splitlines(keepends=True) if "candidate" not in line)
    try:
        yield viewer, {"sdp": sdp, "type": "offer"}
    finally:
        await connection.close()
        for task in viewer.tasks:
            task.cancel()
        await asyncio.gather(*viewer.tasks, return_exceptions=True)


async def token(sandbox: Sandbox, *, legacy: bool = False, **fields: Any) -> str:
    """A session token."""
    body = {"faceId": "tmp9i8bbq7c", **fields}
    async with caller(base_url=sandbox.url) as client:
        if legacy:
            answer = await client.post("/startAudioToVideoSession", json={**body, "apiKey": sandbox.key})
        else:
            answer = await client.post("/compose/token", json=body, headers={"x-simli-api-key": sandbox.key})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["session_token"])


class Talk:
    """A socket whose texts a viewer keeps."""

    def __init__(self, socket: ClientConnection, viewer: Viewer) -> None:
        self.viewer = viewer
        self._socket = socket
        self.reading = asyncio.create_task(self._read())

    async def send(self, message: str | bytes) -> None:
        """Say something."""
        await self._socket.send(message)

    @property
    def code(self) -> int | None:
        """What the socket was closed with; None: it is open."""
        return self._socket.close_code

    async def over(self) -> int | None:
        """Wait until the other end has hung up; the code it gave."""
        await asyncio.wait_for(asyncio.shield(self.reading), PATIENCE)
        return self._socket.close_code

    async def end(self) -> None:
        """Stop reading."""
        self.reading.cancel()
        await asyncio.gather(self.reading, return_exceptions=True)

    async def _read(self) -> None:
        with contextlib.suppress(ConnectionClosed):
            while True:
                text = await self._socket.recv()
                assert isinstance(text, str), "JavaScript's client throws at binary frames"
                self.viewer.texts.append((self.viewer.since(), text))
                if text.startswith('{"sdp"') and self.viewer.connects:
                    await self.viewer.take(text)


@contextlib.asynccontextmanager
async def socket(sandbox: Sandbox, path: str, viewer: Viewer) -> AsyncIterator[Talk]:
    """A socket of the sandbox's."""
    async with connect(sandbox.url.replace("http", "ws") + path, max_size=2**20, proxy=None) as opened:
        talk = Talk(opened, viewer)
        try:
            yield talk
        finally:
            await talk.end()


@contextlib.asynccontextmanager
async def current(sandbox: Sandbox, *, candidates: bool = True, **fields: Any) -> AsyncIterator[Talk]:
    """A viewer that has offered in today's dialect."""
    key = await token(sandbox, **fields)
    async with viewing(candidates=candidates) as (viewer, offer):
        query = httpx.QueryParams(session_token=key, enableSFU="True")
        async with socket(sandbox, f"/compose/webrtc/p2p?{query}", viewer) as talk:
            viewer.began = time.perf_counter()
            await talk.send(json.dumps(offer))
            yield talk


@contextlib.asynccontextmanager
async def legacy(sandbox: Sandbox, *, sends: bool = False, **fields: Any) -> AsyncIterator[Talk]:
    """A viewer that has offered in the seed's dialect, and sent its token behind it as JavaScript does."""
    key = await token(sandbox, legacy=True, **fields)
    async with (
        viewing(sends=sends) as (viewer, offer),
        socket(sandbox, "/StartWebRTCSession?enableSFU=true", viewer) as talk,
    ):
        viewer.began = time.perf_counter()
        await talk.send(json.dumps(offer))
        await talk.send(key)
        yield talk


@contextlib.asynccontextmanager
async def posted(sandbox: Sandbox) -> AsyncIterator[tuple[Viewer, RTCDataChannel]]:
    """A viewer that has offered by POST; its data channel is open, and its texts are kept."""
    async with viewing(sends=True) as (viewer, offer):
        channel = viewer.channel
        assert channel is not None
        channel.on("message", lambda text: viewer.texts.append((viewer.since(), text)))
        async with caller(base_url=sandbox.url) as client:
            answer = await client.post("/startWebRTCSession", json=offer)
        assert answer.status_code == 200, answer.text
        await viewer.take(answer.text)
        await viewer.until(lambda: channel.readyState == "open", "the channel")
        yield viewer, channel


def tone(seconds: float, hertz: float = 440.0, loud: float = 0.5) -> bytes:
    """A sine as the avatar is sent it."""
    wave = loud * 32767 * np.sin(2 * np.pi * hertz * np.arange(round(16000 * seconds)) / 16000)
    return wave.astype("<i2").tobytes()


def silence(seconds: float) -> bytes:
    """Zeros of that length."""
    return bytes(2 * round(16000 * seconds))
