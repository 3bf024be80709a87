"""`python -m tests.load.instruments --count 10000`: do all that tell of turns tell the same?

A gateway process is asked for turns of every ending (`mixture.py`), some at once. Then each turn's line in the log, its
record in `/admin/turns` and what the upstream counted itself are held against what the turn was, one by one, and the
metrics against the sums of the lines, and the spans that a collector got against the lines. Nothing may be missing,
doubled or different.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import orjson

from tests.caller import calling
from tests.collector import Collector, Span, collecting
from tests.load.mixture import THEIRS, Asked, Told, mixture
from tests.scraped import Scraped, scraped
from tests.serving import Gateway, gateway_process
from tests.upstream import Upstream, scripted

CALLERS = 8
ROUND = 900
"""Turns before their records are read: the API lists a thousand."""
WITHIN = 15.0
"""Seconds until what has ended must be told."""
CONFIG = """
prompts = "{prompts}"
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
    """A gateway, its upstream, what the upstream counted, and who collects its traces."""

    gateway: Gateway
    upstream: Upstream
    asked: Asked
    collector: Collector


@asynccontextmanager
async def place() -> AsyncIterator[Place]:
    """The upstream in this loop, the gateway as a process."""
    asked = Asked()
    async with scripted(asked.answered) as upstream, collecting() as collector:
        upstream.remember = False
        with tempfile.TemporaryDirectory(prefix="instruments-") as prompts:
            _written(Path(prompts))
            environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}
            process = gateway_process(CONFIG.format(prompts=prompts, upstream=upstream.url), environ)
            gateway = await asyncio.to_thread(process.__enter__)
            try:
                yield Place(gateway, upstream, asked, collector)
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


def differences(
    turns: Sequence[Told], told: Sequence[Any], kept: dict[str, Any], asked: Asked, seen: Scraped
) -> Iterator[str]:
    """What does not agree, in words; nothing where everything does."""
    by_id = {line["request_id"]: line for line in told}
    if len(told) != len(turns) or len(by_id) != len(turns) or len(kept) != len(turns):
        yield f"{len(turns)} turns, {len(told)} lines of {len(by_id)} turns, {len(kept)} records"
    for one in turns:
        for what, found in (("line", by_id.get(one.id)), ("record", kept.get(one.id))):
            if (says := _said(found)) != (wanted := _wanted(one)):
                yield f"{one}: the {what} says {says}, not {wanted}"
        if asked.by_turn[one.number] != [target for target, _, _ in one.kind.attempts]:
            yield f"{one}: the upstream was asked {asked.by_turn[one.number]}"
    for name, labels, counted in sums(told):
        if (found := seen.by(name, *labels)) != counted:
            yield f"{name} by {labels}: {found} where the log has {dict(counted)}"
    spent = sum(line.get("ttft_ms", 0.0) for line in told) / 1000
    measured = seen.total("gen_ai_server_time_to_first_token_seconds_sum")
    if abs(spent - measured) > len(turns) * 5e-6 + 1e-9:  # the log rounds to a hundredth of a millisecond
        yield f"{measured} s until the first words where the log has {spent}"
    if seen.value("gateway_inflight_streams"):
        yield "turns are still in flight"


async def spans(at: Place) -> list[Span]:
    """Of turns and of attempts."""
    return [span for span in at.collector.spans if span.kind in ("server", "client")]


def untraced(told: Sequence[Any], found: Sequence[Span]) -> Iterator[str]:
    """What lines and spans do not agree in."""
    turns = Counter(span.attributes["gateway.request_id"] for span in found if span.kind == "server")
    by_id = {span.id: span for span in found if span.kind == "server"}
    attempts: dict[str, list[Span]] = {}
    for span in sorted((span for span in found if span.kind == "client"), key=lambda span: span.began):
        attempts.setdefault(span.parent, []).append(span)
    if turns != Counter(line["request_id"] for line in told) or set(attempts) - set(by_id):
        yield f"{len(told)} lines, and spans of {len(turns)} turns"
    for line in told:
        one = by_id.get(line["span_id"])
        says = (one.trace, one.attributes["gateway.outcome"], one.attributes.get("error.type", "")) if one else ()
        if says != (line["trace_id"], line["outcome"], line["code"]):
            yield f"{line['request_id']}: the span says {says}"
        tried = [_attempt(each.attributes) for each in attempts.get(line["span_id"], ())]
        if tried != [(each["target"], each["kind"], each["code"]) for each in line["attempts"]]:
            yield f"{line['request_id']}: spans of {tried}"


