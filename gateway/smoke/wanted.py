"""What a run is asked for."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from gateway.smoke.script import Question
from gateway.types.smoke import SmokeMode

Start: TypeAlias = Literal["session", "agent", "link"]
"""With all of its fields; by the agent at Simli; by an address that a page would ask."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """All of it. Durations are seconds."""

    mode: SmokeMode
    agent: str
    questions: tuple[Question, ...]
    folder: Path
    """Where the report goes; it is there."""
    start: Start = "session"
    origin: str = ""
    """Of the page that starts a session by a link."""
    wait: float = 10.0
    """From a question to its answer: who hears nothing for so long thinks that it is broken."""
    within: float = 180.0
    """For all of it."""
    config: Path | None = None
    """The settings file, for a gateway that is started."""
