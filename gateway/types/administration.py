"""What an administrator can do, as functions: the admin API calls them and knows nothing of what is behind them."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from gateway.errors import Fault
from gateway.types import knowledge
from gateway.types.access import Key, Rate, Scope
from gateway.types.agent import Agent
from gateway.types.orchestration import Desk
from gateway.types.passage import Query, Retrieval
from gateway.types.turn import TurnRecord, WantedTurns


@dataclass(frozen=True, slots=True)
class Reloaded:
    """What a reload did. Where there are faults nothing was changed."""

    changed: tuple[str, ...] = ()
    """What is served now and was not before, each as one line: `agent nora`, `route main`, `knowledge tower`."""
    later: tuple[str, ...] = ()
    """Settings that differ from those the process runs with and take effect at the next start: `server.port`."""
    faults: tuple[Fault, ...] = ()
    others: int | None = 0
    """Other processes that have read them too; None: nobody knows, for the store is away."""
    behind: int = 0
    """Other processes that have not: files are broken where they are, or they did not answer in time."""


@dataclass(frozen=True, slots=True)
class WantedKey:
    """A key that somebody asks for."""

    scope: Scope = "chat"
    agent: str = ""
    name: str = ""
    rate: Rate = Rate()
    expires: float | None = None
    """Seconds since the epoch."""


@dataclass(frozen=True, slots=True)
class AgentFiles:
    """The agent files as they are now, whether they are served or not."""

    agents: Mapping[str, Agent]
    """Those that could be read, by name."""
    faults: Sequence[Fault]
    paths: Mapping[str, str]
    """Every file, by the name of the agent that it is for."""


class Rotated(NamedTuple):
    """An agent's capability that was renewed."""

    generation: int
    path: str
    """`/k/…`, up to and with `/chat/completions`: where the agent answers from now on."""


class KeyCabinet(NamedTuple):
    """The API keys. The functions raise StoreUnavailable where the store is away."""

    create: Callable[[WantedKey], Awaitable[tuple[Key, str]]]
    """The key, and the secret text that nobody sees again."""
    listed: Callable[[], Awaitable[Sequence[tuple[Key, float | None]]]]
    """Each with when it was last used, in seconds since the epoch; None: never, or not known."""
    revoke: Callable[[str], Awaitable[Key | None]]
    """By id, at once on every worker; None where there is none."""


class TurnsKept(NamedTuple):
    """Records of turns that are over."""

    turns: Sequence[TurnRecord]
    """Newest first."""
    whole: bool
    """Of all processes; False: the store is away, and they are those of this process."""


class KnowledgeShelves(NamedTuple):
    """The knowledge. A collection that does not exist is a NotFound."""

    collections: Callable[[Mapping[str, Agent]], Awaitable[Sequence[knowledge.Collection]]]
    versions: Callable[[str], Awaitable[Sequence[knowledge.SealedVersion]]]
    """Newest first."""
    ingest: Callable[[Collection[str]], Awaitable[knowledge.IngestJob]]
    """Begin a job; none named: all. Raises Conflict where one of them is being ingested, NotWritable, DiskFull."""
    jobs: Callable[[], Awaitable[Sequence[knowledge.IngestJob]]]
    """Of all processes: those that run and the last that ended, newest first. Of this one while the store is away."""
    watched: Callable[[str], AsyncGenerator[knowledge.IngestJob, None]]
    """A job as it is now, whenever it has changed, and once in a while, until it has ended; where it is another
    process's, until the store goes, too. Raises StoreUnavailable where only the store could tell.

    Who stops watching stops nothing."""
    search: Callable[[str, Query, Retrieval], Awaitable[knowledge.Looked]]
    """A collection that cannot be opened is a Conflict."""
    rollback: Callable[[str, str], Awaitable[str]]
    """Serve this version, or the one before the current where none is named. Its name."""


class Administration(NamedTuple):
    """What is behind `/admin` but for the reload."""

    keys: KeyCabinet
    agent_files: Callable[[], Awaitable[AgentFiles]]
    rotate: Callable[[str], Awaitable[Rotated]]
    """Renew an agent's capability. Raises StoreUnavailable."""
    knowledge: KnowledgeShelves
    turns: Callable[[WantedTurns], Awaitable[TurnsKept]]
    told: Callable[[WantedTurns], AsyncGenerator[TurnRecord | None, None]]
    """The last turns, oldest first, then each as it ends; None at once and now and then. Ends where the store goes.

    Raises StoreUnavailable, Overloaded, before anything is told."""
    desk: Desk
    """What is between the gateway and Simli."""
