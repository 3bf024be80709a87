"""A face that is met over WebRTC: what opens it, and why it ended."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from gateway.types.simli import IceServer, SimliToken

PeerDialect: TypeAlias = Literal["p2p", "websocket", "rest"]
"""Today's `/compose/webrtc/p2p`; the older WebSocket; the oldest POST with a data channel."""
Reason: TypeAlias = Literal["done", "idle", "max", "stop", "error", "rate", "dropped"]


@dataclass(frozen=True, slots=True)
class Ticket:
    """What one session is opened with; another session takes another."""

    token: SimliToken
    ice: tuple[IceServer, ...] = ()


@dataclass(frozen=True, slots=True)
class Ending:
    """Why a session is over: we said so, it was idle or too long, Simli stopped it, refused it, or was lost."""

    reason: Reason
    words: str = ""
    """Simli's own."""
