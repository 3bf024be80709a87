"""Sounds that are no speech, and speech that is made for a test: 16-bit little-endian, 16 kHz, mono."""

from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.typing import NDArray

from gateway.audio.reader import Reader
from gateway.audio.spoken import RATE

Wave = NDArray[np.float64]


def pcm(wave: Wave) -> bytes:
    """Of a wave between -1 and 1."""
    return np.rint(np.clip(wave, -1, 1) * 32767).astype("<i2").tobytes()


def silence(seconds: float) -> bytes:
    """So much of it."""
    return bytes(2 * int(seconds * RATE))


def noise(seconds: float, db: float, *, pink: bool = False) -> Wave:
    """White, or pink as wind and breath are; its level below full scale."""
    size = int(seconds * RATE)
    wave = np.random.default_rng(7).normal(size=size)
    if pink:
        power = np.fft.rfft(wave)
        wave = np.fft.irfft(power / np.sqrt(np.arange(1, power.size + 1)), size)
    return np.asarray(wave / wave.std() * 10 ** (db / 20))


def tone(seconds: float, hertz: float = 440.0) -> Wave:
    """A sine at a third of full scale."""
    return 0.3 * np.sin(2 * np.pi * hertz * np.arange(int(seconds * RATE)) / RATE)


def chords() -> Wave:
    """Four seconds of something like a piano."""
    time = np.arange(RATE) / RATE
    parts = [
        sum(np.sin(2 * np.pi * root * step * over * time) / over for step in (1, 1.26, 1.5) for over in (1, 2, 3))
        * np.exp(-1.5 * time)
        for root in (261.6, 349.2, 392.0, 261.6)
    ]
    whole = np.concatenate(parts)
    return np.asarray(0.3 * whole / np.abs(whole).max())


def clicks() -> Wave:
    """A millisecond, very loud, five times in three seconds."""
    wave = np.zeros(3 * RATE)
    for at in range(4000, 44000, 9000):
        wave[at : at + 16] = 0.8
    return wave


def cough() -> Wave:
    """Two bursts of noise that die away within a quarter of a second."""
    burst = noise(0.25, -8) * np.exp(-np.arange(RATE // 4) / RATE * 18)
    return np.concatenate([burst, np.zeros(RATE // 5), 0.7 * burst])


def breath() -> Wave:
    """A second that swells and sinks."""
    return noise(1.0, -24, pink=True) * np.hanning(RATE)


UNSPOKEN: dict[str, Callable[[], Wave]] = {
    "silence": lambda: np.zeros(2 * RATE),
    "a hiss": lambda: noise(3, -40),
    "a roar": lambda: noise(3, -20),
    "wind": lambda: noise(3, -20, pink=True),
    "a tone": lambda: tone(2),
    "chords": chords,
    "clicks": clicks,
    "a cough": cough,
    "a breath": breath,
}
"""What nobody says."""


@cache
def spoken(text: str) -> bytes:
    """A text, as the sandbox's voice reads it."""
    reader = Reader()
    try:
        return reader.say(text).pcm
    finally:
        reader.close()


def noisy(speech: bytes, snr_db: float) -> bytes:
    """The same with white noise, so much softer than its louder half."""
    wave = np.frombuffer(speech, "<i2") / 32767
    level = wave[np.abs(wave) > 0.01].std()
    return pcm(wave + noise(wave.size / RATE, 20 * float(np.log10(level)) - snr_db)[: wave.size])
