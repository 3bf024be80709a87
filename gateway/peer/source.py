"""Any audio as PCM for a face: a file, an address, what comes in on standard input; decoded by FFmpeg in a thread.

Of raw samples nothing says what they are, so they are taken at the word of whoever sends them. Three lies can be told
and are: a file with a header, a size that is no whole number of samples, and floats that are none.
"""

import asyncio
import contextlib
import io
import os
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias
from urllib.parse import urlsplit

import av
import numpy as np
from av.error import FFmpegError

from gateway.errors import InvalidValue
from gateway.peer.packets import RATE

RawFormat: TypeAlias = Literal["s16le", "f32le"]
WIDTH = {"s16le": 2, "f32le": 4}
STDIN = "-"
AHEAD = 64
"""Pieces that are decoded before they are wanted."""
NETWORK = (10.0, 20.0)
"""Seconds for a server to answer, and between two pieces of what it sends."""
HEADERS = {b"RIFF": "WAV", b"OggS": "Ogg", b"ID3": "MP3", b"fLaC": "FLAC", b"\x1aE\xdf\xa3": "WebM", b"FORM": "AIFF"}


@dataclass(frozen=True, slots=True)
class Raw:
    """What samples without a header are."""

    format: RawFormat
    rate: int = RATE
    channels: int = 1


class Stdin(io.RawIOBase):
    """Standard input as nothing but `read`: a pipe cannot be wound back, and its reader may have to be left alone."""

    def __init__(self) -> None:
        super().__init__()
        self._descriptor = os.dup(0)

    def read(self, size: int = -1) -> bytes:
        """The next bytes."""
        return os.read(self._descriptor, size if size > 0 else 65_536)

    def readable(self) -> bool:
        """It is."""
        return True


def named(source: str) -> str:
    """A source without what may be secret in its address."""
    parts = urlsplit(source)
    return f"{parts.scheme}://{parts.hostname}{parts.path}" if "://" in source else source


def checked(source: str, raw: Raw | None) -> None:
    """Raise InvalidValue for what can be told to be wrong before anything is opened."""
    if source == STDIN:
        return
    if "://" in source:
        if urlsplit(source).scheme not in ("http", "https"):
            raise InvalidValue(f"{named(source)}: only http and https addresses, files, and - for standard input.")
        return
    path = Path(source)
    if not path.is_file():
        raise InvalidValue(f"There is no file {source}.")
    size = path.stat().st_size
    if raw is None:
        return
    with path.open("rb") as file:
        _no_header(file.read(12), source)
    frame = WIDTH[raw.format] * raw.channels
    if size % frame:
        raise InvalidValue(
            f"{source} has {size} bytes, which is no whole number of {raw.format} samples of {raw.channels} "
            f"channel{'s' * (raw.channels > 1)} ({frame} bytes): the format or the channels are others."
        )


def _no_header(first: bytes, source: str) -> None:
    kind = next((name for header, name in HEADERS.items() if first.startswith(header)), "")
    if kind:
        raise InvalidValue(
            f"{named(source)} is a {kind} file, and says itself what its format, rate and channels are: "
            "leave --format out."
        )


def _no_floats(samples: "np.ndarray[Any, np.dtype[Any]]", source: str) -> None:
    with np.errstate(all="ignore"):
        good = np.isfinite(samples) & (np.abs(samples) <= 8)
    if samples.size and good.mean() < 0.9:
        raise InvalidValue(f"{named(source)} holds no float samples: try --format s16le.")


def decoded(source: str, raw: Raw | None) -> Iterator[bytes]:
    """The audio as signed 16-bit, 16 kHz, one channel. It blocks. Raises InvalidValue."""
    options = {"sample_rate": str(raw.rate), "ch_layout": f"{raw.channels}c"} if raw else {}
    options |= {"ch_layout": {1: "mono", 2: "stereo"}[raw.channels]} if raw and raw.channels < 3 else {}
    opened: Any = Stdin() if source == STDIN else source if "://" in source else f"file:{source}"
    try:
        with av.open(opened, format=raw.format if raw else None, options=options, timeout=NETWORK) as container:
            if not container.streams.audio:
                raise InvalidValue(f"{named(source)} has no sound in it.")
            resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)
            first = raw is not None
            for frame in container.decode(container.streams.audio[0]):
                if first and raw:
                    _no_header(bytes(frame.planes[0])[:12], source)
                    if raw.format == "f32le":
                        _no_floats(frame.to_ndarray(), source)
                first = False
                for piece in resampler.resample(frame):
                    yield bytes(piece.planes[0])[: piece.samples * 2]
            for piece in resampler.resample(None):
                yield bytes(piece.planes[0])[: piece.samples * 2]
    except (FFmpegError, OSError, ValueError) as error:
        said = getattr(error, "strerror", None) or type(error).__name__
        raise InvalidValue(f"{named(source)} cannot be read as audio: {said}.") from None


class Source:
    """Audio that is decoded in a thread, a little ahead of whoever reads it."""

    def __init__(self, source: str, raw: Raw | None) -> None:
        self.name = named(source)
        self._pieces: asyncio.Queue[bytes | InvalidValue] = asyncio.Queue(AHEAD)
        self._loop = asyncio.get_running_loop()
        self._over = False
        self._ended = False
        # A daemon: a read of a pipe or a server cannot be broken off, and nobody waits for it.
        self.thread = threading.Thread(target=self._decode, args=(source, raw), name="audio", daemon=True)
        self.thread.start()

    async def read(self) -> bytes:
        """The next piece; empty at the end. Raises InvalidValue."""
        if self._ended:
            return b""
        piece = await self._pieces.get()
        if isinstance(piece, InvalidValue):
            self._ended = True
            raise piece
        self._ended = not piece
        return piece

    async def close(self) -> None:
        """No more is wanted; a thread that can end does."""
        self._over = True
        for _ in range(50):
            while not self._pieces.empty():
                self._pieces.get_nowait()
            if not self.thread.is_alive():
                return
            await asyncio.sleep(0.01)

    def _decode(self, source: str, raw: Raw | None) -> None:
        try:
            for piece in decoded(source, raw):
                if piece:
                    self._put(piece)
                if self._over:
                    return
            self._put(b"")
        except InvalidValue as wrong:
            self._put(wrong)

    def _put(self, piece: bytes | InvalidValue) -> None:
        if self._over:
            return
        putting = self._pieces.put(piece)
        try:
            asyncio.run_coroutine_threadsafe(putting, self._loop).result()
        except (RuntimeError, asyncio.CancelledError):  # the loop is closed
            putting.close()
            self._over = True


@contextlib.asynccontextmanager
async def reading(source: str, raw: Raw | None = None) -> AsyncIterator[Source]:
    """A source, until this is left. Raises InvalidValue."""
    checked(source, raw)
    opened = Source(source, raw)
    try:
        yield opened
    finally:
        await opened.close()
