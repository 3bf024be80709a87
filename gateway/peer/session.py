"""One session of a face: joined in any dialect, heard and drained until its end, and left so that nothing is billed."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from aiortc import RTCIceServer

from gateway.errors import NoAnswer, NoConnection, NoPicture, NoStart
from gateway.peer import ice
from gateway.peer.connection import Connection
from gateway.peer.lines import ChannelLine, Hung, Line, Message, SocketLine, opened, socket_line
from gateway.peer.packets import IMMEDIATE
from gateway.peer.patience import Patience
from gateway.peer.waiting import soon
from gateway.peer.watch import Watch
from gateway.peer.words import Words, as_error
from gateway.types.peer import Ending, PeerDialect, Ticket

MISSING = "MISSING_SESSION_TOKEN"
PING_EVERY = 1.0
FAREWELL = 1.0
"""Seconds in which Simli may still say why the media stopped."""


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
        self._connection = Connection(watch, servers, self._gone)
        self._line: Line | None = None
        self._left = False
        self._started_at = 0.0
        self._pictures_before = watch.pictures.count

    @property
    def ending(self) -> Ending | None:
        """Why it is over; None: it is not."""
        return self.words.over.result() if self.words.over.done() else None

    async def join(self) -> None:
        """Offer, answer, connection, START: each with a time of its own."""
        self.watch.joins()
        self._connection.receive("audio")
        self._connection.receive("video")
        channel = ChannelLine(self._connection.channel("datachannel")) if self._way.dialect == "rest" else None
        await self._connection.offer()
        await self._connection.take(await (self._post(channel) if channel else self._ask()))
        if self._way.dialect == "websocket":
            await self.send(self._ticket.token.text)
        await self._connection.connect(self.patience.connect, self.words.over)
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
        self._connection.leaving()
        if self._line and not self.ending and not self.words.done:
            self.words.done = True
            await self._within(self._farewell(self._line))
        if self._line:
            await self._within(self._line.close())
        await self._within(self._connection.close())
        await self._connection.rest()
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
        answer = await soon(
            self._way.signalled(self._connection.sdp),
            self.patience.answer,
            NoAnswer(f"Simli did not answer the offer within {self.patience.answer:g} s."),
            self.words.over,
        )
        self._line = channel
        self._connection.run(self._listen(channel))
        return answer

    async def _ask(self) -> str:
        line = await socket_line(self._way.url, self._way.dialect, self._ticket.token.text, self.patience.open)
        self._line = line
        self._connection.run(self._listen(line))
        self._connection.run(self._ping())
        sdp = self._connection.sdp
        await self.send(json.dumps({"sdp": sdp, "type": "offer"}, separators=(",", ":")))
        return await soon(
            self.words.answer,
            self.patience.answer,
            NoAnswer(f"Simli did not answer the offer within {self.patience.answer:g} s."),
            self.words.over,
        )

    async def _open(self, channel: ChannelLine) -> None:
        if not await opened(channel, self.patience.open):
            raise NoConnection(f"The data channel did not open within {self.patience.open:g} s.")
        self._connection.run(self._ping())
        await self.send(self._ticket.token.text)

    async def _started(self) -> None:
        late = NoStart(f"The connection is there, and START did not come within {self.patience.start:g} s.")
        await soon(self.words.started.wait(), self.patience.start, late, self.words.over)
        self._started_at = self.watch.now()

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

    def _gone(self) -> None:
        asyncio.get_running_loop().call_later(FAREWELL, self.words.gone, "the media stopped")
