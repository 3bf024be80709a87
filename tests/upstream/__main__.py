"""`python -m tests.upstream --port 9000`: the scripted upstream as a program for the bench and for trials."""

import argparse
import asyncio

import uvloop

from tests.upstream.script import Pause, Script, Step
from tests.upstream.server import Upstream

WORDS = ("The ", "quick ", "brown ", "fox ", "jumps ", "over ", "a ", "lazy ")


def text(chunks: int) -> list[str]:
    """So many chunks of a word each."""
    return [WORDS[at % len(WORDS)] for at in range(chunks)]


def paced(chunks: int, first: float, gap: float) -> Script:
    """A script of so many chunks: `first` seconds to the first one, `gap` seconds between two."""
    steps: list[Step] = [Pause(first)] if first else []
    for at, word in enumerate(text(chunks)):
        if at and gap:
            steps.append(Pause(gap))
        steps.append(word)
    return Script(steps)


async def run(port: int, script: Script) -> None:
    """Serve until interrupted."""
    upstream = Upstream(script, remember=False)
    await upstream.start("127.0.0.1", port)
    print(f"serving on {upstream.url}", flush=True)  # noqa: T201 a program says where it listens
    await asyncio.Event().wait()


def main() -> None:
    """Read the arguments and serve."""
    parser = argparse.ArgumentParser(prog="python -m tests.upstream", description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--chunks", type=int, default=64)
    parser.add_argument("--first", type=float, default=0.0, help="seconds to the first chunk")
    parser.add_argument("--gap", type=float, default=0.0, help="seconds between two chunks")
    given = parser.parse_args()
    uvloop.run(run(given.port, paced(given.chunks, given.first, given.gap)))


if __name__ == "__main__":
    main()
