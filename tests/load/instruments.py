"""`python -m tests.load.instruments --count 10000 --workers 3`: do all that tell of turns tell the same?

A gateway, of one process or of several workers, is asked for turns of every ending (`mixture.py`), some at once. Then
what tells of them is held against what they were (`differing.py`): nothing may be missing, doubled or different. While
turns run the metrics are scraped, wherever that lands: no count may fall between two scrapes.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import orjson

from tests.caller import calling
from tests.collector import Collector, Span, collecting
from tests.load.differing import differences, untraced
from tests.load.mixture import Asked, Told, mixture
from tests.scraped import Scraped, scraped
from tests.serving import Gateway, gateway_process
from tests.upstream import Upstream, scripted

CALLERS = 8
ROUND = 900
"""Turns before their records are read: the API lists a thousand."""
BETWEEN = 0.1
"""Seconds between two scrapes."""
WITHIN = 15.0
"""Seconds until what has ended must be told."""
CONFIG = """
prompts = "{prompts}"
server.workers = {workers}
[breaker]
failures = 1000
[routes.main]
[[routes.main.targets]]
url = "{upstream}"
model = "first"
retries = 0
first_token = 10.0
between_chunks = 10.0
[[routes.main.targets]]
url = "{upstream}"
model = "second"
retries = 0
"""
AGENT = """---
name: {name}
language: en
route: main
on_failure: {on_failure}
apology: Sorry, I lost my thread.
unknown: I do not know.
---
You answer.
"""


class Place(NamedTuple):
    """A gateway of so many workers, its upstream, what that counted, who collects traces, and where workers count."""

    gateway: Gateway
    upstream: Upstream
    asked: Asked
    collector: Collector
    workers: int
    var: Path


@asynccontextmanager
async def place(workers: int = 1) -> AsyncIterator[Place]:
    """The upstream in this loop, the gateway as a process, or as several."""
    asked = Asked()
    async with scripted(asked.answered) as upstream, collecting() as collector:
        upstream.remember = False
        with tempfile.TemporaryDirectory(prefix="instruments-") as prompts:
            _written(Path(prompts))
            var = Path(prompts, "var")
            environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "GATEWAY_VAR": str(var)}
            config = CONFIG.format(prompts=prompts, upstream=upstream.url, workers=workers)
            process = gateway_process(config, environ)
            gateway = await asyncio.to_thread(process.__enter__)
            try:
                yield Place(gateway, upstream, asked, collector, workers, var)
            finally:
                await asyncio.to_thread(process.__exit__, None, None, None)


def _written(prompts: Path) -> None:
    for name, on_failure in (("nora", "speak"), ("strict", "error")):
        (prompts / f"{name}.md").write_text(AGENT.format(name=name, on_failure=on_failure), "utf-8")


async def turned(one: Told, at: Place) -> None:
    """Ask for one turn, as its caller does."""
    url = f"{at.gateway.url}/agents/{one.kind.agent}/v1/chat/completions"
    async with asyncio.timeout(WITHIN), calling(url, one.body, headers={"x-request-id": one.id}) as call:
        if one.kind.leaves == "waiting":
            while not at.asked.by_turn[one.number]:  # noqa: ASYNC110 the upstream has no event for it
                await asyncio.sleep(0.002)
        elif one.kind.leaves == "listening":
            async for event in call.events():
                if "two" in event.data:
                    break
        else:
            await call.body()
            return
        call.hang_up()


async def asked(turns: Sequence[Told], at: Place) -> None:
    """Ask for all of them, some at once."""
    waiting = iter(turns)

    async def caller() -> None:
        for one in waiting:
            await turned(one, at)

    async with asyncio.TaskGroup() as callers:
        for _ in range(CALLERS):
            callers.create_task(caller())


@asynccontextmanager
async def watched(at: Place) -> AsyncIterator[list[str]]:
    """What fell between two scrapes, while inside."""
    fell: list[str] = []

    async def watch() -> None:
        before = await scraped(at.gateway.url)
        while True:
            await asyncio.sleep(BETWEEN)
            after = await scraped(at.gateway.url)
            fell.extend(before.fallen(after))
            before = after

    watching = asyncio.create_task(watch())
    try:
        yield fell
    finally:
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching


async def until(found: Callable[[], Any], whole: Callable[[Any], bool]) -> Any:
    """What is found, once it is whole, or as it is when the time is over."""
    deadline = time.monotonic() + WITHIN
    while True:
        seen = await found()
        if whole(seen) or time.monotonic() > deadline:
            return seen
        await asyncio.sleep(0.05)


async def records(turns: Sequence[Told], at: Place) -> dict[str, Any]:
    """Those of these turns, by their requests' ids."""
    ids = {one.id for one in turns}
    async with httpx.AsyncClient() as client:

        async def listed() -> list[Any]:
            answer = await client.get(f"{at.gateway.url}/admin/turns", params={"limit": 1000})
            return [one for one in answer.json()["turns"] if one["id"] in ids]

        found = await until(listed, lambda found: len(found) >= len(ids))
    return {one["id"]: one for one in found}


