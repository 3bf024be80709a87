"""The child process that builds versions: split, embed, index, try, seal, point. See ingest.py.

Its job is the first line of its input, its events are the lines of its output, and it ends when its input
does.
"""

import json
import logging
import os
import signal
import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from hashlib import sha256
from pathlib import Path
from typing import TypeAlias

import numpy as np

from gateway import observe
from gateway.errors import Fault, KnowledgeError
from gateway.retrieval import contents, embed, ingest, lexical, library, model, opening, split, trial, vectors, versions
from gateway.retrieval.embed import Embed, Vectors
from gateway.retrieval.ingest import Done, Event, Job, Note, Progress, encoded
from gateway.types import Passage

Tell: TypeAlias = Callable[[Event], None]
KEPT_AT_ONCE = 16
"""Vectors that a killed ingest has to make again, at most."""
AGAIN = 0.5
"""Seconds between two looks whether a collection is still being written."""


def build(job: Job, embed_passage: Embed, tell: Tell, tried: trial.Try = trial.fault) -> None:
    """Build the job's collections, one after the other. A fault of one leaves the others alone."""
    with library.opened(Path(job.var), job.chroma_url) as shelves:
        _each(job, shelves, embed_passage, tell, tried)


def _each(job: Job, shelves: library.Library, embed_passage: Embed, tell: Tell, tried: trial.Try) -> None:
    for name in job.collections:
        shelf = shelves.shelf(name)
        try:
            with _written(shelf, job.patience):
                _one(job, shelf, embed_passage, tell, tried)
        except KnowledgeError as error:
            tell(Fault(str(Path(job.knowledge) / name), 0, "", error.message))
        except sqlite3.Error as error:
            tell(Fault(str(Path(job.var) / "embeddings"), 0, "", f"cannot be written: {error}"))
        except OSError as error:
            tell(Fault(str(error.filename or shelf.path), 0, "", ingest.refused(error).message))


@contextmanager
def _written(shelf: library.Shelf, patience: float) -> Iterator[None]:
    """Be the one who writes, once nobody else does; raises KnowledgeError where that takes longer than `patience`."""
    until = time.monotonic() + patience
    with ExitStack() as stack:
        while True:
            try:
                stack.enter_context(shelf.written())
                break
            except versions.Held:
                if time.monotonic() >= until:
                    raise
                time.sleep(AGAIN)
        yield


def _one(job: Job, shelf: library.Shelf, embed_passage: Embed, tell: Tell, tried: trial.Try) -> None:
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
    building = shelf.begin()
    try:
        version = versions.Version(
            building.name.removesuffix(versions.BUILDING), shelf.collection, versions.MODEL, versions.DIMENSION,
            versions.FORM, job.characters, lexical.language_of(passage.text for passage in passages),
            files, len(passages), time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        )  # fmt: skip
        rows = contents.embedded(passages)
        texts = [text for one in rows for text in one.texts]
        matrix, made = _vectors(job, shelf.collection, texts, embed_passage, tell)
        matrices = contents.matrices(rows, matrix)
        opening.filled(shelf, building, version, passages, matrices)
        _accepted(opening.fault(shelf, building, matrices, tried))
        shelf.seal(building)
    except BaseException as error:
        full = ingest.short(shelf.path)
        shelf.discard(building)  # what is half made takes the room that others need
        if full:  # each library says it in its own way; what counts is that it is so
            raise KnowledgeError(f"{ingest.FULL}.") from error
        raise
    shelf.point(version.name)
    shelf.sweep()
    taken = time.monotonic() - started
    kept = len(set(texts)) - made
    tell(Done(shelf.collection, version.name, len(files), len(passages), made, kept, taken, built=True))


def _accepted(problem: str) -> None:
    if problem:
        raise KnowledgeError(f"the new version is not served: {problem}")


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


def _vectors(job: Job, collection: str, texts: Sequence[str], embed_passage: Embed, tell: Tell) -> tuple[Vectors, int]:
    """One vector a text, and how many had to be made: the rest were made before."""
    keys = [vectors.key(text) for text in texts]
    with vectors.opened(Path(job.var) / "embeddings" / f"{versions.MODEL}.sqlite") as kept:
        known = kept.find(keys)
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
        left, there = list(missing), len(texts) - len(missing)
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for start in range(0, len(left), KEPT_AT_ONCE):
                some = left[start : start + KEPT_AT_ONCE]
                fresh = dict(zip(some, pool.map(embed_passage, map(missing.__getitem__, some)), strict=True))
                if any(made.shape != (1, versions.DIMENSION) for made in fresh.values()):
                    raise KnowledgeError(f"the model's vectors are not of {versions.DIMENSION} numbers")
                kept.keep(fresh)
                known.update({key: made[0] for key, made in fresh.items()})
                tell(Progress(collection, there + start + len(some), len(texts)))
    return np.stack([known[key] for key in keys]).astype(np.float32), len(missing)


def _say(event: Event) -> None:
    sys.stdout.write(encoded(event) + "\n")
    sys.stdout.flush()


def _end_with_input() -> None:
    sys.stdin.read()
    os._exit(1)


def main() -> int:
    """The child's whole life."""
    observe.configure("text")
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    logging.getLogger("bm25s").setLevel(logging.WARNING)  # it asks for DEBUG when it is imported
    fields = json.loads(sys.stdin.readline())
    job = Job(**(fields | {"collections": tuple(fields["collections"])}))
    os.nice(job.nice)
    threading.Thread(target=_end_with_input, daemon=True).start()
    try:
        if not embed.directory(Path(job.var)).is_dir():
            _say(Note("converting the embedding model (once)"))
        embedder = embed.Embedder(model.convert(Path(job.var)), threads=1)
    except OSError as error:
        _say(Fault(str(error.filename or job.var), 0, "", ingest.refused(error).message))
        return 0
    build(job, embedder.passage, _say)
    return 0


if __name__ == "__main__":
    sys.exit(main())
