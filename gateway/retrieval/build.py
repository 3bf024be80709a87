"""The child process that builds versions: split, embed, index, try, seal, point. See ingest.py.

Its job is the first line of its input, its events are the lines of its output, and it ends when its input
does.
"""

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import TypeAlias

import numpy as np

from gateway.errors import Fault, KnowledgeError
from gateway.retrieval import contents, embed, lexical, model, split, trial, vectors, versions
from gateway.retrieval.embed import Vectors
from gateway.retrieval.ingest import Done, Event, Job, Note, Progress, encoded
from gateway.types import Passage

Tell: TypeAlias = Callable[[Event], None]
Try: TypeAlias = Callable[[Path], str]
"""From a version's directory to what is wrong with it, or nothing: `trial.fault`."""
EmbedPassages: TypeAlias = Callable[[Sequence[str]], Iterator[tuple[list[int], Vectors]]]
"""From texts to batches of vectors, each with the places of its texts: `Embedder.passages`."""


def build(job: Job, embed_passages: EmbedPassages, tell: Tell, tried: Try = trial.fault) -> None:
    """Build the job's collections, one after the other. A fault of one leaves the others alone."""
    for name in job.collections:
        shelf = versions.shelf(Path(job.var), name)
        try:
            with shelf.written():
                _one(job, shelf, embed_passages, tell, tried)
        except KnowledgeError as error:
            tell(Fault(str(Path(job.knowledge) / name), 0, "", error.message))
        except OSError as error:
            tell(Fault(str(error.filename or shelf.path), 0, "", str(error.strerror or error)))


def _one(job: Job, shelf: versions.Shelf, embed_passages: EmbedPassages, tell: Tell, tried: Try) -> None:
    started = time.monotonic()
    directory = Path(job.knowledge) / shelf.collection
    files, passages, faults = _read(directory, job.characters, tell)
    if not passages and not faults:
        faults = [Fault(str(directory), 0, "", "holds no text; what was ingested before is kept")]
    if faults:
        for fault in faults:
            tell(fault)
        return
    shelf.sweep()
    texts, owners = contents.embedded(passages)
    matrix, made = _vectors(job, shelf.collection, texts, embed_passages, tell)
    building = shelf.begin()
    name = building.name.removesuffix(versions.BUILDING)
    language = lexical.language_of(passage.text for passage in passages)
    version = versions.Version(
        name, shelf.collection, versions.MODEL, versions.DIMENSION, versions.FORM, job.characters, language,
        files, len(passages), time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    )  # fmt: skip
    shelf.describe(building, version)
    contents.write(building, version, passages, matrix, owners)
    problem = tried(building)
    if problem:
        raise KnowledgeError(f"the new version is not served: {problem}")
    shelf.seal(building)
    shelf.point(name)
    shelf.sweep()
    taken = time.monotonic() - started
    kept = len(texts) - made
    tell(Done(shelf.collection, name, len(files), len(passages), made, kept, taken, built=True))


def _read(directory: Path, characters: int, tell: Tell) -> tuple[dict[str, str], list[Passage], list[Fault]]:
    """The files' hashes, their passages, and what is wrong with them."""
    read, others = split.files(directory)
    for path in others:
        tell(Note(f"{path}: left out: only .md, .markdown and .txt are read"))
    hashes, passages, faults = {}, [], []
    for path in read:
        content = path.read_bytes()
        source = path.relative_to(directory).as_posix()
        hashes[source] = sha256(content).hexdigest()
        text = split.decoded(path, content)
        if isinstance(text, Fault):
            faults.append(text)
        else:
            passages.extend(split.passages(directory.name, source, text, characters))
    return hashes, passages, faults


def _vectors(
    job: Job, collection: str, texts: Sequence[str], embed_passages: EmbedPassages, tell: Tell
) -> tuple[Vectors, int]:
    """One vector a text, and how many had to be made: the rest were made before."""
    keys = [vectors.key(text) for text in texts]
    with vectors.opened(Path(job.var) / "embeddings" / f"{versions.MODEL}.sqlite") as kept:
        known = kept.find(keys)
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
        names, tell_of = list(missing), len(texts) - len(missing)
        for places, made in embed_passages(list(missing.values())) if missing else ():
            if made.shape != (len(places), versions.DIMENSION):
                raise KnowledgeError(f"the model gave vectors of the shape {made.shape}")
            fresh = {names[place]: vector for place, vector in zip(places, made, strict=True)}
            kept.keep(fresh)
            known.update(fresh)
            tell_of += len(places)
            tell(Progress(collection, tell_of, len(texts)))
    return np.stack([known[key] for key in keys]).astype(np.float32), len(missing)


def _say(event: Event) -> None:
    sys.stdout.write(encoded(event) + "\n")
    sys.stdout.flush()


def _end_with_input() -> None:
    sys.stdin.read()
    os._exit(1)


def main() -> int:
    """The child's whole life."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    fields = json.loads(sys.stdin.readline())
    job = Job(**(fields | {"collections": tuple(fields["collections"])}))
    threading.Thread(target=_end_with_input, daemon=True).start()
    opened: list[embed.Embedder] = []

    def embed_passages(texts: Sequence[str]) -> Iterator[tuple[list[int], Vectors]]:
        opened.extend([] if opened else [embed.Embedder(model.convert(Path(job.var)), threads=os.cpu_count() or 1)])
        return opened[0].passages(texts)

    if not embed.directory(Path(job.var)).is_dir():
        _say(Note("converting the embedding model (once)"))
        model.convert(Path(job.var))
    build(job, embed_passages, _say)
    return 0


if __name__ == "__main__":
    sys.exit(main())
