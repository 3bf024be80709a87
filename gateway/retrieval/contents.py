"""What lies in a sealed version beside its description: passages, vectors, and the two indexes over them."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from gateway.errors import KnowledgeError
from gateway.retrieval import dense, lexical
from gateway.retrieval.embed import Vectors
from gateway.retrieval.sentences import headed, units, windows
from gateway.retrieval.versions import Version
from gateway.types import Passage, Sentence

PASSAGES, VECTORS, ALONE, OWNERS = "passages.jsonl", "vectors.npy", "sentences.npy", "owners.npz"
CHROMA, LEXICAL = "chroma", "lexical"
FOUND = frozenset({"score", "similarity", "sentences"})
"""What a passage has only where a search found it."""
ROWS_PER_PASSAGE = 2
"""Rows that are asked of the store for each passage that is wanted: the nearest often belong to the same one."""

Owners: TypeAlias = npt.NDArray[np.int64]
Halves: TypeAlias = npt.NDArray[np.float16]
"""Unit vectors; half a float is enough where nothing is searched, only compared."""


@dataclass(frozen=True, slots=True)
class Contents:
    """A version, opened for reading."""

    version: Version
    passages: Sequence[Passage]
    vectors: Vectors
    """One row a window (`sentences.windows`), in the passages' order."""
    owners: Owners
    """Of each window: the place of its passage."""
    alone: Halves
    """One row a sentence by itself, in the passages' order."""
    speakers: Owners
    """Of each sentence: the place of its passage."""
    lexical: lexical.Lexical
    dense: dense.Nearest

    def nearest(self, vector: Vectors, count: int) -> list[tuple[int, float]]:
        """Places of the passages that hold the nearest windows, with their cosines (`cosine`), nearest first."""
        rows = min(count * ROWS_PER_PASSAGE, len(self.owners))
        windows: dict[int, float] = {}
        for row, cosine in self.dense.search(vector, rows)[0]:
            windows.setdefault(int(self.owners[row]), cosine)
        found = [
            (place, (cosine + float(self._heard(place, vector).max())) / 2)
            for place, cosine in list(windows.items())[:count]
        ]
        return sorted(found, key=lambda one: -one[1])

    def cosine(self, place: int, vector: Vectors) -> float:
        """Of a passage: the mean of its nearest window's and its nearest sentence's.

        What a passage is about is in the windows, what it states in the sentences: each corrects the other.
        """
        first, end = np.searchsorted(self.owners, [place, place + 1])
        window = float((self.vectors[first:end] @ vector[0]).max())
        return (window + float(self._heard(place, vector).max())) / 2

    def sentences(self, place: int, vector: Vectors | None) -> tuple[Sentence, ...]:
        """Of a passage, each with its own cosine where there is a vector to compare it with."""
        texts = units(self.passages[place].text)
        if vector is None:
            return tuple(Sentence(text, None) for text in texts)
        return tuple(map(Sentence, texts, self._heard(place, vector).tolist()))

    def _heard(self, place: int, vector: Vectors) -> Vectors:
        first, end = np.searchsorted(self.speakers, [place, place + 1])
        cosines: Vectors = self.alone[first:end].astype(np.float32) @ vector[0]
        return cosines

    def close(self) -> None:
        """Let go of the store."""
        self.dense.close()


def titled(passage: Passage) -> str:
    """What of a passage is searched:
    the headings say what the text is about and often hold the word that is asked for."""
    return f"{passage.title}\n{passage.text}"


@dataclass(frozen=True, slots=True)
class Rows:
    """Texts that are embedded, each below its passage's title, and whose passage's it is."""

    texts: Sequence[str]
    owners: Owners


def embedded(passages: Sequence[Passage]) -> tuple[Rows, Rows]:
    """What is embedded: windows, which are searched, and sentences, which are compared."""
    searched = [
        (_below(one, heading, text), place) for place, one in enumerate(passages) for heading, text in windows(one.text)
    ]
    compared = [
        (_below(one, heading, text), place)
        for place, one in enumerate(passages)
        for heading, texts in headed(one.text)
        for text in texts
    ]
    return _rows(searched), _rows(compared)


def _below(passage: Passage, heading: str, text: str) -> str:
    return f"{passage.title} > {heading}: {text}" if heading else f"{passage.title}: {text}"


def _rows(found: Sequence[tuple[str, int]]) -> Rows:
    return Rows([text for text, _ in found], np.array([place for _, place in found], dtype=np.int64))


class Matrices(NamedTuple):
    """What `Contents` has of vectors, and whose they are."""

    vectors: Vectors
    owners: Owners
    alone: Halves
    speakers: Owners


def matrices(rows: tuple[Rows, Rows], vectors: Vectors) -> Matrices:
    """Of what was `embedded`: the windows' vectors come first, the sentences' after them."""
    searched, compared = (one.owners for one in rows)
    alone = vectors[len(searched) :].astype(np.float16)
    return Matrices(vectors[: len(searched)], searched, alone, compared)


def write(path: Path, version: Version, passages: Sequence[Passage], made: Matrices) -> None:
    """Fill the directory of a version with all but the store that is searched."""
    with (path / PASSAGES).open("w", encoding="utf-8") as file:
        for passage in passages:
            line = {name: value for name, value in asdict(passage).items() if name not in FOUND}
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
    np.save(path / VECTORS, made.vectors)
    np.save(path / ALONE, made.alone)
    np.savez(path / OWNERS, windows=made.owners, sentences=made.speakers)
    lexical.build([titled(passage) for passage in passages], version.language, path / LEXICAL)


def _mapped(path: Path) -> npt.NDArray[Any]:
    """A file's rows, read when they are touched. As a plain array: slices of a `memmap` take longer."""
    return np.asarray(np.load(path, mmap_mode="r"))


def load(path: Path, version: Version, nearest: dense.Nearest | None = None) -> Contents:
    """Open the directory of a version. `nearest` searches in the place of the store that lies in it."""
    try:
        with (path / PASSAGES).open(encoding="utf-8") as file:
            passages = [Passage(**json.loads(line)) for line in file]
        vectors, alone = _mapped(path / VECTORS), _mapped(path / ALONE)
        with np.load(path / OWNERS) as both:
            owners, speakers = both["windows"], both["sentences"]
        words = lexical.load(path / LEXICAL, version.language)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise KnowledgeError(f"{path}: cannot be read: {error}") from error
    shapes = [(len(one), version.dimension) for one in (owners, speakers)]
    if len(passages) != version.passages or [vectors.shape, alone.shape] != shapes:
        raise KnowledgeError(f"{path}: holds {len(passages)} passages, its description says {version.passages}")
    nearest = nearest or dense.load(path / CHROMA, version)
    return Contents(version, passages, vectors, owners, alone, speakers, words, nearest)
