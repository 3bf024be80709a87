"""What a version holds, read and written: the one place that knows what differs between a disk and a server."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from gateway.errors import KnowledgeError
from gateway.retrieval import contents, dense, ingest, rows, trial, versions
from gateway.retrieval.contents import Contents, Matrices
from gateway.retrieval.library import Shelf
from gateway.retrieval.remote import RemoteShelf
from gateway.retrieval.versions import Version
from gateway.types import Passage

log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class Serving:
    """A version that is served, and how many searches are in it."""

    contents: Contents
    lock: TextIO
    problem: str = ""
    """Why it is not the current version; empty where it is."""
    searches: int = 0
    retired: bool = False
    doubted: bool = False
    """A search in it has failed on a server that answers: it is to be tried again before it is served on."""

    def leave(self) -> None:
        """Close it where it was retired and nobody is in it."""
        if self.retired and not self.searches:
            self.contents.close()
            self.lock.close()


def opened_version(shelf: Shelf) -> Serving:
    """A collection's current version; where it is damaged, the one before it, and the log says so."""
    problems: list[str] = []
    for name in shelf.candidates():
        try:
            found = _opened(shelf, name)
        except KnowledgeError as error:
            problems.append(f"{name}: {error.message}")
            continue
        found.problem = "; ".join(problems)
        if problems:
            log.warning("collection %s: an older version, %s, is served: %s", shelf.collection, name, found.problem)
        return found
    raise KnowledgeError("; ".join(problems) or "there is no version of it: run `gateway ingest`")


def _opened(shelf: Shelf, name: str) -> Serving:
    path = located(shelf, name)
    try:
        lock = versions.held(path)
    except OSError as error:
        raise KnowledgeError(str(error)) from error
    try:
        version = shelf.version(name)
        problem = versions.unfit(version) or shelf.fault(name)
        if not problem:
            return Serving(loaded(shelf, path, version), lock)
    except KnowledgeError as error:
        problem = error.message
    lock.close()
    raise KnowledgeError(problem)


def located(shelf: Shelf, name: str) -> Path:
    """A sealed version's directory on this machine; what a server has of it is read first. Raises KnowledgeError."""
    if not isinstance(shelf, RemoteShelf):
        return shelf.path / name
    try:
        found = rows.fetched(shelf, name)
        shelf.keep(name)
    except OSError as error:
        raise KnowledgeError(ingest.refused(error).message) from error
    return found


def loaded(shelf: Shelf, path: Path, version: Version) -> Contents:
    """The version in a directory that was `located`, opened for reading. Raises KnowledgeError."""
    return contents.load(path, version, rows.Asked(shelf, version.name) if isinstance(shelf, RemoteShelf) else None)


def filled(shelf: Shelf, building: Path, version: Version, passages: Sequence[Passage], made: Matrices) -> None:
    """Write a version that is being built, and bring it where it is searched."""
    shelf.describe(building, version)
    contents.write(building, version, passages, made)
    if isinstance(shelf, RemoteShelf):
        rows.brought(shelf, building, version, passages, made)
    else:
        (building / contents.CHROMA).mkdir()
        dense.write(building / contents.CHROMA, version, [passages[place] for place in made.owners], made.vectors)


def fault(shelf: Shelf, building: Path, made: Matrices, tried: trial.Try) -> str:
    """What is wrong with a version that was `filled`; empty where every passage is found by its own vector.

    On a disk a child process looks (`tried`), since a damaged graph kills whoever opens it.
    """
    if not isinstance(shelf, RemoteShelf):
        return tried(building)
    lost = dense.unreachable(rows.asked_at_leisure(shelf, building), made.vectors)
    return f"{len(lost)} of {len(made.owners)} vectors are not found by themselves" if lost else ""