async def lines(count: int, at: Place) -> list[Any]:
    """The turns' lines in the log."""

    async def found() -> list[Any]:
        told = (orjson.loads(line) for line in list(at.gateway.lines) if line.startswith('{"ts"'))
        return [line for line in told if line["event"] == "turn"]

    return list(await until(found, lambda found: len(found) >= count))


async def spans(at: Place) -> list[Span]:
    """Of turns and of attempts."""
    return [span for span in at.collector.spans if span.kind in ("server", "client")]


def idle(at: Place, seen: Scraped) -> Iterator[str]:
    """Workers that are not seen, or had no turn: then nothing was proved of several."""
    if (workers := seen.value("gateway_workers")) != at.workers:
        yield f"{workers:g} of {at.workers} workers are seen"
    files = sorted(at.var.glob("workers/*/metrics/counter_*.db"))
    if at.workers > 1 and len(files) != at.workers:
        yield f"{at.workers} workers have {len(files)} files"
    for file in files:
        if b'"gateway_requests_total"' not in file.read_bytes():
            yield f"{file.name} has no turn"


async def agreed(count: int, at: Place) -> list[str]:
    """Ask for so many turns; what does not agree afterwards."""
    turns = mixture(count)
    kept: dict[str, Any] = {}
    async with watched(at) as fell:
        for begin in range(0, count, ROUND):
            some = turns[begin : begin + ROUND]
            await asked(some, at)
            kept |= await records(some, at)
    told = await lines(count, at)
    # Of its streams a worker tells the others every second.
    seen = await until(lambda: scraped(at.gateway.url), lambda seen: not seen.value("gateway_inflight_streams"))
    expected = count + sum(len(one.kind.attempts) for one in turns)
    await until(lambda: spans(at), lambda spans: len(spans) >= expected)
    return [*fell, *idle(at, seen), *differences(turns, told, kept, at.asked, seen), *untraced(told, await spans(at))]


async def main_run(count: int, workers: int) -> bool:
    """Ask, print, and say whether all agree."""
    async with place(workers) as at:
        began = time.monotonic()
        found = await agreed(count, at)
        requests = sum(map(len, at.asked.by_turn.values()))
        by = f" of {workers} workers" if workers > 1 else ""
        print(f"{count} turns{by}, {requests} requests to the upstream, {time.monotonic() - began:.1f} s")
    for one in found[:20]:
        print(f"  {one}"[:300])
    agree = "metrics, log lines, records, spans and the upstream's own count agree"
    print(f"{len(found)} differences" if found else agree)
    return not found


def main() -> int:
    """Read the arguments; 1 where something differs."""
    parser = argparse.ArgumentParser(prog="python -m tests.load.instruments", description="Do the instruments agree?")
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=1)
    arguments = parser.parse_args()
    return 0 if asyncio.run(main_run(arguments.count, arguments.workers)) else 1


if __name__ == "__main__":
    sys.exit(main())
