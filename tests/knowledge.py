"""Knowledge for tests: small collections, and vectors that are quick to make."""

import shutil
import time
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from gateway.retrieval import build, ingest, lexical, model, probe, trial
from gateway.retrieval.embed import Vectors
from gateway.retrieval.versions import DIMENSION, MODEL, Shelf, shelf

ROOT = Path(__file__).parents[1]

LIGHTHOUSE = {
    "lamp.md": "# The lamp\n\nThe lamp burned rape oil.\n\n## Range\n\nIt is seen for eighteen nautical miles.\n",
    "birds.md": "# Birds\n\n## Puffins\n\nPuffins nest in June.\n\n## Gulls\n\nGulls steal sandwiches.\n",
    "log.txt": "A gale on the third of March. The boat did not come.\n",
}


def hashed(text: str) -> Vectors:
    """A unit vector that is near to those of texts with the same words."""
    vector = np.full(DIMENSION, 1e-3, dtype=np.float32)
    for word in lexical.words(text):
        vector[zlib.crc32(word.encode()) % DIMENSION] += 1.0
    return (vector / np.linalg.norm(vector)).astype(np.float32)


@dataclass
class HashedModel:
    """Stands in for the model: counts what it embeds, and takes its time."""

    seconds: float = 0.0
    dimension: int = DIMENSION
    embedded: list[str] = field(default_factory=list)

    def query(self, text: str) -> Vectors:
        time.sleep(self.seconds)
        self.embedded.append(text)
        return hashed(text)[None]

    def passage(self, text: str) -> Vectors:
        self.embedded.append(text)
        return hashed(text)[None, : self.dimension]


def write(directory: Path, files: Mapping[str, str | bytes]) -> Path:
    """Files in a directory, which holds nothing else afterwards."""
    shutil.rmtree(directory, ignore_errors=True)
    for name, content in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return directory


def job(root: Path, *collections: str, url: str = "") -> ingest.Job:
    """Ingest `root/knowledge` into `root/var`, or into the Chroma server at `url`."""
    return ingest.Job(str(root / "knowledge"), str(root / "var"), 800, collections, chroma_url=url)


def tried(path: Path) -> str:
    """Try a version in this process: a child takes a second to start."""
    probe.probe(path)
    trial.stamp(path)
    return ""


def built(root: Path, name: str, files: Mapping[str, str | bytes], made: HashedModel | None = None) -> Shelf:
    """A collection of these files, ingested with hashed vectors.
    Raises what went wrong as an AssertionError."""
    write(root / "knowledge" / name, files)
    events: list[ingest.Event] = []
    build.build(job(root, name), (made or HashedModel()).passage, events.append, tried)
    assert any(isinstance(event, ingest.Done) for event in events), events
    return shelf(root / "var", name)


def with_model(var: Path) -> Path:
    """A `var` that has the real model: converted once into the repository's own."""
    path = model.convert(ROOT / "var")
    (var / "models").mkdir(parents=True, exist_ok=True)
    (var / "models" / MODEL).symlink_to(path, target_is_directory=True)
    return var
