"""A version as rows of a Chroma collection, and back: what a gateway on another machine needs of it.

A row a window: its vector, its passage's text as the document, the passage's id, source, title and place in the
metadata. The vectors of a passage's sentences, which are compared and never searched, go with its first window, as
base64 of 16-bit floats: as rows of their own they would be most of the graph.
"""

import base64
import fcntl
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gateway.errors import KnowledgeError
from gateway.retrieval import contents, versions
from gateway.retrieval.contents import Matrices
from gateway.retrieval.embed import Vectors
from gateway.retrieval.remote import RemoteShelf, described
from gateway.retrieval.server import CALL, Held, Metadata, Row, Scalar, Server
from gateway.retrieval.versions import Version
from gateway.types import Passage

UP = 200
"""Rows that are sent at once: some four megabytes of JSON; a server takes 40."""
DOWN = 1000
FLOATS = "<f2"


class Asked:
    """A version's vectors, searched by the server that has them: a `dense.Nearest`."""

    def __init__(self, shelf: RemoteShelf, version: str, within: float | None = None) -> None:
        """`within`: seconds for a search; the server's own measure where it is not given."""
        self._shelf = shelf
        self._version = version
        self._within = within
        self._id = ""

    def search(self, vectors: Vectors, count: int) -> list[list[tuple[int, float]]]:
        """For each vector the nearest rows, nearest first, with their cosines."""
        server = self._shelf.server
        if not self._id:
            self._id = self._shelf.held(self._version).id
        if self._within is None:
            return server.nearest(self._id, vectors, count)
        return server.nearest(self._id, vectors, count, within=self._within)

    def close(self) -> None:
        """The connections are the server's."""


def brought(shelf: RemoteShelf, building: Path, version: Version, passages: Sequence[Passage], made: Matrices) -> None:
    """Bring a version to the server. It has its graph written once, with the last row, as on a disk (dense.py)."""
    rows = len(made.owners)
    held = shelf.created(version, rows, {"space": "cosine", "sync_threshold": max(2, rows)})
    for start in range(0, rows, UP):
        some = range(start, min(start + UP, rows))
        shelf.server.add(held.id, [_row(number, passages, made) for number in some])


def _row(number: int, passages: Sequence[Passage], made: Matrices) -> Row:
    place = int(made.owners[number])
    passage = passages[place]
    told: dict[str, Scalar] = {"id": passage.id, "source": passage.source, "title": passage.title, "place": place}
    if not number or made.owners[number - 1] != place:
        first, end = np.searchsorted(made.speakers, [place, place + 1])
        told["sentences"] = base64.b64encode(made.alone[first:end].astype(FLOATS).tobytes()).decode()
    vector = made.vectors[number]
    return Row(str(number), vector, passage.text, told)


def fetched(shelf: RemoteShelf, name: str) -> Path:
    """The directory on this machine with what there is of a version beside its graph; read from the server once."""
    target = shelf.mirror.path / name
    work = shelf.mirror.path.parent / ".fetching" / shelf.collection
    work.parent.mkdir(parents=True, exist_ok=True)
    with work.with_suffix(".lock").open("a", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # of a machine's workers one reads, and the others wait for it
        if not (target / versions.DESCRIPTION).is_file():
            shutil.rmtree(work, ignore_errors=True)
            work.mkdir()
            _fetch(shelf, name, work)
            target.parent.mkdir(parents=True, exist_ok=True)
            work.rename(target)
    return target


def _fetch(shelf: RemoteShelf, name: str, work: Path) -> None:
    held = shelf.held(name)
    version = described(held)
    if problem := versions.unfit(version):
        raise KnowledgeError(problem)
    try:
        _copied(shelf, held, version, work)
    except (LookupError, TypeError, ValueError) as error:
        raise KnowledgeError(f"{held.name} on the server is not what a gateway writes ({error})") from error


def _copied(shelf: RemoteShelf, held: Held, version: Version, work: Path) -> None:
    """Read every row of a version and write the directory of it. What is not as it was written raises anything."""
    count = int(held.metadata.get("rows", 0))
    owners, vectors = np.zeros(count, dtype=np.int64), np.zeros((count, version.dimension), dtype=np.float32)
    passages: list[Passage] = []
    alone: list[bytes] = []
    for number, row in enumerate(_all(shelf.server, held.id, count)):
        told = row.metadata or {}
        owners[number], vectors[number] = told["place"], row.vector
        if "sentences" in told:
            passages.append(_passage(shelf.collection, row.document, told))
            alone.append(base64.b64decode(str(told["sentences"]), validate=True))
    if not all(alone) or not np.array_equal(np.unique(owners), np.arange(len(alone))):
        raise ValueError("a passage without its vectors")
    width = version.dimension * np.dtype(FLOATS).itemsize
    speakers = np.repeat(np.arange(len(alone)), [len(one) // width for one in alone])
    halves = np.frombuffer(b"".join(alone), dtype=FLOATS).reshape(-1, version.dimension)
    contents.write(work, version, passages, Matrices(vectors, owners, halves.astype(np.float16), speakers))
    shelf.mirror.describe(work, version)


def _all(server: Server, id_: str, count: int) -> list[Row]:
    """Every row, in order. Raises KnowledgeError where one is not there."""
    found: list[Row] = []
    for start in range(0, count, DOWN):
        ids = [str(number) for number in range(start, min(start + DOWN, count))]
        there = server.rows(id_, ids, vectors=True)
        if len(there) < len(ids):
            raise KnowledgeError(f"{len(ids) - len(there)} of its vectors are not on the server any more")
        found.extend(there[one] for one in ids)
    return found


def _passage(collection: str, text: str, told: Metadata) -> Passage:
    return Passage(str(told["id"]), collection, str(told["source"]), str(told["title"]), text)


def asked_at_leisure(shelf: RemoteShelf, building: Path) -> Asked:
    """A version that is being built, for whoever tries it: a hundred searches at once may take long."""
    return Asked(shelf, building.name, CALL)
