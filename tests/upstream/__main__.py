"""`python -m tests.upstream --port 9000`: the scripted upstream as a program for the bench and for trials.

`GET /stats` counts; `GET /pace?chunks=64&first=0.05&gap=0.01` changes what is said from now on.
"""

import argparse
import asyncio
from urllib.parse import parse_qs

import uvloop

from tests.upstream.script import Answer, Pause, Script, Step
from tests.upstream.server import Upstream

WORDS = ("The ", "quick ", "brown ", "fox ", "jumps ", "over ", "a ", "lazy ")


def words(chunks: int) -> list[str]:
    """So many chunks of a word each."""
    return [WORDS[at % len(WORDS)] for at in range(chunks)]


def paced(chunks: int, first: float, gap: float) -> Script:
    """A script of so many chunks: `first` seconds to the first one, `gap` seconds between two.

    Without a gap each is still a write of its own: a model's server writes a chunk when it has one, and whether
    the reader finds several at once is the reader's doing.
    """
    steps: list[Step] = [Pause(first)] if first else []
    for word in words(chunks):
        steps += [word, Pause(gap)]
    return Script(steps)


async def run(port: int, script: Script) -> None:
    """Serve until interrupted."""
    upstream = Upstream(script, remember=False)

    def pace(query: str) -> Answer:
        given = {name: float(values[-1]) for name, values in parse_qs(query).items()}
        upstream.script = paced(int(given.get("chunks", 64)), given.get("first", 0.0), given.get("gap", 0.0))
        return Answer(200, {"steps": len(upstream.script.steps)})

    upstream.asides["/pace"] = pace
    await upstream.start("127.0.0.1", port)
    print(f"serving on {upstream.url}", flush=True)  # noqa: T201 a program says where it listens
    await asyncio.Event().wait()


def main() -> None:
    """Read the arguments and serve."""
    parser = argparse.ArgumentParser(prog="python -m tests.upstream", description="The scripted upstream.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--chunks", type=int, default=64)
    parser.add_argument("--first", type=float, default=0.0, help="seconds to the first chunk")
    parser.add_argument("--gap", type=float, default=0.0, help="seconds between two chunks")
    given = parser.parse_args()
    uvloop.run(run(given.port, paced(given.chunks, given.first, given.gap)))


if __name__ == "__main__":
    main()
