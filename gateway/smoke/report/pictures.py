"""Pictures as the report holds them: JPEG, in `data:` addresses, so that it needs no file beside it."""

from base64 import b64encode
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

from av import CodecContext, FFmpegError, VideoFrame
from av import open as av_open
from av.video.codeccontext import VideoCodecContext

from gateway.types.smoke import Screenshot

QUALITY = 5
"""The quantiser, from 2 (best) to 31."""
WIDE = 900
"""Pixels of a screenshot; a wider one is made smaller."""
BUDGET = 900_000
"""Characters that all screenshots together may take; of those that have no room the report gives the names."""


class Picture(NamedTuple):
    """For an `img`."""

    src: str
    """Empty: there is none to be shown, and the caption says why."""
    width: int
    height: int
    caption: str


def jpeg(frame: VideoFrame, width: int, caption: str) -> Picture:
    """A frame, at most so many pixels wide."""
    wide = max(16, min(width, frame.width) & ~1)
    high = max(16, round(frame.height * wide / frame.width) & ~1)
    codec = CodecContext.create("mjpeg", "w")
    assert isinstance(codec, VideoCodecContext)
    codec.width, codec.height, codec.pix_fmt, codec.time_base = wide, high, "yuvj420p", Fraction(1, 25)
    codec.qmin = codec.qmax = QUALITY
    small = frame.reformat(wide, high, "yuvj420p")
    small.pts, small.time_base = 0, codec.time_base
    coded = b"".join(bytes(packet) for packet in [*codec.encode(small), *codec.encode(None)])
    return Picture(f"data:image/jpeg;base64,{b64encode(coded).decode()}", wide, high, caption)


class Screen(NamedTuple):
    """A screenshot and its picture."""

    shot: Screenshot
    picture: Picture


class Screens(NamedTuple):
    """All of them."""

    shown: tuple[Screen, ...] = ()
    named: tuple[Screenshot, ...] = ()
    """Those that there was no room for."""


def screens(shots: Sequence[Screenshot], folder: Path) -> Screens:
    """Those that are shown. One that cannot be read says so in its caption, and is no picture."""
    shown: list[Screen] = []
    left = BUDGET
    for number, shot in enumerate(shots):
        picture = _screenshot(shot, folder / shot.file)
        left -= len(picture.src)
        if left < 0:
            return Screens(tuple(shown), tuple(shots[number:]))
        shown.append(Screen(shot, picture))
    return Screens(tuple(shown))


def _screenshot(shot: Screenshot, path: Path) -> Picture:
    try:
        with av_open(str(path)) as container:
            for frame in container.decode(video=0):
                return jpeg(frame, WIDE, shot.caption)
    except IndexError:
        pass
    except (OSError, FFmpegError) as failed:
        return Picture("", 0, 0, f"{shot.caption} ({shot.file} could not be read: {failed.strerror})")
    return Picture("", 0, 0, f"{shot.caption} ({shot.file} holds no picture)")
