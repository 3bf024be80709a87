"""What a client and the sandbox talk over: a WebSocket, or the data channel of the REST form."""

import asyncio
import contextlib
from typing import Protocol

from aiortc import InvalidStateError, RTCDataChannel
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from gateway.sandbox.signalling.words import Message


class Gone(Exception):
    """The other end has left."""


class Line(Protocol):
    """Texts out in the order they were said; messages in, one by one."""

    def say(self, text: str) -> None:
        """Send a text, soon."""

    async def hear(self) -> Message:
        """The next message; Gone when there is none any more."""

    async def close(self) -> None:
        """Send what was said, and hang up. Said again, nothing changes."""

    async def drop(self) -> None:
        """Hang up without a word, as a network does."""


class SocketLine:
    """A WebSocket that was accepted. Texts are text frames: the JavaScript client throws at others."""

    def __init__(self, socket: WebSocket) -> None:
        self._socket = socket
        self._texts: asyncio.Queue[str] = asyncio.Queue()
        self._writing = asyncio.create_task(self._write(), name="signalling")

    def say(self, text: str) -> None:
        """Send a text, soon."""
        self._texts.put_nowait(text)

    async def hear(self) -> Message:
        """The next message; Gone when there is none any more."""
        message = await self._socket.receive()
        if message["type"] == "websocket.disconnect":
            raise Gone
        text = message.get("text")
        return text if text is not None else bytes(message.get("bytes") or b"")

    async def close(self) -> None:
        """Send what was said, and hang up."""
        if self._writing.done():
            return
        self._texts.put_nowait("")
        await self._writing
        await self._hang_up(1000)

    async def drop(self) -> None:
        """Hang up without a word."""
        self._writing.cancel()
        await self._hang_up(1011)

    async def _hang_up(self, code: int) -> None:
        connected = WebSocketState.CONNECTED
        if self._socket.client_state == connected and self._socket.application_state == connected:
            with contextlib.suppress(WebSocketDisconnect, RuntimeError):
                await self._socket.close(code)

    async def _write(self) -> None:
        with contextlib.suppress(WebSocketDisconnect, RuntimeError):
            while text := await self._texts.get():
                await self._socket.send_text(text)


class ChannelLine:
    """The data channel that a client opens, whatever its name; messages wait until they are heard."""

    def __init__(self) -> None:
        self._messages: asyncio.Queue[Message | None] = asyncio.Queue()
        self._channel: RTCDataChannel | None = None

    def open(self, channel: RTCDataChannel) -> None:
        """It is there. A second one is as good as the first."""
        self._channel = channel
        channel.on("message", self._messages.put_nowait)
        channel.on("close", self.gone)

    def gone(self) -> None:
        """No more comes."""
        self._messages.put_nowait(None)

    def say(self, text: str) -> None:
        """Send a text; one to a channel that is not open is lost."""
        if self._channel and self._channel.readyState == "open":
            with contextlib.suppress(InvalidStateError):
                self._channel.send(text)

    async def hear(self) -> Message:
        """The next message; Gone when there is none any more."""
        message = await self._messages.get()
        if message is None:
            raise Gone
        return message

    async def close(self) -> None:
        """What was said gets a moment to arrive, then the channel closes."""
        if self._channel and self._channel.readyState == "open":
            await asyncio.sleep(0.05)
            self._channel.close()
        self.gone()

    async def drop(self) -> None:
        """Hang up without a word."""
        if self._channel:
            self._channel.close()
        self.gone()
