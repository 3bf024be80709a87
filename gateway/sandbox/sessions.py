"""Sessions as Simli counts them: what runs, what ran, what is billed."""

import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, TypeAlias

Kind: TypeAlias = Literal["e2e", "agent", "compose"]
KEPT = 500
"""Ended sessions that are remembered."""


@dataclass(slots=True)
class Line:
    """One thing that was said."""

    role: Literal["user", "assistant"]
    text: str
    at: float
    """When it began, in seconds since the epoch."""
    interrupted: bool = False
    """Whether more of it was meant to be said."""


@dataclass(slots=True)
class Session:
    """One session; from its start on it is billed, until it has ended."""

    kind: Kind
    face_id: str
    max_session_length: float = 3600
    max_idle_time: float = 300
    agent_id: str = ""
    transcribed: bool = False
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    room: str = field(default_factory=lambda: uuid.uuid4().hex)
    """The name of its room: whoever has it may enter."""
    started: float = field(default_factory=time.time)
    """Seconds since the epoch."""
    ended: float | None = None
    reason: str = ""
    """Why it ended: `left`, `IDLE`, `MAX`, `closed`."""
    said: list[Line] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """How long it is, or was."""
        return (self.ended or time.time()) - self.started


class Sessions:
    """All that were started since the sandbox was."""

    def __init__(self) -> None:
        self.by_id: dict[str, Session] = {}
        self.billed = 0
        """How many were ever started."""

    def begin(self, session: Session) -> Session:
        """It runs, and is billed from now on."""
        self.billed += 1
        self.by_id[session.id] = session
        over = [one.id for one in self.by_id.values() if one.ended is not None]
        for id_ in over[: max(0, len(over) - KEPT)]:
            del self.by_id[id_]
        return session

    def end(self, session: Session, reason: str) -> None:
        """It is over. Said again, nothing changes."""
        if session.ended is None:
            session.ended, session.reason = time.time(), reason

    @contextmanager
    def running(self, session: Session) -> Iterator[Session]:
        """A session that runs as long as this is open."""
        self.begin(session)
        try:
            yield session
        finally:
            self.end(session, "closed")

    @property
    def usage(self) -> int:
        """How many run now."""
        return sum(one.ended is None for one in self.by_id.values())

    def history(self, begin: float | None, end: float | None) -> list[dict[str, Any]]:
        """Those that were started between two times, as Simli lists them, newest first."""
        chosen = [
            one
            for one in self.by_id.values()
            if (begin is None or one.started >= begin) and (end is None or one.started <= end)
        ]
        return [_past(one) for one in sorted(chosen, key=lambda one: one.started, reverse=True)]


def _past(session: Session) -> dict[str, Any]:
    return {
        "id": session.id,
        "face_id": session.face_id,
        "kind": "compose" if session.kind == "compose" else "auto",
        "endUserAggregator": "",
        "apiKeyName": "sandbox",
        "sessionTotalTime": round(session.seconds, 3),
        "startTime": stamp(session.started),
        "endTime": stamp(session.ended) if session.ended is not None else None,
    }


def stamp(at: float) -> str:
    """ISO 8601, UTC."""
    return datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")
