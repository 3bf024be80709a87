"""What a voice makes of a text: samples, and where among them each word begins."""

from dataclasses import dataclass
from itertools import accumulate

import numpy as np
import regex

RATE = 16000
"""Samples a second: signed 16-bit little-endian, mono."""
WORD = regex.compile(
    r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}]\p{M}*\s*|[^\s\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}]+\s*|\s+"
)
"""A word with the space after it; scripts that put no spaces are said character by character."""
PAUSING = (",", ";", ":", "\u2013", "\u2014")
PAUSE = 4
"""A pause within a sentence takes as long as so many characters."""
AUDIBLE = 256
"""The amplitude from which a sample belongs to a word and not to the breath around it (-42 dBFS)."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """A text as it sounds."""

    pcm: bytes
    """16-bit little-endian, 16 kHz, mono."""
    words: tuple[tuple[int, str], ...]
    """At which sample each word begins; joined, the words are the text."""


def words(text: str) -> list[str]:
    """The words of a text, each with the space behind it: joined they are the text."""
    found: list[str] = WORD.findall(text)
    if len(found) > 1 and found[0].isspace():
        found[:2] = [found[0] + found[1]]
    return found


def timed(text: str, pcm: bytes) -> Spoken:
    """A text and its samples, of which only the whole is known: a word gets time by its characters, and a comma some.

    The words share what is audible; the silence around them is nobody's. The whole is exact, so that an error never
    reaches beyond the piece.
    """
    loud = np.flatnonzero(np.abs(np.frombuffer(pcm, "<i2").astype(np.int32)) >= AUDIBLE)
    begin, end = (int(loud[0]), int(loud[-1])) if loud.size else (0, len(pcm) // 2)
    found = words(text)
    shares = [len(word) + PAUSE * word.rstrip().endswith(PAUSING) for word in found]
    passed = list(accumulate(shares, initial=0))
    return Spoken(
        pcm, tuple((begin + (end - begin) * at // passed[-1], word) for at, word in zip(passed, found, strict=False))
    )
