"""The record of one question and its answer."""

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from gateway.types.asking import Attempted
from gateway.types.passage import Retrieved

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
    """Milliseconds: of the steps parse, retrieve and upstream (until its first useful chunk); from the turn's beginning
    until the first text went out (ttft) and until its end (total)."""
    retrieved: Retrieved = Retrieved()
    finish_reason: str = ""
    chunks: int = 0
    characters: int = 0
