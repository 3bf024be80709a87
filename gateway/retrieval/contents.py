"""What lies in a sealed version beside its description: passages, vectors, and the two indexes over them."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from gateway.errors import KnowledgeError
from gateway.retrieval import dense, lexical
from gateway.retrieval.embed import Vectors
from gateway.retrieval.versions import Version
from gateway.types import Passage

PASSAGES, VECTORS, CHROMA, LEXICAL = "passages.jsonl", "vectors.npy", "chroma", "lexical"


@dataclass(frozen=True, slots=True)
class Contents:
    """A version, opened for reading."""

    version: Version
    passages: Sequence[Passage]
    vectors: Vectors
    lexical: lexical.Lexical
    dense: dense.Dense

    def close(self) -> None:
        """Let go of the store."""
        self.dense.close()


def titled(passage: Passage) -> str:
    """What of a passage is searched:
    the headings say what the text is about and often hold the word that is asked for."""
    return f"{passage.title}\n{passage.text}"


def write(path: Path, version: Version, passages: Sequence[Passage], vectors: Vectors) -> None:
    """Fill the directory of a version that is being built."""
    with (path / PASSAGES).open("w", encoding="utf-8") as file:
        for passage in passages:
            line = {name: value for name, value in asdict(passage).items() if name not in ("score", "similarity")}
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
    np.save(path / VECTORS, vectors)
    lexical.build([titled(passage) for passage in passages], version.language, path / LEXICAL)
    (path / CHROMA).mkdir()
    dense.write(path / CHROMA, version, passages, vectors)


def load(path: Path, version: Version) -> Contents:
    """Open the directory of a version."""
    try:
        with (path / PASSAGES).open(encoding="utf-8") as file:
            passages = [Passage(**json.loads(line)) for line in file]
        vectors = np.load(path / VECTORS, mmap_mode="r")
        words = lexical.load(path / LEXICAL, version.language)
    except (OSError, ValueError, TypeError) as error:
        raise KnowledgeError(f"{path}: cannot be read: {error}") from error
    if len(passages) != version.passages or vectors.shape != (version.passages, version.dimension):
        raise KnowledgeError(f"{path}: holds {len(passages)} passages, its description says {version.passages}")
    return Contents(version, passages, vectors, words, dense.load(path / CHROMA, version))
