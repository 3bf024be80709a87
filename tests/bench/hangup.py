"""`python -m tests.bench.hangup`: how long after its caller an upstream request is closed.

The upstream and the callers live in one process, so that both moments are read from one clock.
"""

import argparse
import asyncio
import contextlib
import sys
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.bench.measuring import percentile
from tests.bench.report import number
from tests.bench.targets import GATEWAY, QUESTIONS, ingest, write_agent
from tests.caller import Call, calling
from tests.serving import ROOT, gateway_process
from tests.upstream import Hang, Pause, Role, Script, Upstream, scripted

LIMIT = 0.050
"""Seconds that the 99th of 100 may take."""
NEVER_AFTER = 0.25
"""Seconds without a call after which it counts as never made."""
KNOWLEDGE = ROOT / "knowledge"
HEAD = f"{'the caller hangs up':28}{'closed':>7}{'p50':>7}{'p99':>7}{'max':>7}  ms until the upstream sees it"
SPEAKING = Script([step for _ in range(500) for step in ("word ", Pause(0.01))])


@dataclass(slots=True)
class Phase:
    """One moment to hang up in, and what came of it."""

    title: str
    script: Callable[[int], Script]
    """By the number of the attempt."""
    until: Callable[[Call, Upstream, int], Awaitable[None]]
    """What the caller waits for before it hangs up."""
    path: str = "/v1/chat/completions"
    stream: bool = True
    may_be_uncalled: bool = False
    seconds: list[float] = field(default_factory=list)
    uncalled: int = 0

    @property
    def kept(self) -> bool:
        """Whether 99 of 100 were closed in time. An upstream that was never called is closed already."""
        return percentile([0.0] * self.uncalled + self.seconds, 0.99) <= LIMIT

    def __str__(self) -> str:
        numbers = [f"{number(percentile(self.seconds, share) * 1000, 2):>7}" for share in (0.5, 0.99, 1.0)]
        called = f"; never called: {self.uncalled}" if self.may_be_uncalled else ""
        return f"{self.title:28}{len(self.seconds):7}{''.join(numbers)}  {'kept' if self.kept else 'BROKEN'}{called}"


async def _called(_: Call, upstream: Upstream, attempt: int) -> None:
    await upstream.asked(1)


async def _spoken(call: Call, _: Upstream, attempt: int) -> None:
    heard = 0
    async for event in call.events():
        heard += "word" in event.data
        if heard > attempt % 5:
            return


async def _retrieving(_: Call, upstream: Upstream, attempt: int) -> None:
    await asyncio.sleep((attempt % 20) * 0.001)


def phases() -> list[Phase]:
    """Every moment."""
    silent = Script([], before=[Hang()])
    muted = (silent, Script([Hang()]), Script([Role(), Hang()]))
    return [
        Phase(
            "during retrieval",
            lambda _: silent,
            _retrieving,
            path="/agents/guide/v1/chat/completions",
            may_be_uncalled=True,
        ),
        Phase("before the first token", lambda attempt: muted[attempt % 3], _called),
        Phase("in the middle", lambda _: SPEAKING, _spoken),
        Phase("not streaming", lambda attempt: muted[attempt % 3], _called, stream=False),
    ]


async def hang_up(phase: Phase, upstream: Upstream, url: str, attempt: int) -> None:
    """Ask, wait for the moment, hang up, and note when the upstream saw it."""
    upstream.requests.clear()
    upstream.script = phase.script(attempt)
    question = QUESTIONS[attempt % len(QUESTIONS)]
    body: Mapping[str, Any] = {
        "model": "bench",
        "stream": phase.stream,
        "messages": [{"role": "user", "content": f"{question} ({attempt})"}],
    }
    async with calling(url + phase.path, body) as call:
        await phase.until(call, upstream, attempt)
        hung_up = call.hang_up()
        if phase.may_be_uncalled:
            with contextlib.suppress(TimeoutError):
                await upstream.asked(1, within=NEVER_AFTER)
            if not upstream.requests:
                phase.uncalled += 1
                return
        request = upstream.requests[0]
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(request.over.wait(), 5)
        phase.seconds.append(5.0 if request.closed is None else max(0.0, request.closed - hung_up))


async def measured(place: Path, var: Path, count: int) -> list[Phase]:
    """Start upstream and gateway and hang up so many times in each phase."""
    every = phases()
    async with scripted() as upstream:
        text = GATEWAY.format(prompts=place, knowledge=KNOWLEDGE, upstream=upstream.url)
        ingest(place, text, var)
        with gateway_process(text, {"GATEWAY_VAR": str(var)}) as gateway:
            print(HEAD)
            for phase in every:
                for attempt in range(count):
                    await hang_up(phase, upstream, gateway.url, attempt)
                print(phase, flush=True)
            print("during retrieval: hung up 0 to 19 ms after the request was sent; what is not called is closed")
    return every


def main() -> int:
    """Measure and print; 1 where the promise is broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.hangup", description="Who hangs up is let go.")
    parser.add_argument("--count", type=int, default=100, help="times in each phase")
    count = parser.parse_args().count
    with tempfile.TemporaryDirectory() as place:
        write_agent(Path(place), KNOWLEDGE)
        every = asyncio.run(measured(Path(place), ROOT / "var" / "bench" / "var", count))
    return 0 if all(phase.kept for phase in every) else 1


if __name__ == "__main__":
    sys.exit(main())
