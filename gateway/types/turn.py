"""The record of one question and its answer: while it is made, and as it is kept."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from gateway.types.asking import Attempted, AttemptKind
from gateway.types.passage import RetrievalOutcome, Retrieved
from gateway.types.trace import Trace

Outcome: TypeAlias = Literal["ok", "client_gone", "refused", "upstream_error", "incomplete_spoken", "gateway_error"]

Upstream: TypeAlias = Literal["", "ended", "failed", "cancelled"]
"""What became of the answer's source: none was asked; it ended by itself; it failed; it was hung up on."""


@dataclass(slots=True)
class Words:
    """What was said in a turn, where the log tells it (`[log] content`). No record and no trace has it from here."""

    asked: str
    """The last words of the person."""
    sent: Sequence[tuple[str, str]] = ()
    """What was composed for the upstream: the role and the text of each message."""
    generated: list[str] = field(default_factory=list)
    """What the upstream said, in pieces, before it was made fit for the voice."""
    answered: list[str] = field(default_factory=list)
    """What went out, in pieces."""


@dataclass(slots=True)
class Turn:
    """One question and its answer: the record that the log line is made from."""

    id: str
    """The request's id, `x-request-id`."""
    started: float
    """Seconds since the epoch."""
    began: float
    """The same moment on the monotonic clock."""
    trace: Trace | None = None
    """None: it is part of none."""
    agent: str = ""
    route: str = ""
    model: str = ""
    """What was asked for."""
    target: str = ""
    """`route/model` that answered."""
    key: str = ""
    """Id of the caller's key; empty for an anonymous one or a capability."""
    session: str = ""
    """The session that its key was made for."""
    heard: str = ""
    """What was asked, where the words are kept; in no log."""
    recalled: str = ""
    """The answer before, as the caller has it: what was spoken of one that was interrupted. With `heard`, or empty."""
    said: list[str] | None = None
    """What was sent of the answer, in pieces, in no log either; None: the words are not kept."""
    words: Words | None = None
    """All that was said, for the log; None: it tells no words."""
    attempts: list[Attempted] = field(default_factory=list)
    filler: bool = False
    """A filler was said."""
    stream: bool = True
    status: int = 200
    outcome: Outcome = "ok"
    code: str = ""
    """The error's code, where there was one."""
    phase: str = "request"
    """How far it got: request, retrieve, open, stream, done."""
    timings: dict[str, float] = field(default_factory=dict)
    """Milliseconds: of the steps auth, parse, retrieve and upstream (until its first useful chunk); from the turn's
    beginning until the first text went out (ttft) and until its end (total); of a stream, until a clause was out that a
    voice can begin with (first_clause), and the longest between two texts (longest_gap). Where the caller hung up:
    until that was noticed (hangup), and from then on until the upstream was closed (close)."""
    starts: dict[str, float] = field(default_factory=dict)
    """When the steps began, in milliseconds from the turn's beginning."""
    hung_up: float = 0.0
    """When it was noticed that the caller has, on the clock of `began`; 0: it was not."""
    upstream: Upstream = ""
    retrieved: Retrieved = Retrieved()
    finish_reason: str = ""
    chunks: int = 0
    characters: int = 0
    usage: Mapping[str, Any] | None = None
    """Tokens as the upstream counted them, by OpenAI's names; None: it did not, or the answer did not end."""

    @property
    def told(self) -> dict[str, str]:
        """The headers that whoever is asked on the turn's behalf is told it by: its id, and its place in a trace."""
        return {"x-request-id": self.id} | (self.trace.headers if self.trace else {})

    def tokens(self, name: str) -> int | None:
        """`prompt_tokens` or `completion_tokens` as the upstream counted them; None where that is no count."""
        count = None if self.usage is None else self.usage.get(name)
        return count if type(count) is int and count >= 0 else None


@dataclass(frozen=True, slots=True)
class AttemptRecord:
    """One request to one target."""

    target: str
    """`route/model`."""
    code: str
    """The error's code; empty where it spoke, `cancelled` where it was hung up on: another one was
    quicker, or the caller went."""
    milliseconds: float
    """Until its first useful chunk, or until it failed."""
    kind: AttemptKind
    """Why it was asked."""
    began: float = 0.0
    """When, in milliseconds from the turn's beginning."""


@dataclass(frozen=True, slots=True)
class Source:
    """A passage that an answer was made from, without its text."""

    id: str
    title: str
    score: float
    """Reciprocal rank fusion; orders the passages of one search only."""
    similarity: float | None
    """Cosine; null where only the lexical list served."""


@dataclass(frozen=True, slots=True)
class TurnRecord:
    """A turn that is over: ids, times and sizes. What was said only where a transcript of its session is kept."""

    id: str
    """The request's id, `x-request-id`."""
    at: float
    """When it began, in seconds since the epoch."""
    agent: str
    """Empty: a route was asked, or an agent that does not exist."""
    model: str
    """What was asked for."""
    route: str
    target: str
    """`route/model` that answered."""
    attempts: tuple[AttemptRecord, ...]
    key: str
    """Id of the caller's key, never the key; empty for a caller without one of ours, or with a capability."""
    session: str
    """Empty: none, or nobody knows which."""
    stream: bool
    status: int
    outcome: Outcome
    code: str
    """The error's code, where there was one."""
    phase: str
    """How far it got: `request`, `retrieve`, `open`, `stream`, `done`."""
    upstream: Upstream
    """What became of the answer's source: empty, none was asked; `cancelled`, it was hung up on."""
    timings: dict[str, float]
    """Milliseconds, by the names of `Server-Timing`: `auth`, `parse`, `retrieve`, `upstream` (until its first useful
    chunk); from the beginning until the first word went out (`ttft`), until the end (`total`); of a stream, until a
    clause was out that a voice can begin with (`first_clause`), and the longest between two texts that went out
    (`longest_gap`); where the caller hung up, until that was noticed (`hangup`), and from then on until the upstream
    was closed (`close`)."""
    retrieval: RetrievalOutcome
    retrieval_reason: str
    """Why it is less than `hybrid`."""
    sources: tuple[Source, ...]
    """The passages that were found."""
    filler: bool
    """A filler was said."""
    apology: bool
    """The answer failed, and an apology was said."""
    finish_reason: str
    chunks: int
    characters: int
    question: str | None = None
    """What was asked; null: not kept."""
    answer: str | None = None
    """What was sent; null: not kept."""
    trace: str = ""
    """Id of the trace that it is part of."""
    prompt_tokens: int | None = None
    """As the upstream counted; null: it did not, or the answer did not come to its end."""
    completion_tokens: int | None = None
    starts: dict[str, float] = field(default_factory=dict)
    """When `auth`, `parse`, `retrieve` and `upstream` began, in milliseconds from the beginning."""


@dataclass(frozen=True, slots=True)
class WantedTurns:
    """Which records somebody asks for: those where all that is not empty holds."""

    session: str = ""
    agent: str = ""
    outcome: Outcome | Literal[""] = ""
    request: str = ""
    limit: int = 50

    def holds(self, one: TurnRecord) -> bool:
        """Whether it is asked for."""
        asked = (
            (self.session, one.session),
            (self.agent, one.agent),
            (self.outcome, one.outcome),
            (self.request, one.id),
        )
        return all(wanted in ("", found) for wanted, found in asked)
