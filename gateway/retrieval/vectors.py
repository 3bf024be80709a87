"""Vectors that were made before, by the content they were made from: a re-ingest embeds only what changed.

One SQLite file a model. It is a cache: where it is damaged it is begun anew, and nothing is lost but time.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import numpy as np

from gateway.retrieval.embed import Vectors
from gateway.retrieval.versions import DIMENSION

BATCH = 500
"""Keys asked for at once; SQLite allows 999 parameters at least."""


def key(text: str) -> bytes:
    """Of the text that was embedded."""
    return sha256(text.encode("utf-8")).digest()


class Kept:
    """The vectors of one model."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    def find(self, keys: Sequence[bytes]) -> dict[bytes, Vectors]:
        """Those of the keys that are known."""
        found: dict[bytes, Vectors] = {}
        for start in range(0, len(keys), BATCH):
            some = keys[start : start + BATCH]
            marks = ",".join("?" * len(some))
            rows = self._database.execute(f"SELECT key, vector FROM vectors WHERE key IN ({marks})", some)  # noqa: S608 (question marks only)
            found.update((known, np.frombuffer(vector, dtype="<f4")) for known, vector in rows)
        return {known: vector for known, vector in found.items() if vector.shape == (DIMENSION,)}

    def keep(self, vectors: Mapping[bytes, Vectors]) -> None:
        """Kept at once, so that an ingest that was killed goes on where it was."""
        rows: Iterable[tuple[bytes, bytes]] = (
            (known, vector.astype("<f4").tobytes()) for known, vector in vectors.items()
        )
        with self._database:
            self._database.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?)", rows)


@contextmanager
def opened(path: Path) -> Iterator[Kept]:
    """The file at `path`, made where it is missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        database = _connected(path)
    except sqlite3.DatabaseError:
        for name in (path, path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm")):
            name.unlink(missing_ok=True)
        database = _connected(path)
    try:
        yield Kept(database)
    finally:
        database.close()


def _connected(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path, timeout=30.0)
    try:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = NORMAL")
        database.execute(
            "CREATE TABLE IF NOT EXISTS vectors (key BLOB PRIMARY KEY, vector BLOB NOT NULL) WITHOUT ROWID"
        )
        database.execute("SELECT count(*) FROM vectors").fetchone()
    except sqlite3.DatabaseError:
        database.close()
        raise
    return database
