"""Who may call, and how much."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

Scope: TypeAlias = Literal["chat", "admin", "metrics"]
"""What a key opens: answers; /admin and /metrics; /metrics alone."""


@dataclass(frozen=True, slots=True)
class Rate:
    """How much may be asked; of a key or of an agent. 0: as much as one likes."""

    requests: int = 0
    """A minute."""
    streams: int = 0
    """At once."""


@dataclass(frozen=True, slots=True)
class Key:
    """What is known of an API key. The key itself is known to its holder only."""

    id: str
    digest: str
    """SHA-256 of the whole key, hexadecimal."""
    scope: Scope
    name: str = ""
    """What its maker calls it."""
    agent: str = ""
    """The only agent that it may ask; empty: every agent and every route."""
    rate: Rate = Rate()
    created: float = 0.0
    """Seconds since the epoch, like the next two."""
    expires: float | None = None
    revoked: float | None = None
    session: str = ""
    """The session that it was made for; empty: it is a person's or a program's."""


Recognise: TypeAlias = Callable[[str], Key | None]
"""The key that somebody presents, revoked and expired ones too; None for an unknown one. Local: nothing is awaited."""


class Quota(NamedTuple):
    """A rate, and whose it is."""

    owner: str
    """`key:{id}` or `agent:{name}`."""
    rate: Rate


class Admission(NamedTuple):
    """Whether a turn may begin, and what the caller is told of its limits."""

    allowed: bool
    limit: int
    """Requests a minute of the tightest quota; 0 where there is none."""
    remaining: int
    reset: float
    """Seconds until the whole limit is there again."""
    retry_after: float
    """Seconds; 0 where it is allowed."""
    refused: str
    """The owner whose rate is spent, or empty."""
    release: Callable[[], None]
    """The turn is over: gives its place among the streams back. To be called once where it is allowed; never waits."""


Admit: TypeAlias = Callable[[Sequence[Quota]], Awaitable[Admission]]
"""Ask for a place under these quotas, all or none. Never raises; without a store each process counts for itself."""
