"""What is heard, in words, and how far it is from what was said."""

from dataclasses import dataclass

import numpy as np

from gateway.audio.agreement import normal, states, word_error
from gateway.audio.ears import Ears
from gateway.peer.packets import RATE

DOUBTED = 0.4
"""Share of misheard words from which on it is looked whether the sound has another rate."""
SURE = 0.25
"""By how much the right rate has to be better than the one that is heard."""
LEAST = 3
"""Words, of which fewer are no evidence."""
RATES = (1.5, 2.0, 3.0, 1 / 1.5, 0.5, 1 / 3)
"""How many times as fast: 16, 24, 32 and 48 kHz that are taken for one another."""
LONGEST = 55.0
"""Seconds that are recognised."""
LAYOUTS = ((48000, 2), (48000, 1), (44100, 2), (44100, 1), (24000, 1), (16000, 2), (8000, 1))
"""Rates and channels that raw samples are likely to have, sent as 16,000 and one."""


@dataclass(frozen=True, slots=True)
class Understood:
    """What our ears make of a sound."""

    text: str
    error: float | None
    """Share of misheard words; None: nobody knows what was said."""
    rate: float = 1.0
    """How many times as fast it has to be played to be understood."""


async def understood(ears: Ears, pcm: bytes, said: str, language: str = "en", *, cut: bool = False) -> Understood:
    """The words of 16-bit, 16 kHz, mono; compared with what was said, which may be unknown. Raises Deaf.

    `cut`: the sound is the beginning of it only.
    """
    short = pcm[: int(LONGEST * RATE) * 2]
    text = (await ears.heard(short, language)).text
    if not said:
        return Understood(text, None)
    error = _apart(said, text, cut=cut)
    if error <= DOUBTED:
        return Understood(text, error)
    for rate in RATES:
        heard = (await ears.heard(faster(short, rate), language)).text
        if len(normal(heard)) >= LEAST and _apart(said, heard, cut=cut) <= min(DOUBTED, error - SURE):
            return Understood(text, error, rate)
    return Understood(text, error)


def _apart(said: str, heard: str, *, cut: bool) -> float:
    """Share of misheard words; of what is cut, in as many words as were heard."""
    if not cut:
        return word_error(said, heard)
    count = len(normal(heard))
    return word_error(" ".join(normal(said)[:count]), heard) if count else 1.0


async def otherwise(ears: Ears, pcm: bytes, said: str, language: str = "en") -> str:
    """As what raw samples are understood that are not as 16 kHz, mono; empty: as nothing."""
    for rate, channels in LAYOUTS:
        mono = pcm[: len(pcm) // (2 * channels) * 2 * channels]
        wave = np.frombuffer(mono, "<i2").reshape(-1, channels).mean(axis=1).astype("<i2").tobytes()
        heard = (await ears.heard(faster(wave, rate / RATE)[: int(LONGEST * RATE) * 2], language)).text
        if word_error(said, heard) <= DOUBTED:
            return f"{rate} Hz, {channels} channel{'s' * (channels > 1)}"
    return ""


def faster(pcm: bytes, rate: float) -> bytes:
    """The same samples, so many times as fast (and as high)."""
    wave = np.frombuffer(pcm[: len(pcm) // 2 * 2], "<i2").astype(np.float32)
    if wave.size < 2:
        return pcm
    at = np.arange(0, wave.size - 1, rate)
    return bytes(np.interp(at, np.arange(wave.size), wave).astype("<i2"))


def missing(heard: str, facts: tuple[str, ...]) -> tuple[str, ...]:
    """The facts that are not in it."""
    return tuple(fact for fact in facts if not states(heard, fact))
