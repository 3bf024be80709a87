"""One session of a face: joined in any dialect, heard and drained until its end, and left so that nothing is billed."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

from aiortc import RTCConfiguration, RTCIceServer, RTCPeerConnection, RTCSessionDescription

from gateway.errors import NoAnswer, NoConnection, NoPicture, NoStart, PeerError
from gateway.peer import ice
from gateway.peer.lines import ChannelLine, Hung, Line, Message, SocketLine, opened, socket_line
from gateway.peer.packets import IMMEDIATE
from gateway.peer.patience import Patience
from gateway.peer.watch import Watch, cancelled
from gateway.peer.words import Words, as_error
from gateway.types.peer import Ending, PeerDialect, Ticket

MISSING = "MISSING_SESSION_TOKEN"
PING_EVERY = 1.0
Got = TypeVar("Got")


@dataclass(frozen=True, slots=True)
class Way:
    """How to Simli."""

    url: str
    dialect: PeerDialect
    signalled: Callable[[str], Awaitable[str]]
    """The SDP answer to an offer, of the dialect that is a POST."""
    full_gathering: bool = False
    """Wait for every STUN and TURN server, however long that takes."""


@contextlib.asynccontextmanager
async def joined(way: Way, ticket: Ticket, watch: Watch, patience: Patience = Patience()) -> AsyncIterator["Session"]:  # noqa: B008 frozen
    """A session that has started. Left, it is over at Simli too. Raises PeerError, SimliError."""
    if way.full_gathering:
        servers = ice.all_of(ticket.ice)
    else:
        servers = await ice.answering(ticket.ice, patience.new_candidate)
    session = Session(way, ticket, watch, patience, servers)
    try:
        await session.join()
        yield session
    finally:
        await asyncio.shield(session.leave())


class Session:
    """What `joined` hands out."""

    def __init__(self, way: Way, ticket: Ticket, watch: Watch, patience: Patience, servers: list[RTCIceServer]) -> None:
        self._way = way
        self._ticket = ticket
        self.watch = watch
        self.patience = patience
        self.words = Words(watch, reserved=way.dialect == "websocket")
        self._connection = RTCPeerConnection(RTCConfiguration(iceServers=servers))
        self._connection.on("connectionstatechange", self._changed)
        self._connected = asyncio.Event()
        self._failed = asyncio.Event()
        self._line: Line | None = None
        self._left = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._started_at = 0.0
        self._pictures_before = watch.pictures.count

    @property
    def ending(self) -> Ending | None:
        """Why it is over; None: it is not."""
        return self.words.over.result() if self.words.over.done() else None

    async def join(self) -> None:
        """Offer, answer, connection, START: each with a time of its own."""
        self.watch.sessions += 1
        channel = None
        for kind in ("audio", "video"):
            self._connection.addTransceiver(kind, direction="recvonly")
        if self._way.dialect == "rest":
            channel = ChannelLine(self._connection.createDataChannel("datachannel"))
        await self._connection.setLocalDescription()
        answer = await (self._post(channel) if channel else self._ask())
        self.watch.mark("answer")
        try:
            await self._connection.setRemoteDescription(RTCSessionDescription(sdp=answer, type="answer"))
        except (ValueError, KeyError, IndexError, AttributeError, AssertionError, TypeError) as unread:
            raise NoAnswer(f"Simli's answer cannot be read: {type(unread).__name__}.") from None
        for transceiver in self._connection.getTransceivers():
            self._run(self.watch.drain(transceiver.receiver.track))
        if self._way.dialect == "websocket":
            await self.send(self._ticket.token.text)
        await self._connect()
        if channel:
            await self._open(channel)
        await self._started()

    async def send(self, message: Message) -> None:
        """Say something. Raises what the session ended with, if it has."""
        if self._line is None or self.ending:
            raise as_error(self.ending or Ending("dropped"))
        try:
            await self._line.send(message)
        except Hung:
            raise as_error(await self.words.over) from None

    async def audio(self, packet: bytes, *, immediate: bool = False) -> None:
        """Send a packet. `immediate`: instead of what waits to be heard."""
        await self.send(IMMEDIATE + packet if immediate else packet)
        self.watch.mark("sent")

    async def skip(self) -> None:
        """Interrupt: what waits to be heard is forgotten."""
        await self.send("SKIP")

    def check(self) -> None:
        """Raise what the session ended with; NoPicture where none has come in time."""
        if self.ending:
            raise as_error(self.ending)
        late = self.watch.now() - self._started_at > self.patience.picture
        if late and self.watch.pictures.count == self._pictures_before:
            heard = "sound came" if self.watch.sounds.count else "neither picture nor sound came"
            raise NoPicture(f"The session started, and within {self.patience.picture:g} s {heard} but no picture.")

    async def finish(self, within: float) -> Ending:
        """Say DONE, and see it played out; at most so many seconds, which are those that it takes."""
        self.words.done = True
        await self.send("DONE")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within + self.patience.close):
                return await asyncio.shield(self.words.over)
        return Ending("done", "Simli did not confirm it")

    async def leave(self) -> None:
        """SKIP and DONE, if nobody has said so; then all is closed. It takes seconds at most, and raises nothing."""
        if self._left:
            return
        self._left = True
        if self._line and not self.ending and not self.words.done:
            self.words.done = True
            await self._within(self._farewell(self._line))
        if self._line:
            await self._within(self._line.close())
        await self._within(self._connection.close())
        await cancelled(self._tasks)
        self.words.gone()
        self.words.answer.cancel()

    async def _farewell(self, line: Line) -> None:
        await line.send("SKIP")
        await line.send("DONE")
        await asyncio.shield(self.words.over)

    async def _within(self, step: Coroutine[Any, Any, None]) -> None:
        """A step of the end: what fails now is over anyway."""
        with contextlib.suppress(TimeoutError, Hung, OSError, ConnectionError):
            async with asyncio.timeout(self.patience.close):
                await step

    async def _post(self, channel: ChannelLine) -> str:
        answer = await self._soon(
            self._way.signalled(self._connection.localDescription.sdp),
            self.patience.answer,
            NoAnswer(f"Simli did not answer the offer within {self.patience.answer:g} s."),
        )
        self._line = channel
        self._run(self._listen(channel))
        return answer

    async def _ask(self) -> str:
        line = await socket_line(self._way.url, self._way.dialect, self._ticket.token.text, self.patience.open)
        self._line = line
        self._run(self._listen(line))
        self._run(self._ping())
        sdp = self._connection.localDescription.sdp
        await self.send(json.dumps({"sdp": sdp, "type": "offer"}, separators=(",", ":")))
        return await self._soon(
            self.words.answer,
            self.patience.answer,
            NoAnswer(f"Simli did not answer the offer within {self.patience.answer:g} s."),
        )

    async def _connect(self) -> None:
        failed = asyncio.ensure_future(self._failed.wait())
        connected = asyncio.ensure_future(self._connected.wait())
        blocked = "no packet gets through: a firewall, or no TURN server"
        try:
            waits: set[asyncio.Future[Any]] = {failed, connected, self.words.over}
            await asyncio.wait(waits, timeout=self.patience.connect, return_when=asyncio.FIRST_COMPLETED)
            if self._connected.is_set():
                self.watch.mark("connected")
            elif self.ending and "WEBRTC" not in self.ending.words:
                raise as_error(self.ending)
            else:
                raise NoConnection(f"The offer was answered, and {blocked} ({self._connection.iceConnectionState}).")
        finally:
            failed.cancel()
            connected.cancel()

    async def _open(self, channel: ChannelLine) -> None:
        if not await opened(channel, self.patience.open):
            raise NoConnection(f"The data channel did not open within {self.patience.open:g} s.")
        self._run(self._ping())
        await self.send(self._ticket.token.text)

    async def _started(self) -> None:
        late = NoStart(f"The connection is there, and START did not come within {self.patience.start:g} s.")
        await self._soon(self.words.started.wait(), self.patience.start, late)
        self._started_at = self.watch.now()

    async def _soon(self, awaited: Awaitable[Got], seconds: float, late: PeerError) -> Got:
        """What is awaited, in time, and before the session is over."""
        task = asyncio.ensure_future(awaited)
        waits: set[asyncio.Future[Any]] = {task, self.words.over}
        try:
            await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return task.result()
            raise as_error(self.ending) if self.ending else late
        finally:
            if not task.done():
                task.cancel()

    async def _listen(self, line: Line) -> None:
        try:
            while True:
                text = await line.hear()
                if text.strip() == MISSING:
                    await line.send(self._ticket.token.text)
                else:
                    self.words.take(text)
        except Hung:
            self.words.gone()

    async def _ping(self) -> None:
        """The round trip, every second: by a text, or where the dialect has none by the WebSocket's own ping."""
        with contextlib.suppress(Hung):
            if self._way.dialect != "p2p":  # a text before START would be taken for a token
                await self.words.started.wait()
            while self._line:
                if self._way.dialect == "p2p" and isinstance(self._line, SocketLine):
                    self.watch.pinged(await self._line.round_trip())
                else:
                    await self._line.send(f"ping {self.watch.now():.6f}")
                await asyncio.sleep(PING_EVERY)

    def _changed(self) -> None:
        state = self._connection.connectionState
        if state == "connected":
            self._connected.set()
        elif state in ("failed", "closed") and not self._left:
            self._failed.set()
            if self._connected.is_set():  # what Simli says of its end is on its way
                asyncio.get_running_loop().call_later(1.0, self.words.gone, "the media stopped")

    def _run(self, task: Coroutine[Any, Any, None]) -> None:
        self._tasks.add(asyncio.create_task(task, name="peer"))
