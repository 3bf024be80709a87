"""What a client says on a socket or a data channel, read once for all dialects. Pure."""

import json
from enum import Enum, auto
from typing import Any, NamedTuple, TypeAlias
from uuid import UUID

Message: TypeAlias = str | bytes
IMMEDIATE = b"PLAY_IMMEDIATE"
CAMERA = b"CAM_"
SMOOTHLY = b"LERP"
OFFSETS = (4, 7, 9)
"""How many numbers a camera is told in."""
NO_SCENE = UUID(int=0)


class Kind(Enum):
    """What a message is for."""

    OFFER = auto()
    TOKEN = auto()
    """Any text that is nothing else: what it opens is not looked up here."""
    AUDIO = auto()
    IMMEDIATE = auto()
    """Audio that is to be heard now, instead of what waits."""
    SKIP = auto()
    DONE = auto()
    """Play out, then close. Text from JavaScript, binary from Python."""
    STOP = auto()
    PING = auto()
    CAMERA = auto()
    SCENE = auto()


class Said(NamedTuple):
    """One message: its kind, and what it carries."""

    kind: Kind
    text: str = ""
    pcm: bytes = b""
    offer: dict[str, Any] | None = None


PLAIN = {"SKIP": Kind.SKIP, "DONE": Kind.DONE, "STOP": Kind.STOP}


def read(message: Message) -> Said:
    """Say what a message is. Nothing is refused: what is no word is audio, or a token."""
    if isinstance(message, bytes):
        return _binary(message)
    text = message.strip()
    if text in PLAIN:
        return Said(PLAIN[text])
    if text == "ping" or text.startswith("ping "):
        return Said(Kind.PING, message.strip()[len("ping") :])
    if text.startswith(("BG_", "FG_")):
        return Said(Kind.SCENE, text)
    offer = _offer(text)
    return Said(Kind.OFFER, offer=offer) if offer is not None else Said(Kind.TOKEN, text)


def _binary(message: bytes) -> Said:
    if message == b"DONE":
        return Said(Kind.DONE)
    if message.startswith(IMMEDIATE):
        return Said(Kind.IMMEDIATE, pcm=message[len(IMMEDIATE) :])
    if message.startswith(CAMERA):
        return Said(Kind.CAMERA, pcm=message[len(CAMERA) :])
    return Said(Kind.AUDIO, pcm=message)


def _offer(text: str) -> dict[str, Any] | None:
    """The JSON object that a text is; None: it is none."""
    if not text.startswith("{"):
        return None
    try:
        read_ = json.loads(text)
    except ValueError:
        return None
    return read_ if isinstance(read_, dict) else None


def of_camera(payload: bytes) -> str:
    """What is answered to a camera: the drawn face has none, and says so as Simli's older models do."""
    numbers, smoothly, pace = payload.partition(SMOOTHLY)
    if len(numbers) not in {4 * count for count in OFFSETS} or (smoothly and len(pace) != 4):
        return "Invalid camera override received"
    return "Selected model does not support camera overrides"


def of_scene(text: str) -> str:
    """What is answered to a background or foreground; nothing where it is reset, for there is none to begin with."""
    name = "background" if text.startswith("BG_") else "foreground"
    try:
        scene = UUID(text[3:])
    except ValueError:
        return f"Invalid {name} message: {text[:60]}"
    return "" if scene == NO_SCENE else f"{name} {scene} is not one of your uploaded {name}s"
