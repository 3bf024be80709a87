"""A WebRTC connection that we offer: it comes about in time, is drained while it is there, and its end is noticed."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Literal, TypeAlias

from aiortc import (
    MediaStreamTrack,
    RTCConfiguration,
    RTCDataChannel,
    RTCIceServer,
    RTCPeerConnection,
    RTCSessionDescription,
)
from aiortc.stats import RTCRemoteInboundRtpStreamStats, RTCTransportStats

from gateway.errors import NoAnswer, NoConnection
from gateway.peer.watch import Watch, cancelled
from gateway.peer.words import as_error
from gateway.types.peer import Ending

UNREAD = (ValueError, KeyError, IndexError, AttributeError, AssertionError, TypeError)
"""What aiortc raises of an answer that is none."""

Kind: TypeAlias = Literal["audio", "video"]


class Connection:
    """`gone` is told when the media have stopped and nobody here wanted it."""

    def __init__(self, watch: Watch, servers: list[RTCIceServer], gone: Callable[[], None]) -> None:
        self._watch = watch
        self._gone = gone
        self._wire = RTCPeerConnection(RTCConfiguration(iceServers=servers))
        self._wire.on("connectionstatechange", self._changed)
        self._connected = asyncio.Event()
        self._failed = asyncio.Event()
        self._closing = False
        self._tasks: set[asyncio.Task[None]] = set()

    def receive(self, kind: Kind) -> None:
        """Ask for it, and send none."""
        self._wire.addTransceiver(kind, direction="recvonly")

    def exchange(self, track: MediaStreamTrack) -> None:
        """Send a track, and ask for one of its kind."""
        self._wire.addTransceiver(track, direction="sendrecv")

    def sends(self, kind: Kind) -> bool:
        """Whether the other end takes what we send."""
        directions = [one.currentDirection for one in self._wire.getTransceivers() if one.kind == kind]
        return any(direction in ("sendrecv", "sendonly") for direction in directions)

    def channel(self, name: str) -> RTCDataChannel:
        """A data channel, before the offer."""
        return self._wire.createDataChannel(name)

    async def offer(self) -> str:
        """The SDP, with all candidates that there are."""
        await self._wire.setLocalDescription()
        return self.sdp

    @property
    def sdp(self) -> str:
        """What was offered."""
        return str(self._wire.localDescription.sdp)

    async def take(self, answer: str) -> None:
        """The other end's SDP; its tracks are drained from now on. Raises NoAnswer."""
        self._watch.mark("answer")
        try:
            await self._wire.setRemoteDescription(RTCSessionDescription(sdp=answer, type="answer"))
        except UNREAD as unread:
            raise NoAnswer(f"Simli's answer cannot be read: {type(unread).__name__}.") from None
        for transceiver in self._wire.getTransceivers():
            self.run(self._watch.drain(transceiver.receiver.track))

    async def connect(self, within: float, over: "asyncio.Future[Ending]") -> None:
        """Wait until ICE and DTLS are through. Raises NoConnection, or what it is over with before."""
        failed = asyncio.ensure_future(self._failed.wait())
        connected = asyncio.ensure_future(self._connected.wait())
        blocked = "no packet gets through: a firewall, or no TURN server"
        try:
            waits: set[asyncio.Future[Any]] = {failed, connected, over}
            await asyncio.wait(waits, timeout=within, return_when=asyncio.FIRST_COMPLETED)
            if self._connected.is_set():
                self._watch.mark("connected")
            elif over.done() and "WEBRTC" not in over.result().words:
                raise as_error(over.result())
            else:
                raise NoConnection(f"The offer was answered, and {blocked} ({self._wire.iceConnectionState}).")
        finally:
            failed.cancel()
            connected.cancel()

    async def received(self) -> int:
        """Packets that came so far, of whatever kind: also where nothing is seen or heard the other end reports."""
        stats = (await self._wire.getStats()).values()
        return sum(one.packetsReceived for one in stats if isinstance(one, RTCTransportStats))

    async def round_trip(self) -> float | None:
        """Seconds to the other end and back, by its reports of what we send; None: it sends none."""
        stats = (await self._wire.getStats()).values()
        trips = [one.roundTripTime for one in stats if isinstance(one, RTCRemoteInboundRtpStreamStats)]
        return next((trip for trip in trips if trip), None)  # it is None before the first report is answered

    def run(self, task: Coroutine[Any, Any, None]) -> None:
        """Something that runs as long as it does, at most."""
        self._tasks.add(asyncio.create_task(task, name="peer"))

    def leaving(self) -> None:
        """From now on its end is none that has to be told."""
        self._closing = True

    async def close(self) -> None:
        """Hang up."""
        self.leaving()
        await self._wire.close()

    async def rest(self) -> None:
        """End what runs for it."""
        await cancelled(self._tasks)

    def _changed(self) -> None:
        state = self._wire.connectionState
        if state == "connected":
            self._connected.set()
        elif state in ("failed", "closed") and not self._closing:
            self._failed.set()
            if self._connected.is_set():
                self._gone()
