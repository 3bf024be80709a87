"""What lies in a sealed version beside its description: passages, vectors, and the two indexes over them."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from gateway.errors import KnowledgeError
from gateway.retrieval import dense, lexical, split
from gateway.retrieval.embed import Vectors
from gateway.retrieval.versions import Version
from gateway.types import Passage

PASSAGES, VECTORS, OWNERS = "passages.jsonl", "vectors.npy", "owners.npy"
CHROMA, LEXICAL = "chroma", "lexical"
ROWS_PER_PASSAGE = 2
"""Rows that are asked of the store for each passage that is wanted: the nearest often belong to the same one."""

Owners: TypeAlias = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Contents:
    """A version, opened for reading."""

    version: Version
    passages: Sequence[Passage]
    vectors: Vectors
    """One row a window (`split.windows`), in the passages' order."""
    owners: Owners
    """Of each row: the place of its passage."""
    lexical: lexical.Lexical
    dense: dense.Dense

    def nearest(self, vector: Vectors, count: int) -> list[tuple[int, float]]:
        """Places of the passages that hold the nearest windows, nearest first, with their cosines."""
        rows = min(count * ROWS_PER_PASSAGE, len(self.owners))
        found: dict[int, float] = {}
        for row, cosine in self.dense.search(vector, rows)[0]:
            found.setdefault(int(self.owners[row]), cosine)
        return list(found.items())[:count]

    def cosine(self, place: int, vector: Vectors) -> float:
        """Of a passage's nearest window."""
        first, end = np.searchsorted(self.owners, [place, place + 1])
        return float((self.vectors[first:end] @ vector[0]).max())

    def close(self) -> None:
        """Let go of the store."""
        self.dense.close()


def titled(passage: Passage) -> str:
    """What of a passage is searched:
    the headings say what the text is about and often hold the word that is asked for."""
    return f"{passage.title}\n{passage.text}"


def embedded(passages: Sequence[Passage]) -> tuple[list[str], Owners]:
    """The texts that are embedded, each below its title, and the place of the passage that each belongs to."""
    rows = [
        (f"{passage.title}: {window}", place)
        for place, passage in enumerate(passages)
        for window in split.windows(passage.text)
    ]
    return [text for text, _ in rows], np.array([place for _, place in rows], dtype=np.int64)


def write(path: Path, version: Version, passages: Sequence[Passage], vectors: Vectors, owners: Owners) -> None:
    """Fill the directory of a version that is being built."""
    with (path / PASSAGES).open("w", encoding="utf-8") as file:
        for passage in passages:
            line = {name: value for name, value in asdict(passage).items() if name not in ("score", "similarity")}
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
    np.save(path / VECTORS, vectors)
    np.save(path / OWNERS, owners)
    lexical.build([titled(passage) for passage in passages], version.language, path / LEXICAL)
    (path / CHROMA).mkdir()
    dense.write(path / CHROMA, version, [passages[place] for place in owners], vectors)


def load(path: Path, version: Version) -> Contents:
    """Open the directory of a version."""
    try:
        with (path / PASSAGES).open(encoding="utf-8") as file:
            passages = [Passage(**json.loads(line)) for line in file]
        vectors = np.load(path / VECTORS, mmap_mode="r")
        owners = np.load(path / OWNERS)
        words = lexical.load(path / LEXICAL, version.language)
    except (OSError, ValueError, TypeError) as error:
        raise KnowledgeError(f"{path}: cannot be read: {error}") from error
    if len(passages) != version.passages or vectors.shape != (len(owners), version.dimension):
        raise KnowledgeError(f"{path}: holds {len(passages)} passages, its description says {version.passages}")
    return Contents(version, passages, vectors, owners, words, dense.load(path / CHROMA, version))
