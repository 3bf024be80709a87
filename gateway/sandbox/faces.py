"""Faces that are made of uploaded images: one after the other, and none at once, as Simli's queue has it."""

import io
import time
import uuid
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, TypeAlias

import av

Family: TypeAlias = Literal["legacy", "trinity"]
Result: TypeAlias = Literal["completed", "failed"]

SMALLEST = 512
"""Pixels of either side."""
LARGEST = 8192
PICTURES = ("image2", "png_pipe", "jpeg_pipe", "webp_pipe", "bmp_pipe", "tiff_pipe")
"""FFmpeg's names of what holds one picture."""


class NoFace(ValueError):
    """Why no face can be made of an upload."""


class Order(NamedTuple):
    """What is wanted of an image."""

    name: str
    family: Family
    version: str


@dataclass(frozen=True, slots=True)
class Face:
    """One face, from its upload on."""

    name: str
    family: Family
    version: str
    ready: float
    """When it is made; seconds since the epoch."""
    result: Result
    warnings: tuple[str, ...] = ()
    created: float = field(default_factory=time.time)
    id: str = field(default_factory=lambda: str(uuid.uuid4()))

    @property
    def status(self) -> str:
        """`processing`, then its result."""
        return self.result if time.time() >= self.ready else "processing"


class Faces:
    """Those of one account, oldest first."""

    def __init__(self) -> None:
        self.by_id: dict[str, Face] = {}

    def add(self, order: Order, warnings: tuple[str, ...], *, takes: float, result: Result) -> Face:
        """Put a face into the queue. It `takes` so many seconds when it is its turn."""
        before = max((face.ready for face in self.by_id.values()), default=0.0)
        face = Face(*order, max(time.time(), before) + takes, result, warnings)
        self.by_id[face.id] = face
        return face

    def find(self, id_: str | None, family: Family) -> Face | None:
        """The face of an id, or the newest where none is named; None: there is none in this family."""
        of_family = [face for face in self.by_id.values() if face.family == family]
        if not id_:
            return of_family[-1] if of_family else None
        return next((face for face in of_family if face.id == id_), None)

    def before(self, face: Face) -> int:
        """How many are made before it."""
        now = time.time()
        return sum(now < other.ready < face.ready for other in self.by_id.values())

    @property
    def made(self) -> list[Face]:
        """Those that can be used."""
        return [face for face in self.by_id.values() if face.status == "completed"]


def looked_at(image: bytes) -> tuple[str, ...]:
    """What an image could be better at; NoFace where it is none, or too small."""
    try:
        with av.open(io.BytesIO(image), "r") as opened:
            if opened.format.name not in PICTURES or not opened.streams.video:
                raise NoFace("The file is not an image.")
            width, height = opened.streams.video[0].width, opened.streams.video[0].height
            if not width or not height:
                raise NoFace("The image cannot be read.")
            if min(width, height) < SMALLEST:
                raise NoFace(f"The image is {width}x{height} pixels; it has to be {SMALLEST}x{SMALLEST} at least.")
            if max(width, height) > LARGEST:
                raise NoFace(f"The image is {width}x{height} pixels; more than {LARGEST} to a side is too much.")
            next(opened.decode(video=0))
    except (av.FFmpegError, StopIteration) as unread:
        raise NoFace("The image cannot be read.") from unread
    square = 0.8 < width / height < 1.25
    return () if square else (f"The image is {width}x{height} pixels; the face is cut out of its middle.",)
