"""Audio of five formats, as what the avatar is sent: 16-bit little-endian, 16 kHz, mono."""

import io
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

import av
import numpy as np
from av import AudioFrame, AudioResampler
from numpy.typing import NDArray

from gateway.sandbox.avatar.buffer import LONGEST_S, RATE

RAW = {"pcm16": ("s16", "<i2", 2), "pcm32": ("s32", "<i4", 4)}
"""Those without a header: FFmpeg's name of the samples, numpy's, and their bytes."""
CONTAINED = ("wav", "mp3", "ogg")
PIECE = 1 << 16
"""Samples at a time."""


class NoSound(ValueError):
    """Why audio cannot be heard."""


def decoded(audio: bytes, format_: str, rate: int = RATE, channels: int = 1) -> bytes:
    """The audio as PCM. `rate` and `channels` count where the format has no header."""
    resampler = AudioResampler(format="s16", layout="mono", rate=RATE)
    heard = bytearray()
    try:
        frames: Iterable[AudioFrame | None] = _raw(audio, format_, rate, channels) if format_ in RAW else _read(audio)
        for frame in chain(frames, [None]):
            for piece in resampler.resample(frame):
                heard += piece.to_ndarray().astype("<i2").tobytes()
            if len(heard) > LONGEST_S * RATE * 2:
                raise NoSound(f"The audio is longer than {LONGEST_S // 60} minutes.")
    except (av.FFmpegError, ValueError, StopIteration) as unread:
        if isinstance(unread, NoSound):
            raise
        raise NoSound(f"The audio cannot be read as {format_}.") from unread
    if not heard:
        raise NoSound("There is no audio.")
    return bytes(heard)


def _raw(audio: bytes, format_: str, rate: int, channels: int) -> Iterator[AudioFrame]:
    name, kind, size = RAW[format_]
    layout = {1: "mono", 2: "stereo"}.get(channels)
    if layout is None or not 4000 <= rate <= 192_000:
        raise NoSound("The audio has 1 or 2 channels, at 4,000 to 192,000 samples a second.")
    whole = len(audio) - len(audio) % (size * channels)
    samples: NDArray[Any] = np.frombuffer(audio[:whole], np.dtype(kind))
    for at in range(0, samples.size, PIECE):
        frame = AudioFrame.from_ndarray(samples[at : at + PIECE].reshape(1, -1), format=name, layout=layout)
        frame.sample_rate = rate
        yield frame


def _read(audio: bytes) -> Iterator[AudioFrame]:
    with av.open(io.BytesIO(audio), "r") as opened:
        if not opened.streams.audio:
            raise NoSound("There is no audio in the file.")
        for frame in opened.decode(opened.streams.audio[0]):
            frame.pts = None
            yield frame
