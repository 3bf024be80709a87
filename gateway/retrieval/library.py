"""Where versions of knowledge are kept: on this machine's disk, or on a Chroma server that many gateways share.

`library` picks, and is the only place that does. What a version holds takes libraries that are slow to import, so this
knows names, pointers and descriptions only; `opening` knows the rest.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from gateway.retrieval import trial, versions
from gateway.retrieval.remote import Remote
from gateway.retrieval.server import Server
from gateway.retrieval.versions import Version


class Shelf(Protocol):
    """A collection's versions. Everything raises KnowledgeError, and OSError where it is the disk."""

    @property
    def collection(self) -> str:
        """Its name."""

    @property
    def path(self) -> Path:
        """What it has on this machine's disk."""

    @property
    def where(self) -> str:
        """What is said to people of where it is."""

    def sealed(self) -> list[str]:
        """Names of the sealed versions, newest first."""

    def current(self) -> str:
        """The name in the pointer; empty where nothing was ever ingested."""

    def version(self, name: str) -> Version:
        """What a sealed version says of itself."""

    def candidates(self) -> list[str]:
        """Versions to serve, best first: the current one, then those before it."""

    def point(self, name: str) -> None:
        """Serve this sealed version from now on."""

    def written(self) -> AbstractContextManager[None]:
        """Be the one who writes. Raises KnowledgeError where somebody else does."""

    def begin(self, now: datetime | None = None) -> Path:
        """An empty directory on this machine for a version that is being built."""

    def describe(self, building: Path, version: Version) -> None:
        """Say what it is going to be."""

    def seal(self, building: Path) -> Path:
        """From here on it is a version."""

    def discard(self, building: Path) -> None:
        """Delete what is half made."""

    def sweep(self) -> list[str]:
        """Delete what crashes left and versions beyond those kept, with the shelf `written`."""

    def fault(self, name: str, timeout: float = trial.TIMEOUT) -> str:
        """What is wrong with a sealed version; empty where nothing is."""

    def stamped(self, name: str) -> bool:
        """Whether it was tried as it is now. Looks only."""


class Library(Protocol):
    """All collections."""

    @property
    def away(self) -> str:
        """Why no vectors can be searched at the moment; empty where they can be."""

    @property
    def shared(self) -> bool:
        """Whether others move pointers, so that no file on this machine tells of it."""

    def names(self) -> list[str]:
        """Collections that have versions."""

    def shelf(self, collection: str) -> Shelf:
        """A collection's versions, whether there are any or not."""

    def pointers(self, collections: Sequence[str]) -> Mapping[str, str]:
        """The current version of each of these collections that has one."""

    def close(self) -> None:
        """Let go of what is open."""


@dataclass(frozen=True, slots=True)
class Disk:
    """Everything under `var`."""

    var: Path
    away: str = ""
    shared: bool = False

    def names(self) -> list[str]:
        """Folders of versions."""
        root = self.var / "knowledge"
        return sorted(path.name for path in root.iterdir() if path.is_dir()) if root.is_dir() else []

    def shelf(self, collection: str) -> Shelf:
        """A collection's directory."""
        return versions.shelf(self.var, collection)

    def pointers(self, collections: Sequence[str]) -> Mapping[str, str]:
        """What the files say."""
        return {name: current for name in collections if (current := self.shelf(name).current())}

    def close(self) -> None:
        """Nothing is open."""


def library(var: Path, chroma_url: str = "") -> Library:
    """The library of a deployment: on the server where there is one."""
    return Remote(Server(chroma_url), var) if chroma_url else Disk(var)


@contextmanager
def opened(var: Path, chroma_url: str = "") -> Iterator[Library]:
    """The same, closed at the end."""
    found = library(var, chroma_url)
    try:
        yield found
    finally:
        found.close()
