"""`python -m tests.load.model`: a scripted upstream that answers at a model's pace and at a model's length.

`GET /stats` counts, and says how late it was itself since it was last asked: a late model is no fault of a gateway.
"""

import argparse
import asyncio
import random
from itertools import cycle, islice

import uvloop

from tests.bench.measuring import percentile
from tests.load.traffic import ANSWER, FIRST, PACE, USUAL_ANSWER
from tests.upstream import Answer, Pause, Request, Script, Upstream, Usage
from tests.upstream.script import Step

BEAT = 0.05
"""Seconds between two looks at the clock."""
SPOKEN = (
    "That is a good question, and the answer is easy. You walk down to the pier, past the two cottages,"
    " and you will see the tower on your left. The boat goes at ten in the morning and comes back at four,"
    " so there is time for a climb and for tea. If the sea is rough we ring you up before breakfast."
    " Most people stay for half a day and some of them stay the night, because the evening is when the light"
    " is at its best. "
)
PIECES = tuple(f"{word} " for word in SPOKEN.split())


def answered(chance: random.Random) -> Script:
    """One answer: a time to the first token, a pace, a length."""
    gap = 1 / PACE.drawn(chance)
    count = round(chance.triangular(ANSWER.least, ANSWER.most, USUAL_ANSWER))
    steps: list[Step] = [Pause(FIRST.drawn(chance))]
    for piece in islice(cycle(PIECES), count):
        steps += [piece, Pause(gap)]
    return Script([*steps, Usage(1500, count)])


class Late:
    """How late this process's timers are."""

    def __init__(self) -> None:
        self._seen: list[float] = []

    async def watch(self) -> None:
        """For ever."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + BEAT
            await asyncio.sleep(BEAT)
            self._seen.append(loop.time() - due)

    def taken(self) -> float:
        """Milliseconds that 99 of 100 were not later than since this was last asked; 0 where none was looked at."""
        seen, self._seen = self._seen, []
        return percentile(seen, 0.99) * 1000 if seen else 0.0


async def run(port: int, seed: int) -> None:
    """Serve until interrupted."""
    chance, late = random.Random(seed), Late()

    def script(_: Request) -> Script:
        return answered(chance)

    upstream = Upstream(script, remember=False)
    upstream.asides["/stats"] = lambda _: Answer(200, {**upstream.stats, "late_ms": round(late.taken(), 2)})
    await upstream.start("127.0.0.1", port)
    print(f"serving on {upstream.url}", flush=True)
    await late.watch()


def main() -> None:
    """Read the arguments and serve."""
    parser = argparse.ArgumentParser(prog="python -m tests.load.model", description="A model's pace, without a model.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    uvloop.run(run(given.port, given.seed))


if __name__ == "__main__":
    main()
