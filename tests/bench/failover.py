"""`python -m tests.bench.failover`: what it costs the caller that the first of two targets fails before its first word.

Both targets and the callers live in one process. What the failing target takes itself (its own delay, or the deadline
that it lets pass) is subtracted; what is left is the gateway's: noticing, asking the other, and the other's first word.
"""

import argparse
import asyncio
import itertools
import sys
import tempfile
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

from tests.bench.measuring import percentile, within
from tests.bench.report import number
from tests.load.listening import Heard, listened
from tests.serving import gateway_process
from tests.upstream import (
    Answer,
    Comment,
    Cut,
    End,
    Event,
    Finish,
    Hang,
    Pause,
    Reasoning,
    Reset,
    Role,
    Script,
    Upstream,
    error,
    scripted,
)
from tests.upstream.script import Reply

LIMIT = 0.050
"""Seconds over the failing target's own delay."""
DEADLINE = 0.4
"""`first_token` of each target."""
WHOLE = 1.0
"""`first_token` of the route: until the first word, over all targets."""
SPOKEN = "Hello there."
APOLOGY = "Sorry, I lost my thread."
WAYS_AT_ONCE = 5
CONFIG = f"""
prompts = "{{prompts}}"
[server]
drain_notice = 0
[breaker]
failures = 1000
[routes.pair]
first_token = {WHOLE}
[[routes.pair.targets]]
url = "{{first}}"
model = "first"
first_token = {DEADLINE}
[[routes.pair.targets]]
url = "{{second}}"
model = "second"
first_token = {DEADLINE}
"""
AGENT = f"""---
name: guide
language: en
route: pair
apology: {APOLOGY}
unknown: I do not know.
---
You answer in one sentence.
"""
GZIP = {"content-encoding": "gzip"}
HTML = {"content-type": "text/html"}
Asks: tuple[Literal["agent", "route"], ...] = ("agent", "route")


class Way(NamedTuple):
    """One way in which the first target fails."""

    title: str
    reply: Reply | None
    """None: nobody listens."""
    own: float = 0.0
    """Seconds that it takes itself: what is subtracted where it hangs; where it fails, its own clock says it."""
    only: str = ""
    """`agent`, where a bare route may be answered like this."""
    cools: float = 0.0
    """Seconds for which the target is left out afterwards; it is waited for."""


def heartbeats(seconds: float) -> Script:
    """Comments and nothing else for so long, then silence."""
    beat = (Comment(), Pause(0.1))
    return Script([*beat * int(seconds * 10), Hang()])


WAYS = (
    Way("refuses the connection", None),
    Way("500", Answer(500, error("Out of order."))),
    Way("500 after 200 ms", Answer(500, error("Out of order."), before=[Pause(0.2)]), 0.2),
    Way("503 with a page of HTML", Answer(503, b"<html>Bad gateway</html>", headers=HTML)),
    Way("401", Answer(401, error("Wrong key.", "invalid_api_key"))),
    Way("429 with Retry-After", Answer(429, error("Slow down."), headers={"retry-after": "1"}), cools=1.2),
    Way("resets before the headers", Script([], before=[Reset()])),
    Way("resets behind the headers", Script([Pause(0.02), Reset()]), 0.02),
    Way("resets behind a role chunk", Script([Role(), Pause(0.02), Reset()]), 0.02),
    Way("ends before a chunk", Script([End()])),
    Way("ends behind a role chunk", Script([Role(), End()])),
    Way("is cut off behind the headers", Script([Pause(0.02), Cut()]), 0.02),
    Way("an error as the first event", Script([Event(error("Overloaded.", "overloaded")), End()])),
    Way("an error with status 200", Answer(200, error("Overloaded.", "overloaded"))),
    Way("garbage as an event", Script([b"data: {oops\n\n", Hang()])),
    Way("a page with status 200", Answer(200, b"<html>Hello</html>", headers=HTML)),
    Way("garbage that says gzip", Answer(200, b"\x1f\x8b\x08\x00garbage", headers=GZIP)),
    Way("finishes without a word", Script([Role(), Finish()]), only="agent"),
    Way("thinks, and says nothing", Script([Reasoning("Hm."), Finish("length")]), only="agent"),
    Way("hangs before the headers", Script([], before=[Hang()]), DEADLINE),
    Way("hangs behind the headers", Script([Hang()]), DEADLINE),
    Way("hangs behind a role chunk", Script([Role(), Hang()]), DEADLINE),
    Way("sends heartbeats only", heartbeats(2 * DEADLINE), DEADLINE),
)
HEAD = f"{'the first target':32}{'asked':>6}{'p50':>8}{'p99':>8}{'max':>8}  ms"


