"""What an administrator sees of the knowledge: collections, their versions, and jobs that ingest them."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

from gateway.errors import Fault
from gateway.types.passage import Retrieved

COLLECTION = r"[A-Za-z0-9][A-Za-z0-9._-]{1,62}[A-Za-z0-9]"
"""Names of collections. Chroma's rule, less the room that a version's own name takes."""
Soundness: TypeAlias = Literal["sound", "damaged", "untried"]
"""`untried`: nobody has opened the version as it lies there now."""
JobState: TypeAlias = Literal["waiting", "running", "done", "failed"]


@dataclass(frozen=True, slots=True)
class SealedVersion:
    """A version of a collection that is kept."""

    name: str
    """The time at which it was begun (UTC)."""
    files: int
    passages: int
    soundness: Soundness
    problem: str
    """Why it cannot be served; empty where nothing is known against it."""
    current: bool
    """The one that should be served."""
    served: bool
    """The one that this process serves."""


@dataclass(frozen=True, slots=True)
class Collection:
    """A folder of `knowledge/`, and what was made from it."""

    name: str
    files: int
    """In the folder, of those that are read; 0 where there is no folder."""
    changed: bool
    """The files are not those that the current version was made from: an ingest would make a new one."""
    passages: int
    """Of the version that is served; of the current one where none is."""
    current: str
    """The version that should be served; empty where nothing was ever ingested."""
    serving: str
    """The version that this process serves; empty where no agent uses the collection, or none can be opened."""
    soundness: Soundness
    """Of the current version; `untried` where there is none."""
    problem: str
    """Why what is served is not the current version; empty where it is, or where no agent uses the collection."""
    agents: tuple[str, ...]
    """That search it."""


@dataclass(frozen=True, slots=True)
class Ingesting:
    """How far a job is with one collection."""

    collection: str
    done: int = 0
    """Vectors that are there, of `total`."""
    total: int = 0
    version: str = ""
    """The version that its files are in now; empty until it is done."""
    built: bool = False
    """Whether that version is a new one: False where there was one of exactly these files."""
    files: int = 0
    passages: int = 0


@dataclass(frozen=True, slots=True)
class IngestJob:
    """An ingest that was asked for, as it is now."""

    id: str
    state: JobState
    began: float
    """Seconds since the epoch, when it was asked for."""
    ended: float | None
    collections: tuple[Ingesting, ...]
    notes: tuple[str, ...]
    """What a person should know and is no fault."""
    faults: tuple[Fault, ...]
    code: str
    """Of the error that it failed with, such as `insufficient_storage`; empty where it did not fail."""
    attempts: int = 1
    """Processes that have had it, one after another: one that ends before the job does leaves it to the next."""
    killed: int = 0
    """Those of them that were killed, or died, while it ran; after the third it has failed."""

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return self.state in ("done", "failed")


class Looked(NamedTuple):
    """What a search of one collection brought."""

    version: str
    """That was searched."""
    retrieved: Retrieved
    milliseconds: float
    """Of the search; opening a version that is not served is not in them."""


class Moved(NamedTuple):
    """A job that has another process now."""

    job: IngestJob
    here: bool
    """Whether this one has it: to be begun anew. Else another one has taken it from this one: to be let go."""


class Elsewhere(NamedTuple):
    """The other processes that ingest: what one tells them, and what it hears of them."""

    begin: Callable[[IngestJob], Awaitable[None]]
    """Have this job's collections to oneself. Raises Conflict where another process ingests one of them."""
    tell: Callable[[IngestJob], None]
    """A job of this process, as it is now. Never waits, never raises."""
    hand_on: Callable[[IngestJob], bool]
    """This process ends before its job does: whichever can may have it; whether anybody is told. Never raises."""
    moved: Callable[[], AsyncGenerator[Moved, None]]
    """Jobs that come here, or go, for as long as it is listened to. Never raises."""
    serve: Callable[[], None]
    """There is another version to serve. Never waits, never raises."""
    listed: Callable[[], Awaitable[Sequence[IngestJob]]]
    """Jobs of all processes, as far as they are known, newest first. Never raises."""
    watched: Callable[[str], AsyncGenerator[IngestJob, None]]
    """A job as it is now, whenever it has changed, and once in a while, until it has ended or nobody knows more.

    Raises NotFound, StoreUnavailable, before anything is told."""
