"""What the scripted upstream says, as data: a `Script` of steps, or one whole `Answer`.

    Script(["Hel", Pause(0.3), "lo"])            a role chunk, two chunks, a finish chunk, [DONE]
    Script(["Hel", Cut()])                       the connection closes in the middle of the answer
    Script([Role(), Hang()])                     a role chunk and then nothing, for ever
    Script([], before=[Hang()])                  not even a status line
    Script(["Hel", End()])                       a clean end of the body without finish and [DONE]
    Script(["Hi", Finish("length"), Usage()])    another reason; [DONE] is still added
    Script([b"data: {oops\n\n"])                 exactly these bytes
    Script(["Grüße"], newline="\r\n", bom=True, sliced=1)
    Answer(429, error("Slow down.", "rate_limit_exceeded"), headers={"retry-after": "20"})

What a well-behaved server adds is added: the role chunk before the first thing said, unless the steps hold
one; at the end the finish chunk, the usage where it was asked for, and [DONE], unless the steps hold them.
With a `Done`, `Cut`, `Reset`, `Hang` or `End` the end is as written. A script that says nothing (only bytes,
events, comments, pauses) gets nothing added.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

CREATED = 1_700_000_000
IDENTITY = "chatcmpl-scripted"


@dataclass(frozen=True, slots=True)
class Pause:
    """Say nothing for so many seconds. `Pause(0)` only separates two writes."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Cut:
    """Close the connection (FIN) without ending the body."""


@dataclass(frozen=True, slots=True)
class Reset:
    """Reset the connection (RST)."""


@dataclass(frozen=True, slots=True)
class Hang:
    """Say nothing more and keep the connection open until the peer closes it."""


@dataclass(frozen=True, slots=True)
class End:
    """End the body properly, here: nothing is added."""


@dataclass(frozen=True, slots=True)
class Role:
    """The chunk that real servers begin with: a role and no text."""


@dataclass(frozen=True, slots=True)
class Delta:
    """A chunk with this delta, whatever it is: `Delta({"content": None})`, `Delta(None)`."""

    delta: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Reasoning:
    """A chunk of a reasoning model's thought: no content."""

    text: str


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call, as several chunks: its id and name, then the arguments fragment by fragment."""

    id: str
    name: str
    arguments: Sequence[str] = ("{}",)
    index: int = 0


@dataclass(frozen=True, slots=True)
class Finish:
    """The chunk with the finish reason."""

    reason: str = "stop"


@dataclass(frozen=True, slots=True)
class Usage:
    """The chunk without choices that carries the token counts."""

    prompt: int = 7
    completion: int = 5


@dataclass(frozen=True, slots=True)
class Done:
    """`data: [DONE]`."""


@dataclass(frozen=True, slots=True)
class Event:
    """Any event: a text (each of its lines is a `data:` line) or a value that is written as JSON."""

    data: str | Mapping[str, Any]
    event: str = ""
    id: str = ""


@dataclass(frozen=True, slots=True)
class Comment:
    """An SSE comment with its blank line."""

    text: str = "ping"


Break: TypeAlias = Cut | Reset | Hang
Spoken: TypeAlias = str | Delta | Reasoning | ToolCall | Finish
Step: TypeAlias = Spoken | bytes | Pause | Break | End | Role | Usage | Done | Event | Comment


@dataclass(frozen=True, slots=True)
class Script:
    """A streamed answer. Asked without `"stream": true` it answers with the same as one JSON completion."""

    steps: Sequence[Step]
    before: Sequence[Pause | Break] = ()
    """What happens before the status line is written."""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    """Put in the place of the usual ones, or beside them."""
    model: str = ""
    """What the chunks name; empty: what was asked for."""
    obey: bool = True
    """Look at the request's `stream`. False: stream whatever was asked."""
    newline: str = "\n"
    space: bool = True
    """`data: x`; False: `data:x`."""
    bom: bool = False
    sliced: int | Sequence[int] = 0
    """Cut the bytes between two pauses into pieces of this size; or into pieces of these sizes, and the rest.
    Each piece is an HTTP chunk and a write of its own. 0: an event is an HTTP chunk."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "steps", tuple(self.steps))
        object.__setattr__(self, "before", tuple(self.before))


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer with a length: an error, a JSON completion, a page of HTML."""

    status: int = 200
    body: Mapping[str, Any] | bytes = b""
    """A mapping is written as JSON."""
    headers: Mapping[str, str] = field(default_factory=dict)
    before: Sequence[Pause | Break] = ()


Reply: TypeAlias = Script | Answer


def error(message: str, code: str | None = None, *, kind: str = "server_error") -> dict[str, Any]:
    """OpenAI's error envelope, for an `Answer` or an `Event`."""
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def completion(
    text: str, *, model: str = "scripted", finish: str = "stop", usage: Usage | None = None
) -> dict[str, Any]:
    """A whole `chat.completion` that says this text."""
    message = {"role": "assistant", "content": text, "refusal": None}
    return {
        "id": IDENTITY,
        "object": "chat.completion",
        "created": CREATED,
        "model": model,
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": finish}],
        "usage": tokens(usage or Usage()),
    }


def tokens(usage: Usage) -> dict[str, int]:
    """OpenAI's `usage` object."""
    return {
        "prompt_tokens": usage.prompt,
        "completion_tokens": usage.completion,
        "total_tokens": usage.prompt + usage.completion,
    }
