"""`python -m tests.bench.hangup`: how long after its caller an upstream request is closed.

The upstreams and the callers live in one process, so that both moments are read from one clock. Where two upstreams are
asked at once, the later of the two counts.
"""

import argparse
import asyncio
import contextlib
import sys
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from tests.bench.measuring import percentile, within
from tests.bench.report import number
from tests.bench.targets import GATEWAY, QUESTIONS, ingest, write_agent
from tests.caller import Call, calling
from tests.serving import ROOT, gateway_process
from tests.upstream import Answer, Hang, Pause, Role, Script, Upstream, error, scripted
from tests.upstream.script import Reply

LIMIT = 0.050
"""Seconds that the 99th of 100 may take."""
NEVER_AFTER = 0.25
"""Seconds without a call after which it counts as never made."""
PATIENCE = 2.0
"""Seconds until the moment to hang up in must have come."""
MISSED = 3
"""Attempts without that moment after which a phase is given up."""
KNOWLEDGE = ROOT / "knowledge"
ROUTES = """
[breaker]
failures = 1000
[routes.pair]
hedge = true
hedge_after = 0.05
hedge_share = 1.0
[routes.next]
"""
TARGET = """
[[routes.{route}.targets]]
url = "{url}"
first_token = 30.0
between_chunks = 30.0
"""
FILLER = "One moment."
AGENT = f"""---
name: slow
language: en
route: bench
apology: I am sorry.
unknown: I do not know.
fillers: ["{FILLER}"]
filler_after_ms: 100
---
You take your time.
"""
HEAD = f"{'the caller hangs up':28}{'closed':>7}{'p50':>7}{'p99':>7}{'max':>7}  ms until the upstream sees it"
SILENT = Script([], before=[Hang()])
SPEAKING = Script([step for _ in range(500) for step in ("word ", Pause(0.01))])


class Moment(NamedTuple):
    """Where an attempt stands."""

    call: Call
    upstream: Upstream
    other: Upstream
    attempt: int


@dataclass(slots=True)
class Phase:
    """One moment to hang up in, and what came of it."""

    title: str
    script: Callable[[int], Reply]
    """By the number of the attempt."""
    until: Callable[[Moment], Awaitable[None]]
    """What the caller waits for before it hangs up."""
    path: str = "/v1/chat/completions"
    model: str = "bench"
    stream: bool = True
    may_be_uncalled: bool = False
    other: Reply = SILENT
    """What the second upstream does, where the route has one."""
    both: bool = False
    """The second upstream's request has to be closed too."""
    seconds: list[float] = field(default_factory=list)
    uncalled: int = 0
    missed: int = 0
    """Attempts in which the moment never came."""

    @property
    def kept(self) -> bool:
        """Whether 99 of 100 were closed in time. An upstream that was never called is closed already."""
        return not self.missed and within([0.0] * self.uncalled + self.seconds, LIMIT)

    def __str__(self) -> str:
        numbers = [f"{number(percentile(self.seconds, share) * 1000, 2):>7}" for share in (0.5, 0.99, 1.0)]
        called = f"; never called: {self.uncalled}" if self.may_be_uncalled else ""
        missed = f"; never came: {self.missed}" if self.missed else ""
        word = "kept" if self.kept else "BROKEN"
        return f"{self.title:28}{len(self.seconds):7}{''.join(numbers)}  {word}{called}{missed}"


async def _called(moment: Moment) -> None:
    await moment.upstream.asked(1)


async def _both_called(moment: Moment) -> None:
    await moment.upstream.asked(1)
    await moment.other.asked(1)


async def _spoken(moment: Moment) -> None:
    heard = 0
    async for event in moment.call.events():
        heard += "word" in event.data
        if heard > moment.attempt % 5:
            return


async def _filled(moment: Moment) -> None:
    async for event in moment.call.events():
        if FILLER[:3] in event.data:
            return


async def _retrieving(moment: Moment) -> None:
    await asyncio.sleep((moment.attempt % 20) * 0.001)


def phases() -> list[Phase]:
    """Every moment."""
    muted = (SILENT, Script([Hang()]), Script([Role(), Hang()]))
    return [
        Phase(
            "during retrieval",
            lambda _: SILENT,
            _retrieving,
            path="/agents/guide/v1/chat/completions",
            may_be_uncalled=True,
        ),
        Phase("before the first token", lambda attempt: muted[attempt % 3], _called),
        Phase("hedged: two are asked", lambda attempt: muted[attempt % 3], _both_called, model="pair", both=True),
        Phase(
            "failing over to the second",
            lambda attempt: muted[attempt % 3],
            _called,
            model="next",
            other=Answer(500, error("Out of order.")),
        ),
        Phase(
            "behind a filler",
            lambda attempt: muted[attempt % 3],
            _filled,
            path="/agents/slow/v1/chat/completions",
        ),
        Phase("in the middle", lambda _: SPEAKING, _spoken),
        Phase("not streaming", lambda attempt: muted[attempt % 3], _called, stream=False),
    ]


async def hang_up(phase: Phase, upstream: Upstream, other: Upstream, url: str, attempt: int) -> None:
    """Ask, wait for the moment, hang up, and note when the upstream saw it."""
    upstream.requests.clear()
    other.requests.clear()
    upstream.script, other.script = phase.script(attempt), phase.other
    question = QUESTIONS[attempt % len(QUESTIONS)]
    body: Mapping[str, Any] = {
        "model": phase.model,
        "stream": phase.stream,
        "messages": [{"role": "user", "content": f"{question} ({attempt})"}],
    }
    async with calling(url + phase.path, body) as call:
        try:
            async with asyncio.timeout(PATIENCE):
                await phase.until(Moment(call, upstream, other, attempt))
        except TimeoutError:
            phase.missed += 1
            return
        hung_up = call.hang_up()
        if phase.may_be_uncalled:
            with contextlib.suppress(TimeoutError):
                await upstream.asked(1, within=NEVER_AFTER)
            if not upstream.requests:
                phase.uncalled += 1
                return
        requests = [upstream.requests[0], *(other.requests[:1] if phase.both else ())]
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.gather(*(request.over.wait() for request in requests)), 5)
        closed = [5.0 if request.closed is None else request.closed - hung_up for request in requests]
        phase.seconds.append(max(0.0, *closed))


def configured(place: Path, upstream: Upstream, other: Upstream) -> str:
    """The settings: one target alone, a hedged pair, and a pair whose first target fails."""
    alone = GATEWAY.format(prompts=place, knowledge=KNOWLEDGE, upstream=upstream.url)
    pairs = {"pair": (upstream, other), "next": (other, upstream)}
    targets = [TARGET.format(route=route, url=each.url) for route, pair in pairs.items() for each in pair]
    return alone + ROUTES + "".join(targets)


async def measured(place: Path, var: Path, count: int) -> list[Phase]:
    """Start upstreams and gateway and hang up so many times in each phase."""
    every = phases()
    async with scripted() as upstream, scripted() as other:
        text = configured(place, upstream, other)
        ingest(place, text, var)
        with gateway_process(text, {"GATEWAY_VAR": str(var)}) as gateway:
            print(HEAD)
            for phase in every:
                for attempt in range(count):
                    await hang_up(phase, upstream, other, gateway.url, attempt)
                    if phase.missed > MISSED:
                        break
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
        (Path(place) / "slow.md").write_text(AGENT, encoding="utf-8")
        every = asyncio.run(measured(Path(place), ROOT / "var" / "bench" / "var", count))
    return 0 if all(phase.kept for phase in every) else 1


if __name__ == "__main__":
    sys.exit(main())
