"""Pictures as the report holds them: JPEG, in `data:` addresses, so that it needs no file beside it."""

from base64 import b64encode
from collections.abc import Iterable
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
MOST = 8
"""Screenshots that the report holds; of the others it gives the names."""


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


def screenshots(shots: Iterable[Screenshot], folder: Path) -> tuple[Picture, ...]:
    """Those that are shown. One that cannot be read says so in its caption, and is no picture."""
    return tuple(_screenshot(shot, folder / shot.file) for shot in [*shots][:MOST])


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