def _attempt(told: dict[str, Any]) -> tuple[str, str, str]:
    return told["gateway.target"], told["gateway.attempt.kind"], told.get("error.type", "")


def _wanted(one: Told) -> tuple[Any, ...]:
    """What must be told of the turn."""
    kind = one.kind
    return kind.agent, kind.outcome, kind.code, list(kind.attempts)


def _said(found: Any) -> tuple[Any, ...]:
    """What a line or a record tells; nothing where there is none."""
    if found is None:
        return ()
    attempts = [(each["target"], each["kind"], each["code"]) for each in found["attempts"]]
    return found["agent"], found["outcome"], found["code"], attempts


def sums(told: Sequence[Any]) -> Iterator[tuple[str, tuple[str, ...], Counter[tuple[str, ...]]]]:
    """What the metrics must say: a name, labels, and the count of each of their values."""
    attempts = [each for line in told for each in line["attempts"]]
    failed = [line for line in told if line["code"]]
    code = {THEIRS: "other"}
    yield (
        "gateway_requests_total",
        ("agent", "route", "outcome"),
        Counter((line["agent"], line["route"], line["outcome"]) for line in told),
    )
    yield (
        "gateway_attempts_total",
        ("target", "kind", "code"),
        Counter((each["target"], each["kind"], code.get(each["code"], each["code"])) for each in attempts),
    )
    yield (
        "gateway_errors_total",
        ("outcome", "code"),
        Counter((line["outcome"], code.get(line["code"], line["code"])) for line in failed),
    )
    yield (
        "gateway_midstream_failures_total",
        ("code",),
        Counter((line["code"],) for line in failed if line["target"] and line["outcome"] != "client_gone"),
    )
    yield (
        "gateway_client_disconnects_total",
        ("phase",),
        Counter((line["phase"],) for line in told if line["outcome"] == "client_gone"),
    )
    passed_on = [line["attempts"] for line in told if len(line["attempts"]) > 1]
    yield (
        "gateway_fallbacks_total",
        ("from", "to", "reason"),
        Counter((first["target"], second["target"], first["code"]) for first, second in passed_on),
    )
    for name, moment in (
        ("gen_ai_server_time_to_first_token_seconds", "ttft_ms"),
        ("gateway_first_clause_seconds", "first_clause_ms"),
        ("gateway_longest_gap_seconds", "longest_gap_ms"),
    ):
        yield f"{name}_count", ("agent",), Counter((line["agent"],) for line in told if moment in line)
    yield (
        "gen_ai_server_request_duration_seconds_count",
        ("agent",),
        Counter((line["agent"],) for line in told),
    )
    yield (
        "gen_ai_client_token_usage_sum",
        ("gen_ai_token_type",),
        Counter(
            {
                ("input",): sum(line["prompt_tokens"] or 0 for line in told),
                ("output",): sum(line["completion_tokens"] or 0 for line in told),
            }
        ),
    )


async def agreed(count: int, at: Place) -> list[str]:
    """Ask for so many turns; what does not agree afterwards."""
    turns = mixture(count)
    kept: dict[str, Any] = {}
    for begin in range(0, count, ROUND):
        some = turns[begin : begin + ROUND]
        await asked(some, at)
        kept |= await records(some, at)
    told = await lines(count, at)
    seen = await scraped(at.gateway.url)
    expected = count + sum(len(one.kind.attempts) for one in turns)
    await until(lambda: spans(at), lambda spans: len(spans) >= expected)
    return [*differences(turns, told, kept, at.asked, seen), *untraced(told, await spans(at))]


async def main_run(count: int) -> bool:
    """Ask, print, and say whether all agree."""
    async with place() as at:
        began = time.monotonic()
        found = await agreed(count, at)
        requests = sum(map(len, at.asked.by_turn.values()))
        print(f"{count} turns, {requests} requests to the upstream, {time.monotonic() - began:.1f} s")
    for one in found[:20]:
        print(f"  {one}"[:300])
    agree = "metrics, log lines, records, spans and the upstream's own count agree"
    print(f"{len(found)} differences" if found else agree)
    return not found


def main() -> int:
    """Read the arguments; 1 where something differs."""
    parser = argparse.ArgumentParser(prog="python -m tests.load.instruments", description="Do the instruments agree?")
    parser.add_argument("--count", type=int, default=10_000)
    return 0 if asyncio.run(main_run(parser.parse_args().count)) else 1


if __name__ == "__main__":
    sys.exit(main())
