"""How fast questions become vectors, and how fast Chroma finds the nearest ones: in a process, and as a server.

The vectors are synthetic: of clusters, as passages about one subject lie together. What is measured is time, not what
is found. As a program (`python -m tests.load.capacity.vectors PATH PASSAGES`) it searches in a process of its own.
"""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, NamedTuple

import chromadb
import numpy as np
import orjson
from chromadb.config import Settings
from tokenizers import Tokenizer

from gateway.retrieval import dense, embed
from gateway.retrieval.embed import Vectors
from gateway.retrieval.versions import DIMENSION, FORM, MODEL, Version
from gateway.types import Passage
from tests.bench.measuring import percentile
from tests.bench.targets import QUESTIONS, answers, cpu_seconds, free_port, process, resident_megabytes
from tests.load.capacity.figures import Embedding, Search
from tests.load.capacity.place import Place
from tests.serving import ROOT

SIZES = (1_000, 10_000, 100_000)
NEAREST = 15
"""That a turn asks for (`retrieval.search.DEPTH`)."""
THREADS = 2
"""As `[knowledge] threads`."""
WINDOW = 3.0
"""Seconds."""
CLUSTERS = 200
NAME = "20260101T000000000000"


class Asked(NamedTuple):
    """What came of searching for a while."""

    per_second: float
    p50: float
    """Milliseconds."""
    p99: float
    cpu: float
    """Milliseconds of this process a search."""


def synthetic(count: int) -> Vectors:
    """So many unit vectors, always the same."""
    chance = np.random.default_rng(7)
    centres = chance.normal(size=(CLUSTERS, DIMENSION)).astype(np.float32)
    made = centres[chance.integers(CLUSTERS, size=count)] + chance.normal(size=(count, DIMENSION)).astype(np.float32)
    return np.asarray(made / np.linalg.norm(made, axis=1, keepdims=True), dtype=np.float32)


def _version(count: int) -> Version:
    return Version(NAME, f"synthetic{count}", MODEL, DIMENSION, FORM, 800, "en", {}, count, "2026-01-01T00:00:00Z")


def write(path: Path, count: int) -> None:
    """A version's store with so many passages."""
    path.mkdir(parents=True)
    passages = [
        Passage(f"synthetic/{number}.md#1", "synthetic", f"{number}.md", "Boats", "The last boat.")
        for number in range(count)
    ]
    dense.write(path, _version(count), passages, synthetic(count))


def asked(search: Callable[[Vectors], object], seconds: float = WINDOW) -> Asked:
    """Two threads ask, one question after another."""
    questions = synthetic(997)
    times: list[list[float]] = [[] for _ in range(THREADS)]
    for question in questions[:20]:
        search(question[None])
    began, cpu = time.perf_counter(), time.process_time()

    def ask(number: int) -> None:
        at = number * 400
        while time.perf_counter() - began < seconds:
            before = time.perf_counter()
            search(questions[at % len(questions)][None])
            times[number].append(time.perf_counter() - before)
            at += 1

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took, used = time.perf_counter() - began, time.process_time() - cpu
    every = [1000 * one for some in times for one in some]
    return Asked(len(every) / took, percentile(every, 0.5), percentile(every, 0.99), 1000 * used / len(every))


def embedded(path: Path, count: int) -> Search:
    """In this process."""
    before = resident_megabytes(os.getpid())
    opened = dense.load(path, _version(count))
    try:
        found = asked(lambda vectors: opened.search(vectors, NEAREST))
        grown = resident_megabytes(os.getpid()) - before
    finally:
        opened.close()
    return _search("embedded", count, found, found.cpu, grown)


def _search(place: Literal["embedded", "server"], count: int, found: Asked, cpu: float, grown: float) -> Search:
    return Search(
        place,
        count,
        per_second=round(found.per_second, 1),
        p50=round(found.p50, 2),
        p99=round(found.p99, 2),
        cpu=round(cpu, 2),
        megabytes=round(grown, 1),
    )


@contextmanager
def _server(place: Place, path: Path) -> Iterator[tuple[int, int]]:
    """A Chroma server on the gateway's core, which has nothing else to do now; its port and process id."""
    port = free_port()
    program = Path(sys.executable).with_name("chroma")
    command = [str(program), "run", "--path", str(path), "--host", "127.0.0.1", "--port", str(port)]
    environ = {"ANONYMIZED_TELEMETRY": "False"}
    with process(place.out, "chroma", command, place.gateway_core, environ) as pid:
        answers(f"http://127.0.0.1:{port}/api/v2/heartbeat", pid, place.out / "chroma.log")
        yield port, pid


def served(place: Place, path: Path, count: int) -> Search:
    """By a server, over HTTP."""
    with _server(place, path) as (port, pid):
        before = resident_megabytes(pid)
        client = chromadb.HttpClient("127.0.0.1", port, settings=Settings(anonymized_telemetry=False))
        collection = client.get_collection(dense.name_of(_version(count)), embedding_function=None)

        def search(vectors: Vectors) -> object:
            return collection.query(query_embeddings=vectors, n_results=NEAREST, include=["distances"])

        search(synthetic(1))
        used = cpu_seconds(pid)
        found = asked(search)
        cpu = (cpu_seconds(pid) - used) * 1000 / (found.per_second * WINDOW)
        return _search("server", count, found, cpu, resident_megabytes(pid) - before)


def questions(place: Place) -> Embedding:
    """The model that turns a question into its vector."""
    model = embed.Embedder(embed.directory(place.out / "var"), threads=1)
    for question in QUESTIONS:
        model.query(question)
    rounds, began = 20, time.process_time()
    for _ in range(rounds):
        for question in QUESTIONS:
            model.query(question)
    each = (time.process_time() - began) * 1000 / rounds / len(QUESTIONS)
    tokenizer = Tokenizer.from_file(str(embed.directory(place.out / "var") / embed.TOKENIZER))
    tokens = [len(tokenizer.encode(f"query: {question}").ids) for question in QUESTIONS]
    at = iter(range(10**9))
    both = asked(lambda _: model.query(QUESTIONS[next(at) % len(QUESTIONS)]))
    return Embedding(round(each, 2), round(sum(tokens) / len(tokens), 1), round(both.per_second, 1))


def measured(place: Place, sizes: Sequence[int] = SIZES) -> tuple[Search, ...]:
    """Each number of passages, in a process of its own and in a server."""
    found = []
    for count in sizes:
        path = place.out / f"chroma-{count}"
        began = time.monotonic()
        write(path, count)
        print(f"{count} passages written in {time.monotonic() - began:.0f} s", flush=True)
        command = [sys.executable, "-m", __name__, str(path), str(count)]
        alone = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=120)
        for one in (Search(**orjson.loads(alone.stdout)), served(place, path, count)):
            print(one, flush=True)
            found.append(one)
    return tuple(found)


if __name__ == "__main__":
    sys.stdout.buffer.write(orjson.dumps(embedded(Path(sys.argv[1]), int(sys.argv[2]))))
