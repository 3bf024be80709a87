"""When somebody speaks, and when they have said what they had to say: sound goes in as it comes, events come out.

It waits for nothing and costs 0.1 ms for 32 ms of sound, so the loop can feed it. It knows time by the samples that it
was given: while nothing comes nothing ends, so silence has to be fed as well. It does not know whose voice it hears: an
avatar that a microphone hears interrupts itself. To remove that echo is the browser's work (`echoCancellation`).
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from gateway.audio.detector import FRAME, Detector, detector
from gateway.audio.spoken import RATE

SPEECH, GOES_ON = 0.5, 0.35
"""Probabilities from which on somebody begins to speak, and has not stopped."""
BEGINS, OF = 3, 4
"""So many of the last frames are speech when somebody has begun: 96 ms, so that no click and no breath interrupts."""
RESUMES = 2
"""Frames of speech in a row that end a pause; one is a click."""
BEFORE_S = 0.3
"""What is kept from before, so that no first consonant is lost."""


@dataclass(frozen=True, slots=True)
class Began:
    """Somebody speaks; known 0.1 s later."""

    at: int


@dataclass(frozen=True, slots=True)
class Paused:
    """They fell silent, perhaps only for a breath: what was said can be recognised already."""

    at: int
    """Where the silence began."""
    pcm: bytes
    """From a little before the first word to a little after the last one: the same as the turn's, if it ends here."""


@dataclass(frozen=True, slots=True)
class Resumed:
    """They go on: what `Paused` had is only a part."""

    at: int


@dataclass(frozen=True, slots=True)
class Spoke:
    """A turn is over: they were silent for long enough, or spoke for too long."""

    began: int
    ended: int
    """Where its last sound ended; it is known `end_s` later."""
    pcm: bytes
    """16-bit little-endian, 16 kHz, mono."""


Event: TypeAlias = Began | Paused | Resumed | Spoke
"""Positions are samples since the first one that was heard."""


class Activity:
    """One person's microphone."""

    def __init__(
        self,
        *,
        end_s: float = 0.6,
        pause_s: float = 0.2,
        longest_s: float = 60.0,
        hears: Detector | None = None,
    ) -> None:
        """A turn ends after `end_s` seconds of silence, of which `pause_s` are a pause; after `longest_s` it is cut."""
        self._end, self._pause, self._longest = (int(RATE * seconds) for seconds in (end_s, pause_s, longest_s))
        self._hears = hears or detector()
        self._left = b""
        self._at = 0
        self._began: int | None = None
        self._last = 0
        """Where the last frame of speech ended."""
        self._said: bytes | None = None
        """What was said before this pause; None: it is none."""
        self._sound = bytearray()
        self._lately: deque[bool] = deque(maxlen=OF)

    @property
    def speaking(self) -> bool:
        """Whether a turn has begun and is not over."""
        return self._began is not None

    @property
    def stirs(self) -> bool:
        """Whether something within the last 128 ms sounds like a voice, and no turn has begun: one may be beginning."""
        return self._began is None and True in self._lately

    def hear(self, pcm: bytes) -> list[Event]:
        """What is new after this sound: 16-bit little-endian, 16 kHz, mono, of any size."""
        sound = self._left + pcm
        whole = len(sound) // (2 * FRAME) * 2 * FRAME
        self._left = sound[whole:]
        return [event for at in range(0, whole, 2 * FRAME) for event in self._heard(sound[at : at + 2 * FRAME])]

    def _heard(self, frame: bytes) -> Iterator[Event]:
        chance = self._hears((np.frombuffer(frame, "<i2") / 32768).astype(np.float32))
        self._at += FRAME
        self._sound += frame
        self._lately.append(chance >= SPEECH)
        if self._began is None:
            yield from self._waiting()
        else:
            yield from self._within(self._began, chance)

    def _waiting(self) -> Iterator[Event]:
        if sum(self._lately) >= BEGINS:
            self._began = self._at - FRAME * (len(self._lately) - self._lately.index(True))
            self._last = self._at
            self._keep(self._at - self._began)
            yield Began(self._began)
        else:
            self._keep(FRAME * OF)

    def _within(self, began: int, chance: float) -> Iterator[Event]:
        if self._goes_on(chance):
            self._last = self._at
            if self._said is not None:
                self._said = None
                yield Resumed(self._at - FRAME * RESUMES)
        quiet = self._at - self._last
        if self._said is None and quiet >= self._pause:
            self._said = bytes(self._sound)
            yield Paused(self._last, self._said)
        if quiet >= self._end or len(self._sound) // 2 + FRAME > self._longest:
            yield Spoke(began, self._last, bytes(self._sound) if self._said is None else self._said)
            self._idle()

    def _goes_on(self, chance: float) -> bool:
        if self._said is None:
            return chance >= GOES_ON
        return len(self._lately) >= RESUMES and all(list(self._lately)[-RESUMES:])

    def _keep(self, samples: int) -> None:
        """Forget what is longer ago than that and a little before it."""
        del self._sound[: max(0, len(self._sound) - 2 * (samples + int(BEFORE_S * RATE)))]

    def _idle(self) -> None:
        self._began, self._said = None, None
        self._sound.clear()
        self._lately.clear()
