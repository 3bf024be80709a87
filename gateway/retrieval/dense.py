"""The dense half of retrieval: one Chroma collection for each version, with our own vectors in it.

Chroma's embedded store is read by any number of processes as long as nobody writes, so a version is written
once, in a directory of its own. Its graph goes to disk once, with the last row: that is what `sync_threshold`
is set to. With a higher one, whoever opens the store builds the graph again from Chroma's log (2.8 s for
10,000 passages instead of 0.02 s) and rewrites the files that other processes have open; with a lower one, a
kill has more moments to hit.
"""

import os
import shutil
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

import chromadb
import numpy as np
from chromadb.api.client import Client
from chromadb.api.models.Collection import Collection
from chromadb.config import Settings
from chromadb.errors import ChromaError

from gateway.errors import KnowledgeError
from gateway.retrieval.embed import Vectors
from gateway.retrieval.versions import Version
from gateway.types import Passage

DATABASE = "chroma.sqlite3"
BATCH = 1000
"""Rows added at once; Chroma takes 5461 at most."""


def client(path: Path) -> Client:
    """The store in a directory."""
    store = chromadb.PersistentClient(path=str(path), settings=Settings(anonymized_telemetry=False))
    assert isinstance(store, Client)
    return store


def name_of(version: Version) -> str:
    """The version's collection in Chroma."""
    return f"{version.collection}-{version.name}"


class Nearest(Protocol):
    """A version's vectors, wherever they are searched."""

    def search(self, vectors: Vectors, count: int) -> list[list[tuple[int, float]]]:
        """For each vector the nearest rows, nearest first, with their cosines."""

    def close(self) -> None:
        """Let go of what is open."""


class Dense:
    """A version's vectors in a store of its own, opened for reading."""

    def __init__(self, collection: Collection, opened: ExitStack) -> None:
        self._collection = collection
        self._opened = opened

    def search(self, vectors: Vectors, count: int) -> list[list[tuple[int, float]]]:
        """For each vector the nearest rows, nearest first, with their cosines."""
        found = self._collection.query(query_embeddings=vectors, n_results=count, include=["distances"])
        distances = found["distances"] or []
        return [
            [(int(place), 1.0 - distance) for place, distance in zip(places, far, strict=True)]
            for places, far in zip(found["ids"], distances, strict=True)
        ]

    def close(self) -> None:
        """Let go of the store, and of what was made so that it could be opened."""
        self._opened.close()


def write(path: Path, version: Version, passages: Sequence[Passage], vectors: Vectors) -> None:
    """Make a version's store in an empty directory: each vector with its passage. A row's id is its number."""
    store = client(path)
    try:
        collection = store.create_collection(
            name_of(version),
            embedding_function=None,
            metadata={"model": version.model, "dimension": version.dimension},
            configuration={"hnsw": {"space": "cosine", "sync_threshold": max(2, len(passages))}},
        )
        for start in range(0, len(passages), BATCH):
            some = passages[start : start + BATCH]
            collection.add(
                ids=[str(start + number) for number in range(len(some))],
                embeddings=vectors[start : start + BATCH],
                documents=[passage.text for passage in some],
                metadatas=[{"id": passage.id, "source": passage.source, "title": passage.title} for passage in some],
            )
    except ChromaError as error:
        raise KnowledgeError(f"{path}: cannot be written: {error}") from error
    finally:
        store.close()


def load(path: Path, version: Version) -> Dense:
    """A version's store.
    Raises KnowledgeError where it is not what the version says; a damaged one may kill."""
    with ExitStack() as stack:
        try:
            store = client(_writable(path, stack))
            stack.callback(store.close)
            collection = store.get_collection(name_of(version), embedding_function=None)
        except (ChromaError, OSError) as error:
            raise KnowledgeError(f"{path}: cannot be opened: {error}") from error
        made = collection.metadata or {}
        if (made.get("model"), made.get("dimension")) != (version.model, version.dimension):
            raise KnowledgeError(f"{path}: was made with {made}, its version says {version.model}")
        return Dense(collection, stack.pop_all())


def _writable(path: Path, stack: ExitStack) -> Path:
    """The directory, or, where the disk takes no writes, one that stands for it as long as the stack is open.

    Chroma writes to its SQLite file whenever it opens it; that one is copied, the graph is read where it lies.
    """
    if os.access(path / DATABASE, os.W_OK) or not (path / DATABASE).exists():
        return path
    place = Path(stack.enter_context(TemporaryDirectory(prefix="gateway-chroma-", ignore_cleanup_errors=True)))
    for entry in path.iterdir():
        if entry.is_dir():
            (place / entry.name).symlink_to(entry.resolve(), target_is_directory=True)
        else:
            shutil.copyfile(entry, place / entry.name)
    return place


def unreachable(dense: Nearest, vectors: Vectors) -> list[int]:
    """Places of passages that their own vector does not find.
    Counting would not tell: the graph may lack some."""
    _, group, sizes = np.unique(vectors, axis=0, return_inverse=True, return_counts=True)
    count = min(len(vectors), int(sizes.max(initial=1)) + 9)
    missing = []
    for start in range(0, len(vectors), 100):
        for offset, near in enumerate(dense.search(vectors[start : start + 100], count)):
            place = start + offset
            twins = {group.reshape(-1)[found] for found, _ in near}
            if group.reshape(-1)[place] not in twins:
                missing.append(place)
    return missing