@dataclass(slots=True)
class Row:
    """What came of one way."""

    way: Way
    added: list[float] = field(default_factory=list)
    """Seconds over the target's own delay, of the requests that reached it."""
    unclean: list[str] = field(default_factory=list)

    @property
    def kept(self) -> bool:
        """Whether every answer was clean and 99 of 100 came in time."""
        return bool(self.added) and not self.unclean and within(self.added, LIMIT)

    def __str__(self) -> str:
        numbers = [f"{number(percentile(self.added, share) * 1000, 1):>8}" for share in (0.5, 0.99, 1.0)]
        line = f"{self.way.title:32}{len(self.added):6}{''.join(numbers)}  {'kept' if self.kept else 'BROKEN'}"
        return "\n".join([line, *(f"  {why}"[:80] for why in dict.fromkeys(self.unclean))])


def unclean(heard: Heard) -> str:
    """What is wrong with an answer that the second target should have given; empty: nothing."""
    if (heard.ending, heard.text, heard.finish) != ("finish", SPOKEN, "stop") or heard.incomplete:
        return f"{heard.status} {heard.ending} {heard.code} {heard.finish} {heard.text!r} {heard.why}"
    if not heard.headers.get("x-gateway-target", "").endswith("/second"):
        return f"answered by {heard.headers.get('x-gateway-target', 'nobody')}"
    return ""


class Place(NamedTuple):
    """What runs."""

    gateway: str
    first: Upstream
    second: Upstream

    async def asked(self, who: str, number: int) -> Heard:
        """Ask the agent, or the route itself."""
        path, model = ("/agents/guide/v1", "guide") if who == "agent" else ("/v1", "pair")
        question = {"role": "user", "content": f"Who are you? ({number})"}
        body = {"model": model, "stream": True, "messages": [question]}
        return await listened(f"{self.gateway}{path}/chat/completions", body, patience=10)


async def failed_over(place: Place, way: Way, count: int) -> Row:
    """Ask so often, the agent and the route in turn, while the first target fails like this."""
    row = Row(way)
    if way.reply is None:
        await place.first.stop()
    else:
        place.first.script = way.reply
    place.second.script = Script(["Hello", " there."])
    if way.cools:
        count = min(count, 5)
    width = 1 if way.own < DEADLINE else WAYS_AT_ONCE
    for at in range(0, count, width):
        place.first.requests.clear()
        whos = [way.only or Asks[number % 2] for number in range(at, min(at + width, count))]
        every = await asyncio.gather(*(place.asked(who, at + place_) for place_, who in enumerate(whos)))
        row.unclean += filter(None, map(unclean, every))
        if way.reply is None or len(place.first.requests) >= len(every):
            own = way.own if width > 1 else took(place.first)
            row.added += [heard.first - own for heard in every]
        await asyncio.sleep(way.cools)
    if way.reply is None:
        await place.first.start()
    return row


def took(upstream: Upstream) -> float:
    """Seconds from the request until the upstream had failed, by its own clock; 0 where nobody listens."""
    ended = [request.ended for request in upstream.requests if request.ended is not None]
    return max(ended) - upstream.requests[0].began if ended else 0.0


