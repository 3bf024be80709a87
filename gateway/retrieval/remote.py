"""Versions of collections on a Chroma server, for gateways that share no disk.

    gateway-pointers                  a row a collection: the version that is served, and who writes (claim.py)
    {collection}-{version}            sealed: a row a vector, its description in the metadata
    {collection}-{version}.building   being made, or what a crash left

What is searched is searched there. What only a passage's own text and sentences are needed for is kept here as well,
once it was read, in the form of a version on the disk (`var/chroma/{server}/{collection}`): its workers share it, a
start reads nothing again, and one while the server is away still answers by words.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from gateway.errors import ChromaUnavailable, KnowledgeError
from gateway.retrieval import trial, versions
from gateway.retrieval.claim import claimed
from gateway.retrieval.server import CALL, Held, Metadata, NotThere, Row, Server
from gateway.retrieval.versions import BUILDING, KEPT, Version

TABLE = "gateway-pointers"
FOREVER = 1_000_000
"""Rows until the table's graph, which nobody searches, would be written: no kill can damage what is not there."""
SAMPLE = 20
"""Vectors that are looked up where a version is opened. All of them were when it was made."""
NEAR = 10
SAME = 0.9999
"""Cosine of a vector and its twin: texts that occur many times are found in any order."""
SEALED = re.compile(r"(?P<collection>.+)-(?P<version>\d{8}T\d{12})(?P<building>\.building)?")


