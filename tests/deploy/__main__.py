"""`python -m tests.deploy`: what nginx and Caddy add, as deploy/ configures them, and how soon they pass a hang-up on.

The model, the callers and so every clock are in one process. To each request through a proxy there is one straight to
the gateway right beside it; what is added is the difference of the two. TLS connections are opened anew each time: the
handshake is on its own, since callers keep their connections.
"""

import argparse
import asyncio
import contextlib
import shutil
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path

from tests.bench.measuring import percentile, within
from tests.caller import calling
from tests.deploy.behind import BODY, PATH, PHASES, Behind, Phase, gateway, until_closed
from tests.deploy.proxies import Proxy, Start, caddy, nginx, program
from tests.upstream import Pause, Script

ADDED = 0.002
"""Seconds to the first token, the median."""
HANGUP = 0.1
"""Seconds, of 99 in 100."""
GAP = 0.02
CHUNKS = 50
WARM = 20


async def first(behind: Behind, url: str, tls: ssl.SSLContext | None) -> tuple[float, float]:
    """Seconds to the first token once the request was sent; and to the connection before that."""
    began = time.perf_counter()
    async with calling(f"{url}{PATH}", BODY, headers=behind.headers, tls=tls) as call:
        connected = call.sent - began
        async for event in call.events():
            if '"content":"Hello' in event.data:
                return event.at, connected
    raise AssertionError("the answer is over, and nobody said a word")


async def added(behind: Behind, proxy: Proxy, count: int) -> bool:
    """The time to first token through it and beside it, in turn; whether the promise is kept."""
    straight, through, handshakes = [], [], []
    async with behind.model(Script(["Hello", " there."])):
        for number in range(WARM + count):
            pair = [(behind.url, None), (proxy.url, proxy.tls)]
            taken = {}
            for url, tls in pair if number % 2 else reversed(pair):
                taken[url] = await first(behind, url, tls)
            if number >= WARM:
                straight.append(taken[behind.url][0])
                through.append(taken[proxy.url][0])
                handshakes.append(taken[proxy.url][1])
    more = [one - other for one, other in zip(through, straight, strict=True)]
    median = statistics.median(more)
    both = f"straight {_ms(straight, 0.5)}, through it {_ms(through, 0.5)}"
    kept = median < ADDED
    print(f"  first token, ms             {both}; added p50 {_ms(more, 0.5)}, p90 {_ms(more, 0.9)}  {_word(kept)}")
    print(f"  a new TLS connection, ms    p50 {_ms(handshakes, 0.5)}, p99 {_ms(handshakes, 0.99)}")
    return kept


async def one_by_one(behind: Behind, proxy: Proxy) -> bool:
    """The gaps between chunks that the model says at an even pace; whether any two came together."""
    steps = [step for number in range(CHUNKS) for step in (f"w{number} ", Pause(GAP))]
    async with (
        behind.model(Script(steps)),
        calling(f"{proxy.url}{PATH}", BODY, headers=behind.headers, tls=proxy.tls) as call,
    ):
        arrived = [event.at async for event in call.events() if '"content":' in event.data and "w" in event.data]
    gaps = [later - earlier for earlier, later in pairwise(arrived)]
    together = sum(gap < GAP / 10 for gap in gaps)
    words = f"{len(arrived)} chunks {GAP * 1000:g} ms apart: gaps p50 {_ms(gaps, 0.5)}, max {_ms(gaps, 1.0)}"
    print(f"  one by one                  {words}; {together} came together  {_word(not together)}")
    return not together


async def hung_up(behind: Behind, proxy: Proxy, phase: Phase, count: int) -> bool:
    """Seconds until the model is let go of; whether the promise is kept."""
    took: list[float] = []
    async with behind.model(phase.script) as model:
        for number in range(count):
            async with calling(f"{proxy.url}{PATH}", BODY, headers=behind.headers, tls=proxy.tls) as call:
                await model.asked(number + 1)
                await phase.until(call)
                took.append(await until_closed(model, number, call.hang_up(), 2.0))
            if sum(seconds >= 2.0 for seconds in took) > 3:  # it is clear by now
                break
    kept = within(took, HANGUP)
    words = f"p50 {_ms(took, 0.5)}, p99 {_ms(took, 0.99)}, max {_ms(took, 1.0)} of {len(took)}"
    print(f"  hang-up {phase.title:<25} {words}  {_word(kept)}")
    return kept


def _ms(seconds: Sequence[float], share: float) -> str:
    return f"{percentile(seconds, share) * 1000:.2f}"


def _word(kept: bool) -> str:
    return "kept" if kept else "BROKEN"


async def measured(behind: Behind, proxy: Proxy, count: int) -> bool:
    """All three figures of one proxy."""
    kept = [await added(behind, proxy, count), await one_by_one(behind, proxy)]
    kept += [await hung_up(behind, proxy, phase, max(10, count // 2)) for phase in PHASES]
    return all(kept)


def wanted(paths: Sequence[str]) -> dict[str, Start]:
    """Every program that is there, by its name and version."""
    found: dict[str, Start] = {}
    if path := program("nginx"):
        said = subprocess.run([path, "-v"], capture_output=True, text=True, check=True).stderr
        found[said.strip().rpartition(": ")[2]] = nginx
    for path in filter(None, (program("caddy"), *paths)):
        said = subprocess.run([path, "version"], capture_output=True, text=True, check=True).stdout
        found[f"caddy {said.split()[0]}"] = partial(caddy, path=path)
    return found


def main() -> int:
    """Measure and print; 1 where a promise is broken, or nothing is there to be measured."""
    parser = argparse.ArgumentParser(prog="python -m tests.deploy", description="What a proxy adds.")
    parser.add_argument("--count", type=int, default=200, help="pairs of requests; half as many hang-ups a phase")
    parser.add_argument("--workers", type=int, default=1, help="processes of the gateway")
    parser.add_argument("--caddy", action="append", default=[], metavar="PATH", help="this Caddy too")
    given = parser.parse_args()
    every = wanted(given.caddy)
    kept = []
    with contextlib.ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="proxies-")))
        place.joinpath("gateway").mkdir()
        behind = stack.enter_context(gateway(place / "gateway", given.workers))
        for name, start in every.items():
            print(name, flush=True)
            (place / "proxy").mkdir()
            with start(place / "proxy", behind.url) as proxy:
                kept.append(asyncio.run(measured(behind, proxy, given.count)))
            shutil.rmtree(place / "proxy")
    if not every:
        print("neither nginx nor caddy is installed (apt install nginx-light caddy)", file=sys.stderr)
    return 0 if kept and all(kept) else 1


if __name__ == "__main__":
    sys.exit(main())