class Failing(NamedTuple):
    """A way in which both targets fail, and what a bare route answers."""

    title: str
    replies: tuple[Reply | None, Reply | None]
    status: int
    code: str
    within: float
    """Seconds until the apology, or the status."""
    cools: float = 0.0


QUICK = 1.2
"""Seconds until it is said that nobody is there (row U01)."""
SILENT = Script([Role(), Hang()])
BROKEN = Answer(500, error("Out of order."))
LIMITED = Answer(429, error("Slow down."), headers={"retry-after": "1"})
ALL_FAIL = (
    Failing("both refuse", (None, None), 502, "upstream_unavailable", QUICK),
    Failing("both 500", (BROKEN, BROKEN), 502, "upstream_unavailable", QUICK),
    Failing("both 401", (WAYS[4].reply, WAYS[4].reply), 502, "upstream_auth_failed", QUICK),
    Failing("both hang", (SILENT, SILENT), 504, "upstream_timeout", WHOLE + LIMIT),
    Failing("both 429 with Retry-After", (LIMITED, LIMITED), 429, "rate_limit_exceeded", QUICK, 1.2),
)
ALL_HEAD = f"{'every target':28}{'agent':>14}{'route':>14}{'max s':>8}{'at most':>9}"


async def all_failed(place: Place, failing: Failing, count: int) -> tuple[str, bool]:
    """The row of a way in which nobody answers, and whether the promise is kept."""
    for upstream, reply in zip((place.first, place.second), failing.replies, strict=True):
        if reply is None:
            await upstream.stop()
        else:
            upstream.script = reply
    spoken, refused, slowest = 0, 0, 0.0
    for number_, who in itertools.product(range(count), Asks):
        heard = await place.asked(who, number_)
        slowest = max(slowest, heard.first)
        if who == "agent":
            apology = heard.text.endswith(APOLOGY) and heard.incomplete
            spoken += apology and (heard.ending, heard.finish) == ("finish", "stop")
        else:
            refused += (heard.ending, heard.status, heard.code) == ("refused", failing.status, failing.code)
        await asyncio.sleep(failing.cools)
    for upstream, reply in zip((place.first, place.second), failing.replies, strict=True):
        if reply is None:
            await upstream.start()
    kept = spoken == refused == count and slowest <= failing.within
    agent, route = f"{spoken} spoken", f"{refused} x {failing.status}"
    words = f"{failing.title:28}{agent:>14}{route:>14}{slowest:8.2f}{failing.within:9.2f}"
    return f"{words}  {'kept' if kept else 'BROKEN'}", kept


async def measured(count: int, only: Sequence[str]) -> bool:
    """Start everything and measure; whether every promise is kept."""
    kept = []
    async with AsyncExitStack() as stack:
        first, second = [await stack.enter_async_context(scripted()) for _ in range(2)]
        prompts = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        (prompts / "guide.md").write_text(AGENT, encoding="utf-8")
        config = CONFIG.format(prompts=prompts, first=first.url, second=second.url)
        gateway = stack.enter_context(gateway_process(config))
        place = Place(gateway.url, first, second)
        print(HEAD)
        for way in WAYS:
            if not only or any(part in way.title for part in only):
                row = await failed_over(place, way, count)
                kept.append(row.kept)
                print(row, flush=True)
        print("over the failing target's own delay, to the first word; agent and route in turn")
        print(f"\n{ALL_HEAD}")
        for failing in ALL_FAIL:
            if not only or any(part in failing.title for part in only):
                line, good = await all_failed(place, failing, max(1, count // 10))
                kept.append(good)
                print(line, flush=True)
    return all(kept)


def main() -> int:
    """Measure and print; 1 where a promise is broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.failover", description="Who fails is replaced.")
    parser.add_argument("--count", type=int, default=50, help="requests in each way")
    parser.add_argument("--only", default="", help="ways whose titles hold one of these words, with commas")
    given = parser.parse_args()
    return 0 if asyncio.run(measured(given.count, [part for part in given.only.split(",") if part])) else 1


if __name__ == "__main__":
    sys.exit(main())
