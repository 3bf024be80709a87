"""What is spoken over with Simli beside the media: a WebSocket, or a data channel."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable
from typing import Protocol, TypeAlias
from urllib.parse import urlencode, urlsplit

from aiortc import InvalidStateError, RTCDataChannel
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from gateway.errors import NoAnswer, SessionLimited, SessionRefused, SimliUnavailable
from gateway.settings.values import loopback

Message: TypeAlias = str | bytes
FULL = 1 << 18
"""Bytes that may wait in a data channel before more are put in."""
PATHS = {"p2p": "/compose/webrtc/p2p", "websocket": "/startWebRTCSession"}


class Hung(Exception):
    """The other end has hung up."""


class Line(Protocol):
    """Messages out, texts in."""

    async def send(self, message: Message) -> None:
        """Say something. Raises Hung."""

    async def hear(self) -> str:
        """The next text. Raises Hung."""

    async def close(self) -> None:
        """Hang up. Said again, nothing changes."""


class SocketLine:
    """A WebSocket."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket

    async def send(self, message: Message) -> None:
        """Say something."""
        try:
            await self._socket.send(message)
        except ConnectionClosed:
            raise Hung from None

    async def hear(self) -> str:
        """The next text."""
        try:
            heard = await self._socket.recv()
        except ConnectionClosed:
            raise Hung from None
        return heard if isinstance(heard, str) else heard.decode("utf-8", "replace")

    async def round_trip(self) -> float:
        """Seconds to Simli and back, by the WebSocket's own ping. Raises Hung."""
        try:
            pong: Awaitable[float] = await self._socket.ping()
            return await pong
        except ConnectionClosed:
            raise Hung from None

    async def close(self) -> None:
        """Hang up."""
        await self._socket.close()


class ChannelLine:
    """A data channel that we open."""

    def __init__(self, channel: RTCDataChannel) -> None:
        self._channel = channel
        self._heard: asyncio.Queue[str | None] = asyncio.Queue()
        self.opened = asyncio.Event()
        channel.on("open", self.opened.set)
        channel.on("message", self._take)
        channel.on("close", lambda: self._heard.put_nowait(None))

    def _take(self, message: Message) -> None:
        self._heard.put_nowait(message if isinstance(message, str) else message.decode("utf-8", "replace"))

    async def send(self, message: Message) -> None:
        """Say something, once there is room for it."""
        while self._channel.bufferedAmount > FULL and self._channel.readyState == "open":  # noqa: ASYNC110 its event is for one level
            await asyncio.sleep(0.02)
        try:
            self._channel.send(message)
        except InvalidStateError:
            raise Hung from None

    async def hear(self) -> str:
        """The next text."""
        heard = await self._heard.get()
        if heard is None:
            self._heard.put_nowait(None)
            raise Hung
        return heard

    async def close(self) -> None:
        """Hang up, once what was said had a moment to go."""
        until = time.monotonic() + 0.2
        while self._channel.bufferedAmount and time.monotonic() < until:  # noqa: ASYNC110 the same
            await asyncio.sleep(0.01)
        self._channel.close()


async def socket_line(url: str, dialect: str, token: str, within: float) -> SocketLine:
    """The WebSocket of a dialect at a Simli. Raises SessionRefused, SessionLimited, NoAnswer, SimliUnavailable."""
    local = loopback(urlsplit(url).hostname or "")
    query = {"session_token": token} if dialect == "p2p" else {}
    address = f"ws{url.removeprefix('http')}{PATHS[dialect]}?{urlencode({**query, 'enableSFU': 'true'})}"
    try:
        socket = await connect(
            address, open_timeout=within, close_timeout=2, max_size=1 << 20, proxy=None if local else True
        )
    except InvalidStatus as refused:
        said = (refused.response.body or b"").decode("utf-8", "replace").strip()[:200]
        code = refused.response.status_code
        kind = SessionLimited if code == 429 else SessionRefused
        raise kind(f"Simli refused the session with {code}: {said or 'no more was said'}.") from None
    except InvalidHandshake:
        raise NoAnswer("What answers there is no WebSocket of Simli's. Check SIMLI_URL.") from None
    except TimeoutError:
        raise NoAnswer(f"Simli's WebSocket did not open within {within:g} s.") from None
    except OSError as error:
        raise SimliUnavailable(f"Simli cannot be reached: {error.strerror or type(error).__name__}.") from None
    return SocketLine(socket)


async def opened(line: ChannelLine, within: float) -> bool:
    """Whether the channel is open in time."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(within):
            await line.opened.wait()
    return line.opened.is_set()
