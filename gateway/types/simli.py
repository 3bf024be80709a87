"""Simli's side, in the words that the rest of the gateway speaks of it with. Wire forms are in `gateway/simli`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias


@dataclass(frozen=True, slots=True)
class SimliAgent:
    """An agent as Simli keeps it."""

    id: str
    """Simli's; a UUID or a slug."""
    name: str
    fields: Mapping[str, Any] = field(repr=False)
    """All that Simli says of it, under the names of its Agents API: `face_id`, `llm_endpoint`, …."""


@dataclass(frozen=True, slots=True)
class SimliToken:
    """A session token: whoever has it may start what it is for."""

    text: str = field(repr=False)
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Started:
    """A session that Simli has started, and bills from now on."""

    id: str
    """Simli's session id; empty where it named none."""
    room_url: str


@dataclass(frozen=True, slots=True)
class IceServer:
    """One of WebRTC's RTCIceServer."""

    urls: tuple[str, ...]
    username: str = ""
    credential: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class PastSession:
    """A session of the account's history."""

    id: str
    face_id: str
    kind: str
    seconds: float
    started: str
    """As Simli writes it."""
    ended: str


FaceState: TypeAlias = Literal["processing", "ready", "failed"]


@dataclass(frozen=True, slots=True)
class Face:
    """A face of the account, as far as its making has come."""

    id: str
    state: FaceState
    says: str = ""
    """Simli's own word for the state, or why it failed."""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class VideoUrls:
    """Where a video will be: the addresses are there before the files are."""

    mp4: str
    hls: str


@dataclass(frozen=True, slots=True)
class Spoken:
    """One line of a conversation."""

    role: Literal["user", "assistant"]
    text: str
    at: float | None = None
    """Seconds since the epoch; None: not known."""
