"""Images and audio as they are uploaded: what Simli could not use is refused before it goes there. Pure.

An image is looked at as far as its header: kind and size. Simli wants one face on 512 x 512 pixels or more.
"""

import struct
from collections.abc import Iterator, Mapping
from itertools import islice

from gateway.errors import InvalidValue
from gateway.types.orchestration import AudioFormat

LEAST = 512
"""Pixels of each side."""
LARGEST = 10 * 1024 * 1024
"""Bytes of an image, or of audio."""
_SEGMENTS = 1000
"""Of a JPEG that are looked at: the size stands among the first dozen."""
_SIZES = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
"""JPEG's markers of a frame, which say its size."""
_BARE = frozenset({0x01, *range(0xD0, 0xD9)})
"""JPEG's markers that have no content."""
BY_ENDING: Mapping[str, AudioFormat] = {
    ".wav": "wav", ".mp3": "mp3", ".ogg": "ogg", ".oga": "ogg", ".opus": "ogg",
    ".pcm": "pcm16", ".raw": "pcm16", ".s16": "pcm16", ".s32": "pcm32",
}  # fmt: skip
_WIDTHS: Mapping[str, int] = {"pcm16": 2, "pcm32": 4}


def checked_image(image: bytes) -> None:
    """Raise InvalidValue for what is no image that a face can be made of."""
    if len(image) > LARGEST:
        raise InvalidValue(f"The image is larger than {LARGEST >> 20} MiB.")
    size = _size(image)
    if size is None:
        raise InvalidValue("The image is no PNG, JPEG or WebP, or is cut off.")
    width, height = size
    if width < LEAST or height < LEAST:
        raise InvalidValue(f"The image is {width} x {height} pixels; Simli needs {LEAST} x {LEAST} at least.")


def checked_audio(audio: bytes, format_: AudioFormat) -> None:
    """Raise InvalidValue for what is no audio of this format."""
    if not audio:
        raise InvalidValue("The audio is empty.")
    if len(audio) > LARGEST:
        raise InvalidValue(f"The audio is larger than {LARGEST >> 20} MiB.")
    width = _WIDTHS.get(format_, 1)
    if len(audio) % width:
        raise InvalidValue(f"The audio is no {format_}: its length is not a multiple of {width} bytes.")
    fits = {
        "wav": audio[:4] == b"RIFF" and audio[8:12] == b"WAVE",
        "mp3": audio[:3] == b"ID3" or (audio[0] == 0xFF and audio[1:2] >= b"\xe0"),
        "ogg": audio[:4] == b"OggS",
    }
    if not fits.get(format_, True):
        raise InvalidValue(f"The audio is no {format_}, by how it begins.")


def _size(image: bytes) -> tuple[int, int] | None:
    """Width and height, of what its first bytes say it is; None: not one of the three, or cut off."""
    try:
        if image[:8] == b"\x89PNG\r\n\x1a\n" and image[12:16] == b"IHDR":
            return struct.unpack_from(">II", image, 16)
        if image[:2] == b"\xff\xd8":
            return next(islice(_frames(image), 1), None)
        if image[:4] == b"RIFF" and image[8:12] == b"WEBP":
            return _webp(image)
    except struct.error:
        pass
    return None


def _frames(image: bytes) -> Iterator[tuple[int, int]]:
    """The sizes that a JPEG's frames say: ITU T.81, B.1.1.4 and B.2.2."""
    at = 2
    for _ in range(_SEGMENTS):
        if image[at : at + 1] != b"\xff":
            return
        marker = struct.unpack_from(">B", image, at + 1)[0]
        if marker == 0xFF:  # a fill byte
            at += 1
            continue
        if marker in _SIZES:
            height, width = struct.unpack_from(">HH", image, at + 5)
            yield width, height
        at += 2 if marker in _BARE else 2 + struct.unpack_from(">H", image, at + 2)[0]


def _webp(image: bytes) -> tuple[int, int] | None:
    """WebP's three kinds: RFC 9649, 2.5 to 2.7."""
    kind = image[12:16]
    if kind == b"VP8X":
        wide, high = (int.from_bytes(image[at : at + 3], "little") for at in (24, 27))
        return (wide + 1, high + 1) if len(image) >= 30 else None
    if kind == b"VP8L":
        bits: int = struct.unpack_from("<I", image, 21)[0]
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", image, 26)
        return width & 0x3FFF, height & 0x3FFF
    return None
