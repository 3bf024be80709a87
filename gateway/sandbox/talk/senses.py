"""What a room hears with."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from gateway.audio import hearing
from gateway.audio.activity import Activity, Event
from gateway.audio.ears import Ears

LONGEST_S = 59.0
"""Seconds of a turn, then it is cut: ears take a minute at most, in which a little before the first word is as well."""


class Attention(Protocol):
    """Notices when one person begins to speak, and when they have spoken."""

    @property
    def stirs(self) -> bool:
        """Whether they may be beginning to speak just now."""

    def hear(self, pcm: bytes) -> Sequence[Event]:
        """What has happened by the end of this sound; 16-bit little-endian, 16 kHz, mono."""


@dataclass(frozen=True, slots=True)
class Senses:
    """Of one sandbox."""

    ears: Ears
    """What makes words of sound: one for all."""
    activity: Callable[[], Attention]
    """A new one for each person."""
    missing: Callable[[str], str]
    """What is missing to hear a language, in a sentence; empty: nothing."""


def senses() -> Senses:
    """Those that are there. They cost nothing before somebody is heard."""
    return Senses(hearing.ears(), partial(Activity, longest_s=LONGEST_S), hearing.missing)