@dataclass(frozen=True, slots=True)
class RemoteShelf:
    """A collection's versions on a server: a `library.Shelf`."""

    server: Server
    mirror: versions.Shelf
    """What of them is on this machine's disk."""

    @property
    def collection(self) -> str:
        """Its name."""
        return self.mirror.collection

    @property
    def path(self) -> Path:
        """What it has on this machine's disk."""
        return self.mirror.path

    @property
    def where(self) -> str:
        """What is said to people of where it is."""
        return f"{self.collection} at CHROMA_URL"

    def name_of(self, version: str) -> str:
        """The server's collection that a version is."""
        return f"{self.collection}-{version}"

    def sealed(self) -> list[str]:
        """Names of the sealed versions, newest first."""
        return sorted((name for name, building in self._there() if not building), reverse=True)

    def _there(self) -> Iterator[tuple[str, str]]:
        for held in self.server.collections():
            found = SEALED.fullmatch(held.name)
            if found and found["collection"] == self.collection:
                yield found["version"], found["building"] or ""

    def current(self) -> str:
        """The name in the pointer; empty where nothing was ever ingested."""
        return _pointers(self.server, [self.collection]).get(self.collection, "")

    def version(self, name: str) -> Version:
        """What a sealed version says of itself."""
        with suppress(KnowledgeError):
            return self.mirror.version(name)
        return described(self.held(name))

    def held(self, name: str) -> Held:
        """The server's collection that a version is, or that is being built."""
        held = self.server.collection(self.name_of(name))
        if held is None:
            raise KnowledgeError(f"the Chroma server at {self.server.name} has no collection {self.name_of(name)}")
        return held

    def candidates(self) -> list[str]:
        """Versions to serve, best first. Where the server is away: those that were read from it before."""
        if not self.server.away:  # who opens many waits for it once
            with suppress(ChromaUnavailable):
                return versions.candidates(self.current(), self.sealed())
        kept = self.mirror.candidates()
        if not kept:
            raise ChromaUnavailable(self.server.away)
        return kept

    def point(self, name: str) -> None:
        """Serve this sealed version from now on, everywhere."""
        versions.known(self.collection, name, self.sealed())
        self.server.add(_table(self.server), [Row(self.collection, metadata={"version": name})], over=True)
        self.keep(name)

    def keep(self, name: str) -> None:
        """Remember that this version is served, for a start while the server is away; delete what is kept no more."""
        if name in self.mirror.sealed():
            self.mirror.point(name)
            with suppress(KnowledgeError), self.mirror.written():  # an ingest on this machine sweeps by itself
                self.mirror.sweep()

    @contextmanager
    def written(self) -> Iterator[None]:
        """Be the one who writes, of all machines."""
        with (
            self.mirror.written(),
            claimed(self.server, _table(self.server), f"{self.collection}/claim", self.collection),
        ):
            yield

    def begin(self, now: datetime | None = None) -> Path:
        """An empty directory on this machine. Its name is the server's time: versions of all machines sort by age."""
        return self.mirror.begin(now or datetime.fromtimestamp(self.server.clock(), UTC))

    def describe(self, building: Path, version: Version) -> None:
        """Say what it is going to be."""
        self.mirror.describe(building, version)

    def created(self, version: Version, rows: int, hnsw: Mapping[str, str | int]) -> Held:
        """The server's collection for a version that is being built, empty; it will have so many rows."""
        metadata: Metadata = {
            "model": version.model,
            "dimension": version.dimension,
            "version": json.dumps(asdict(version), ensure_ascii=False),
            "rows": rows,
        }
        return self.server.create(self.name_of(version.name) + BUILDING, metadata, hnsw)

    def seal(self, building: Path) -> Path:
        """Give it its name on the server, then here."""
        held = self.held(building.name)
        self.server.rename(held.id, held.name.removesuffix(BUILDING))
        return self.mirror.seal(building)

    def discard(self, building: Path) -> None:
        """Delete what is half made, here and, where it answers, on the server."""
        self.mirror.discard(building)
        with suppress(KnowledgeError):
            self.server.remove(self.name_of(building.name))

    def sweep(self) -> list[str]:
        """Delete what crashes left and versions beyond those kept."""
        current = self.current()
        found = list(self._there())
        kept = sorted((name for name, building in found if not building and name <= current), reverse=True)[:KEPT]
        gone = [name + building for name, building in found if building or name not in {current, *kept}]
        for name in gone:
            self.server.remove(self.name_of(name))
        self.mirror.sweep()
        return [name for name in gone if not name.endswith(BUILDING)]

    def fault(self, name: str, timeout: float = trial.TIMEOUT) -> str:
        """What is wrong with a sealed version: rows that are missing, or are not found by their own vectors.

        Some are tried: whoever built it has tried all. A server that is away leaves a version untried.
        """
        if self.server.away:
            return ""
        try:
            held = self.held(name)
            there, wanted = self.server.count(held.id), held.metadata.get("rows", 0)
            if there != wanted:
                return f"{there} of its {wanted} vectors are on the server"
            ids = [str(number * there // SAMPLE) for number in range(min(SAMPLE, there))]
            rows = list(self.server.rows(held.id, ids, vectors=True).values())
            found = self.server.nearest(
                held.id, [row.vector for row in rows], min(NEAR, there), within=min(timeout, CALL)
            )
        except ChromaUnavailable:
            return ""
        except KnowledgeError as error:
            return error.message
        lost = [row for row, near in zip(rows, found, strict=True) if not _itself(row, near)]
        return f"{len(lost)} of {len(rows)} vectors that were tried are not found by themselves" if lost else ""

    def stamped(self, name: str) -> bool:
        """Sealed means tried."""
        return True


def _itself(row: Row, near: Sequence[tuple[int, float]]) -> bool:
    return any(str(number) == row.id or cosine > SAME for number, cosine in near)


def described(held: Held) -> Version:
    """What a version on the server says of itself."""
    try:
        return Version(**json.loads(str(held.metadata["version"])))
    except (KeyError, ValueError, TypeError) as error:
        raise KnowledgeError(f"{held.name}: its description cannot be read: {error}") from error


def _table(server: Server) -> str:
    return server.create(TABLE, None, {"sync_threshold": FOREVER}, anew=False).id


def _pointers(server: Server, collections: Sequence[str]) -> dict[str, str]:
    table = server.collection(TABLE)
    if table is None or not collections:
        return {}
    rows = server.rows(table.id, collections, vectors=False)
    return {name: str((row.metadata or {}).get("version", "")) for name, row in rows.items()}


@dataclass(frozen=True, slots=True)
class Remote:
    """Every collection of a server: a `library.Library`."""

    server: Server
    var: Path
    shared: bool = True

    @property
    def away(self) -> str:
        """Why the server could not be asked when it was asked last."""
        return self.server.away

    def names(self) -> list[str]:
        """Collections that have sealed versions."""
        found = (SEALED.fullmatch(held.name) for held in self.server.collections())
        return sorted({one["collection"] for one in found if one and not one["building"]})

    def shelf(self, collection: str) -> RemoteShelf:
        """A collection's versions."""
        place = re.sub(r"[^A-Za-z0-9.-]", "_", self.server.name)
        return RemoteShelf(self.server, versions.Shelf(self.var / "chroma" / place / collection))

    def pointers(self, collections: Sequence[str]) -> Mapping[str, str]:
        """The current version of each of these collections that has one."""
        try:
            return _pointers(self.server, collections)
        except (ChromaUnavailable, NotThere):
            raise
        except KnowledgeError as error:  # it is asked the least that a sound server can answer
            raise self.server.failing(error) from error

    def close(self) -> None:
        """Close the connections."""
        self.server.close()
