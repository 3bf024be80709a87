"""One brain, as its file says."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from gateway.types.access import Rate
from gateway.types.passage import Retrieval

OnFailure: TypeAlias = Literal["speak", "error"]
CallerSystem: TypeAlias = Literal["append", "replace", "drop"]


@dataclass(frozen=True, slots=True)
class Voice:
    """An agent's `voice`, in Simli's words."""

    provider: str
    """`cartesia`, `elevenlabs`, `playht` or `user`; Simli's Agents take the first two only."""
    id: str
    model: str = ""
    user_id: str = ""
    """PlayHT's, which text to video wants beside its key."""


@dataclass(frozen=True, slots=True)
class Agent:
    """One brain: a file `prompts/{name}.md`, its front matter and its persona. README, "Agents", lists the fields."""

    name: str
    persona: str
    """The file's body: a Jinja2 template."""
    description: str = ""
    language: str = "en"
    """BCP 47."""
    route: str = ""
    """A route's name; empty: the default route."""
    collections: tuple[str, ...] = ()
    retrieval: Retrieval = Retrieval()
    caller_system: CallerSystem = "append"
    on_failure: OnFailure = "speak"
    stream: bool = True
    """What an absent `stream` means."""
    speech: bool = True
    """Whether its answers are made fit for the voice."""
    first_message: str = ""
    apology: str = ""
    """Spoken where the answer failed."""
    unknown: str = ""
    """Spoken where the knowledge has no answer."""
    fillers: tuple[str, ...] = ()
    """Said, one a turn at most, where nothing else can be said yet after `filler_after_ms`."""
    filler_after_ms: int = 1200
    """Milliseconds from the turn's beginning."""
    rate: Rate = Rate()
    """Of all its callers together."""
    face_id: str = ""
    voice: Voice | None = None
    tts_key_env: str = ""
    max_session_length: int = 3600
    """Seconds."""
    max_idle_time: int = 300
    """Seconds."""
    transcript: bool = True
    origins: tuple[str, ...] = ()
