"""The avatar's end of a WebRTC connection: an offer is answered, and tracks flow once both have found each other."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from typing import TypeAlias, TypedDict

from aiortc import (
    InvalidAccessError,
    InvalidStateError,
    MediaStreamTrack,
    RTCConfiguration,
    RTCDataChannel,
    RTCPeerConnection,
    RTCRtpTransceiver,
    RTCSessionDescription,
)
from aiortc.exceptions import InternalError, OperationError
from aiortc.jitterbuffer import JitterBuffer

from gateway.sandbox.avatar.avatar import Avatar
from gateway.sandbox.avatar.tracks import AudioTrack, VideoTrack

GARBAGE = (
    ValueError,
    KeyError,
    IndexError,
    AttributeError,
    AssertionError,
    TypeError,
    RuntimeError,
    InternalError,
    OperationError,
    InvalidAccessError,
    InvalidStateError,
)
"""What aiortc raises of an offer that it cannot read, or that has nothing in common with it."""

WAITING = "_RTCRtpReceiver__jitter_buffer"
"""Where aiortc keeps packets until they are decoded. Its own buffer holds back 80 ms of sound so that it plays evenly,
and 280 ms for ever after one was lost; ears do not mind uneven sound, and an interruption should not wait for it."""
MISORDERED = 4
"""Packets of 20 ms, a power of 2: one that comes later than this is lost."""

OnChannel: TypeAlias = Callable[[RTCDataChannel], None]
OnSound: TypeAlias = Callable[[MediaStreamTrack], None]


class Answer(TypedDict):
    """As it goes over the wire: these two and no other, `sdp` first; written without spaces."""

    sdp: str
    type: str


class UnreadableOffer(Exception):
    """The offer is none, or has no codec that the avatar has."""


class Peer:
    """One viewer's connection. It ends with the avatar, with the viewer, or by `close`."""

    def __init__(self, avatar: Avatar, on_channel: OnChannel | None = None, *, on_sound: OnSound | None = None) -> None:
        """With `on_sound` what the viewer says is taken, and handed to it as a track; otherwise it is not sent."""
        self.avatar = avatar
        self._on_sound = on_sound
        self.connected = asyncio.Event()
        """Once ICE and DTLS are through: what is sent now arrives."""
        self.closed = asyncio.Event()
        self.settled = asyncio.Event()
        """Once it is either."""
        self._connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._connection.on("connectionstatechange", self._changed)
        self._offered: list[MediaStreamTrack] = []
        self._connection.on("track", self._offered.append)
        if on_channel:
            self._connection.on("datachannel", on_channel)
        self._tracks: list[AudioTrack | VideoTrack] = []
        self._leaving = asyncio.create_task(self._leave(), name="peer")

    async def answer(self, offer: Mapping[str, object]) -> Answer:
        """Take the offer; UnreadableOffer says what is wrong with it.

        Offers without candidates are fine (the client's are found when it knocks), and so are those that send audio
        or video (they are told not to, but for sound where somebody listens).
        """
        sdp, kind = offer.get("sdp"), offer.get("type")
        if not isinstance(sdp, str) or kind != "offer":
            raise UnreadableOffer("An offer has `sdp` and `type: offer`.")
        try:
            await self._connection.setRemoteDescription(RTCSessionDescription(sdp=sdp, type="offer"))
            transceivers = self._connection.getTransceivers()
            if not transceivers:
                raise UnreadableOffer("The offer asks for neither audio nor video.")
            for transceiver in transceivers:
                self._send(transceiver)
            await self._connection.setLocalDescription()
        except GARBAGE as unread:
            raise UnreadableOffer(f"The offer cannot be read: {unread}") from unread
        return {"sdp": self._connection.localDescription.sdp, "type": "answer"}

    async def close(self) -> None:
        """It is over. Said again, nothing changes."""
        self.closed.set()
        await asyncio.shield(self._leaving)  # who is cancelled meanwhile does not leave it half closed

    async def drop(self) -> None:
        """It is gone without a word, as a network is: the other end is told nothing."""
        for transceiver in self._connection.getTransceivers():
            await transceiver.receiver.transport.transport.stop()
        await self.close()

    def _send(self, transceiver: RTCRtpTransceiver) -> None:
        track = self.avatar.video() if transceiver.kind == "video" else self.avatar.audio()
        self._tracks.append(track)
        transceiver.sender.replaceTrack(track)
        said = transceiver.receiver.track
        if self._on_sound and transceiver.kind == "audio" and said in self._offered:
            transceiver.direction = "sendrecv"
            setattr(transceiver.receiver, WAITING, JitterBuffer(MISORDERED))
            self._on_sound(said)
        else:
            transceiver.direction = "sendonly"

    def _changed(self) -> None:
        if self._connection.connectionState == "connected":
            self.connected.set()
            self.settled.set()
        elif self._connection.connectionState in {"failed", "closed"}:
            self.closed.set()
            self.settled.set()

    async def _leave(self) -> None:
        stopped = asyncio.create_task(self.avatar.stopped.wait())
        left = asyncio.create_task(self.closed.wait())
        try:
            await asyncio.wait({stopped, left}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopped.cancel()
            left.cancel()
            self.closed.set()
            self.settled.set()
            for track in self._tracks:
                track.stop()
            with contextlib.suppress(*GARBAGE):  # aiortc cannot close what an offer left half made
                await self._connection.close()
