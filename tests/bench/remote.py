"""What a Chroma server costs: the same knowledge searched on a disk and on `chroma run` on loopback, side by side.

    python -m tests.bench.remote [PASSAGES]

Vectors are hashed, not a model's: what is measured is bringing, opening and searching. The sample knowledge first, then
so many passages (10,000) of three sentences.
"""

import asyncio
import random
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from gateway.retrieval import build, ingest, retriever
from gateway.settings import Settings
from gateway.types import Query, Retrieval
from tests.chromas import Chroma, chroma
from tests.knowledge import ROOT, HashedModel, job, tried, write

SEARCHES = 500
A_FILE = 100


def sample() -> Mapping[str, bytes]:
    """The lighthouse's files."""
    source = ROOT / "knowledge" / "lighthouse"
    return {path.relative_to(source).as_posix(): path.read_bytes() for path in source.rglob("*") if path.is_file()}


def invented(passages: int) -> Mapping[str, str]:
    """Files of `A_FILE` passages each, of words that nobody has said."""
    chance = random.Random(1)
    words = ["".join(chance.choices("aeioulnrst", k=6)) for _ in range(5000)]

    def sentence() -> str:
        return " ".join(chance.choices(words, k=10)).capitalize() + "."

    def section(number: int) -> str:
        return f"## Part {number}\n\n{sentence()} {sentence()} {sentence()}\n"

    return {
        f"page{start}.md": "# Page\n\n" + "\n".join(section(start + number) for number in range(A_FILE))
        for start in range(0, passages, A_FILE)
    }


async def measured(root: Path, files: Mapping[str, str | bytes], server: Chroma | None) -> str:
    """A line: how long an ingest, a first and a second opening took, and searches one after the other."""
    write(root / "knowledge" / "bench", files)
    wanted = replace(job(root, "bench"), chroma_url=server.url if server else "")
    events: list[ingest.Event] = []
    began = time.perf_counter()
    build.build(wanted, HashedModel().passage, events.append, tried)
    ingested, done = time.perf_counter() - began, events[-1]
    assert isinstance(done, ingest.Done), done
    settings = Settings(var=root / ("elsewhere" if server else "var"), chroma_url=wanted.chroma_url)
    opening, took = [], []
    for _ in range(2):
        began = time.perf_counter()
        async with retriever.opened(settings, ["bench"], embed_query=HashedModel().query) as searches:
            opening.append(time.perf_counter() - began)
            for number in range(SEARCHES):
                text = list(files)[number % len(files)] + f" question {number}"
                began = time.perf_counter()
                found = await searches.retrieve(["bench"], Query(text), Retrieval(budget_ms=5000))
                took.append((time.perf_counter() - began) * 1000)
                assert found.outcome == "hybrid"
    p50, p99 = np.percentile(took, [50, 99])
    where = "server" if server else "disk"
    return (
        f"{done.passages:6} passages on the {where:6}: ingest {ingested:5.1f} s, first opening {opening[0]:5.2f} s, "
        f"next {opening[1]:5.2f} s, search p50 {p50:5.2f} ms, p99 {p99:5.2f} ms"
    )


async def main(passages: int) -> None:
    """Print the lines."""
    with TemporaryDirectory() as place, chroma(Path(place, "chroma")) as server:
        for files in (sample(), invented(passages)):
            for where in (None, server):
                root = Path(place, f"{len(files)}-{'server' if where else 'disk'}")
                print(await measured(root, files, where), flush=True)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000))
