"""What a run saw, as values, for `verdicts.py` to judge. Moments are seconds from the run's beginning.

Nothing here is what only a sandbox could know, but for `words`, which a face says of itself: they are quoted, and no
cause is told by them alone.
"""

from dataclasses import dataclass, field

from gateway.smoke.script import Question
from gateway.types.smoke import Moments, SmokeLine


@dataclass(frozen=True, slots=True)
class Call:
    """One request as the gateway recorded it."""

    id: str
    at: float
    """When it came."""
    agent: str = ""
    session: str = ""
    """Empty: it was of none, or was refused before that was known."""
    status: int = 200
    outcome: str = "ok"
    code: str = ""
    upstream: str = ""
    """`ended`, `failed` or `cancelled`; empty: nobody was asked."""
    characters: int = 0
    sources: tuple[str, ...] = ()
    timings: dict[str, float] = field(default_factory=dict)
    """Milliseconds by name."""
    answer: str | None = None
    """What was sent; None: not kept."""

    @property
    def refused(self) -> bool:
        """Whether it was sent away by a 4xx."""
        return 400 <= self.status < 500 and self.outcome != "client_gone"

    @property
    def of_key(self) -> bool:
        """Whether it was sent away for its key, its capability or its address."""
        return self.refused and self.status in (401, 403, 404)


@dataclass(frozen=True, slots=True)
class Seen:
    """What came of the face's two tracks by now."""

    pictures: int = 0
    moved: int = 0
    sounds: int = 0
    """Pieces of sound, silent ones too."""
    heard: bool = False
    """Whether anything of it was audible."""
    watched_s: float = 0.0
    """For how long, from the connection on."""


@dataclass(frozen=True, slots=True)
class Interruption:
    """The person speaks into an answer."""

    began: float
    """The first sound of it."""
    silent: float | None
    """The avatar's last sound; None: it had not begun to speak, so that nothing was there to be interrupted."""
    call: Call | None = None
    """The request that was to be cancelled; None: the gateway has none."""
    crowded: float = 0.0
    """Programs that wanted to run then, for each core of this machine."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """A question, and what came of it."""

    number: int
    question: Question
    moments: Moments = field(default_factory=Moments)
    spoken: bool = True
    """Whether the question was sound; else it was text."""
    itself: str | None = None
    """The question's sound as our own ears hear it; None: they were not asked."""
    itself_otherwise: str = ""
    """As what they hear the question in it where not as it was sent: `48000 Hz, 2 channels`."""
    understood: str | None = None
    """The question as the avatar heard it; None: nobody can tell."""
    answer: str = ""
    """What the model said, where that is known."""
    heard: str = ""
    """What was heard of it, by our ears."""
    rate: float = 1.0
    """How much faster than right it has to be played to be understood; 1: as it is, or not at all."""
    wait: float = 10.0
    """For so long a first sound was waited for."""
    calls: tuple[Call, ...] = ()
    """Those from the question on, the oldest first; the refused ones may be anybody's."""
    seen: Seen = field(default_factory=Seen)
    words: str = ""
    """What the face itself says of it: a sandbox's `error`."""
    deaf: str = ""
    """Why the avatar cannot hear, in its own words."""
    interruption: Interruption | None = None

    @property
    def answered(self) -> bool:
        """Whether the person heard anything."""
        return self.moments.first_sound is not None


@dataclass(frozen=True, slots=True)
class Written:
    """Who wrote down what was said: the person's own list is the one that the others are held against."""

    by: str
    lines: tuple[SmokeLine, ...]


@dataclass(frozen=True, slots=True)
class Left:
    """What is there after the end."""

    running: int | None
    """Sessions; None: it could not be asked."""
    at: str
    says: str = ""
