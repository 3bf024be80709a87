"""What an upstream is asked, and how it answers."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, TypeAlias

from gateway.types.agent import Agent
from gateway.types.chunk import Chunks, Message
from gateway.types.passage import Passage

AttemptKind: TypeAlias = Literal["first", "retry", "fallback", "hedge", "continue"]
Strategy: TypeAlias = Literal["fallback", "weighted", "fastest"]


@dataclass(frozen=True, slots=True)
class Prompt:
    """What an upstream is asked. An embedded upstream is handed the passages beside the messages."""

    messages: Sequence[Message]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """Sampling parameters and tools, from an allow-list; never `model`, `messages`, `stream`."""
    model: str = ""
    """A model's name at the target; empty: the target's own."""
    agent: Agent | None = None
    """Whose persona it is; None where a route was asked itself."""
    question: str = ""
    """The last user turn, as text."""
    context: str = ""
    """The user turn before it."""
    passages: tuple[Passage, ...] = ()
    told: Mapping[str, str] = field(default_factory=dict)
    """Headers that a server is told the turn by, whoever is asked and however often (`Turn.told`)."""


class Opened(NamedTuple):
    """A completion whose first useful chunk is there."""

    target: str
    """`name/model` of the target that speaks."""
    chunks: Chunks
    aclose: Callable[[], Awaitable[None]]
    """Close the upstream. Closing `chunks` does it too once they were begun; a generator that never ran cannot."""


Ask: TypeAlias = Callable[[Prompt], Chunks]
"""One target: from a prompt to its chunks. Raises UpstreamError while it is iterated."""


class Attempted(NamedTuple):
    """One request to one target, as the turn's record has it."""

    target: str
    """`route/model`."""
    code: str
    """The error's code; empty where it spoke, `cancelled` where it was hung up on: another one was
    quicker, or the caller went."""
    milliseconds: float
    """Until its first useful chunk, or until it failed."""
    kind: AttemptKind = "first"
    """Why it was asked."""
    began: float = 0.0
    """When, in seconds of the clock of turns."""


Note: TypeAlias = Callable[[Attempted], None]
"""Told of each attempt when its outcome is known."""
Complete: TypeAlias = Callable[[str, Prompt, Note], Awaitable[Opened]]
"""From a route's name and a prompt to the first target that speaks. Raises UpstreamError."""
