"""What a smoke run found: the conversation that was held, what was measured, and which part is at fault.

Moments are seconds from the run's beginning, on one clock; None where that was not seen. The report's JSON has these.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

SmokeMode: TypeAlias = Literal["room", "compose", "auto"]
"""A person's voice in the sandbox's room; text to the gateway and its answer to a face; a session of Auto's."""
Part: TypeAlias = Literal[
    "gateway", "knowledge", "model", "Simli", "voice provider", "network", "browser", "this machine", "the question"
]
"""Who has to do something."""
Verdict: TypeAlias = Literal["passed", "failed", "skipped"]


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that did not hold: one a cause, the first is the likeliest."""

    code: str
    """For programs: `no_connection`, `llm_not_called`, `fact_missing`, …; of an error of ours, its own."""
    part: Part
    says: str
    """What was seen, in a sentence."""
    remedy: str
    """What to do about it, in a sentence."""
    turn: int | None = None
    """The number of the turn that it was found in, from 0."""


@dataclass(frozen=True, slots=True)
class Step:
    """Something that was done or looked at, in the order of the run."""

    name: str
    verdict: Verdict
    says: str
    at: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Moments:
    """One turn's waterfall, in the order in which it happens."""

    asked: float | None = None
    """The person began to speak (or the text was sent)."""
    asked_end: float | None = None
    """The person fell silent: from here on somebody waits."""
    recognised: float | None = None
    """The avatar had the words."""
    requested: float | None = None
    """The LLM was asked."""
    retrieved: float | None = None
    """The gateway had its passages."""
    first_token: float | None = None
    first_clause: float | None = None
    """So much had come that it could be spoken."""
    first_sound: float | None = None
    """The person heard it begin."""
    first_mouth: float | None = None
    """The person saw the mouth move."""
    interrupted: float | None = None
    """Somebody began to speak over it."""
    hushed: float | None = None
    """The avatar was told to be silent: what it had still to say was dropped."""
    last_token: float | None = None
    end: float | None = None
    """The person heard its last sound."""


@dataclass(frozen=True, slots=True)
class SmokeTurn:
    """One question and its answer, as they were heard on both sides."""

    question: str
    understood: str = ""
    """The question as the avatar heard it."""
    question_error: float | None = None
    """Share of its words that were misheard; 0 is word for word."""
    answer: str = ""
    """What the model said."""
    heard: str = ""
    """What the person heard of it, by speech recognition."""
    answer_error: float | None = None
    facts: tuple[str, ...] = ()
    """What the answer has to hold."""
    missing: tuple[str, ...] = ()
    """Which of them were not heard."""
    sources: tuple[str, ...] = ()
    """Ids of the passages that the gateway handed to its model."""
    interrupted: bool = False
    """Whether the person broke it off, on purpose."""
    silent_ms: float | None = None
    """Of an interrupted turn: from the person's first sound to the avatar's last."""
    upstream: Literal["", "cancelled", "had ended", "ran on"] = ""
    """Of an interrupted turn: what became of the stream from the model."""
    moments: Moments = field(default_factory=Moments)


@dataclass(frozen=True, slots=True)
class SmokeMedia:
    """What came of the face. Milliseconds, but for the rates."""

    connected_ms: float | None = None
    first_picture_ms: float | None = None
    first_sound_ms: float | None = None
    fps: float = 0.0
    pictures: int = 0
    moving: float = 0.0
    """Share of pictures that differ from the one before."""
    freezes: int = 0
    longest_freeze_ms: float = 0.0
    audio_gaps: int = 0
    picture_jitter_ms: float | None = None
    sound_jitter_ms: float | None = None
    lip_offset_ms: float | None = None
    """By how much the mouth is behind the sound; negative: it is ahead. None: it could not be seen."""
    round_trip_ms: float | None = None


@dataclass(frozen=True, slots=True)
class SmokeLine:
    """A line of a transcript."""

    role: Literal["user", "assistant"]
    text: str


@dataclass(frozen=True, slots=True)
class Screenshot:
    """What the person had on the screen at a moment."""

    caption: str
    file: str
    """A PNG, beside the report."""


@dataclass(frozen=True, slots=True)
class Visit:
    """A person's stay in a room, by a browser or by Daily's client."""

    joined: bool
    """Whether anything of the avatar was seen or heard there. A room that was not joined proves nothing."""
    says: str
    """What happened, in a sentence; where it was not joined: why, and what to do."""
    screenshots: tuple[Screenshot, ...] = ()
    words: tuple[SmokeLine, ...] = ()
    """What stood on the page, where it shows words."""
    heard: Path | None = None
    """What was heard as WAV, 16-bit, 16 kHz, mono; None: whoever was there could not record it."""
    media: SmokeMedia = field(default_factory=SmokeMedia)
    """As the browser measured it; Daily's client sees no pictures."""


@dataclass(frozen=True, slots=True)
class Smoke:
    """A whole run."""

    mode: SmokeMode
    agent: str
    began: float
    """Seconds since the epoch."""
    seconds: float
    gateway: str
    """Its URL, without a path."""
    simli: str
    steps: tuple[Step, ...] = ()
    turns: tuple[SmokeTurn, ...] = ()
    media: SmokeMedia = field(default_factory=SmokeMedia)
    said: dict[str, tuple[SmokeLine, ...]] = field(default_factory=dict)
    """Who wrote down what: `sandbox` (or `simli`), `gateway`, `recogniser`."""
    findings: tuple[Finding, ...] = ()
    session: str = ""
    screenshots: tuple[Screenshot, ...] = ()
    film: str = ""
    """The MP4, beside the report; empty: there is none."""
    film_at: float = 0.0
    """The moment that the film begins with."""

    @property
    def passed(self) -> bool:
        """Whether everything held."""
        return bool(self.steps) and not self.findings and all(step.verdict != "failed" for step in self.steps)
