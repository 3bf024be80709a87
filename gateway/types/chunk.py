"""What goes through the stages."""

from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

FinishReason: TypeAlias = Literal["stop", "length", "tool_calls", "content_filter"]
Message: TypeAlias = Mapping[str, Any]
"""One OpenAI chat message: `role`, `content` and what belongs to the role."""


@dataclass(slots=True)
class Chunk:
    """One `chat.completion.chunk` of choice 0 on its way to the caller: what the delta said, nothing else.

    A stage may change a chunk or put others before and after it, but it does not swallow one: it empties it.
    `more` belongs to the read it came in, and whoever writes relies on it.
    """

    text: str = ""
    """`delta.content`."""
    delta: Mapping[str, Any] | None = None
    """What else the delta holds (`tool_calls`, `refusal`, `reasoning_content`), as it goes out."""
    finish_reason: FinishReason | None = None
    usage: Mapping[str, Any] | None = None
    logprobs: Mapping[str, Any] | None = None
    extension: Mapping[str, Any] | None = None
    """What goes out under `x_gateway`."""
    more: bool = False
    """Another chunk of the same read follows at once: the two may be written together."""


Chunks: TypeAlias = AsyncGenerator[Chunk, None]
Stage: TypeAlias = Callable[[Chunks], Chunks]
"""From a stream of chunks to a stream of chunks. A stage closes its source (`contextlib.aclosing`)."""
