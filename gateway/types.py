"""The words every layer speaks. This module imports nothing of the package.

chunk, stage, agent, route, passage, turn, session: the glossary is in CONTRIBUTING.md. Wire shapes are OpenAI's:
https://platform.openai.com/docs/api-reference/chat
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, TypeAlias

OnFailure: TypeAlias = Literal["speak", "error"]
CallerSystem: TypeAlias = Literal["append", "replace", "drop"]
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


class Sentence(NamedTuple):
    """A sentence of a passage, as it can be spoken."""

    text: str
    similarity: float | None
    """Cosine of the sentence, below its passage's title, and the query; None where only the lexical list served."""


@dataclass(frozen=True, slots=True)
class Passage:
    """A retrieved piece of knowledge."""

    id: str
    """`{collection}/{source}#{number}`; stable as long as the source's text is."""
    collection: str
    source: str
    """Path of the file, relative to the collection's folder."""
    title: str
    """The headings above the text, outermost first, joined by ` > `."""
    text: str
    score: float = 0.0
    """Reciprocal rank fusion of the lists it was found in; orders passages of one search only."""
    similarity: float | None = None
    """Cosine of passage and query, or None where only the lexical list served."""
    sentences: tuple[Sentence, ...] = ()
    """Of `text`, in order, where a search found the passage."""


RetrievalOutcome: TypeAlias = Literal["hybrid", "lexical", "none", "skipped"]
"""Which lists served: both; the lexical one alone; none of them; nothing was looked up at all."""


@dataclass(frozen=True, slots=True)
class Retrieved:
    """What a search brought, best first, and how."""

    passages: tuple[Passage, ...] = ()
    outcome: RetrievalOutcome = "skipped"
    reason: str = ""
    """Why it is less than `hybrid`: `budget`, `queue`, `unavailable`; empty otherwise."""


@dataclass(frozen=True, slots=True)
class Query:
    """What to look up."""

    question: str
    """The last user turn."""
    context: str = ""
    """The user turn before it, without which a follow-up question cannot be understood; may be empty."""


@dataclass(frozen=True, slots=True)
class Retrieval:
    """An agent's `retrieval`: how it searches."""

    top_k: int = 4
    """Passages at most."""
    floor: float = 0.0
    """Least cosine of a passage and the query; what is below it is left out."""
    budget_ms: int = 150
    """Milliseconds until the lexical list alone has to do."""


@dataclass(frozen=True, slots=True)
class Voice:
    """An agent's `voice`, in Simli's words."""

    provider: str
    id: str
    model: str = ""


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
    first_message: str = ""
    apology: str = ""
    """Spoken where the answer failed."""
    unknown: str = ""
    """Spoken where the knowledge has no answer."""
    fillers: tuple[str, ...] = ()
    face_id: str = ""
    voice: Voice | None = None
    tts_key_env: str = ""
    max_session_length: int = 3600
    """Seconds."""
    max_idle_time: int = 300
    """Seconds."""
    transcript: bool = True
    origins: tuple[str, ...] = ()


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


class Opened(NamedTuple):
    """A completion whose first useful chunk is there."""

    target: str
    """`name/model` of the target that speaks."""
    chunks: Chunks
    aclose: Callable[[], Awaitable[None]]
    """Close the upstream. Closing `chunks` does it too once they were begun; a generator that never ran cannot."""


Ask: TypeAlias = Callable[[Prompt], Chunks]
"""One target: from a prompt to its chunks. Raises UpstreamError while it is iterated."""
Complete: TypeAlias = Callable[[str, Prompt], Awaitable[Opened]]
"""From a route's name and a prompt to the first target that speaks. Raises UpstreamError."""
Retrieve: TypeAlias = Callable[[Sequence[str], Query, Retrieval], Awaitable[Retrieved]]
"""Search these collections. Never raises: what failed is said in `Retrieved.outcome` and `.reason`."""

Outcome: TypeAlias = Literal["ok", "client_gone", "refused", "upstream_error", "incomplete_spoken", "gateway_error"]


@dataclass(slots=True)
class Turn:
    """One question and its answer: the record that the log line is made from."""

    id: str
    """The request's id, `x-request-id`."""
    started: float
    """Seconds since the epoch."""
    began: float
    """The same moment on the monotonic clock."""
    agent: str = ""
    route: str = ""
    model: str = ""
    """What was asked for."""
    target: str = ""
    """`route/model` that answered."""
    stream: bool = True
    status: int = 200
    outcome: Outcome = "ok"
    code: str = ""
    """The error's code, where there was one."""
    phase: str = "request"
    """How far it got: request, retrieve, open, stream, done."""
    timings: dict[str, float] = field(default_factory=dict)
    """Milliseconds: of the steps parse, retrieve and upstream (until its first useful chunk); from the turn's beginning
    until the first text went out (ttft) and until its end (total)."""
    retrieved: Retrieved = Retrieved()
    finish_reason: str = ""
    chunks: int = 0
    characters: int = 0
