"""`python -m tests.load.rolling`: what callers notice of a worker that is killed, and of a rolling restart.

Callers ask again and again, some on a new connection each time, some on a kept one, for answers of several seconds. One
worker is killed (SIGKILL), then all are replaced (SIGUSR2). Whose stream it was is seen from outside, by the kernel's
table of connections. A caller who meets nobody asks again at once: the longest time from its first try to an answer
that began is how long it was refused.
"""

import argparse
import asyncio
import os
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import orjson

from tests.load.owners import owners, workers
from tests.load.programs import upstream_process
from tests.serving import Gateway, gateway_process

CHUNKS, GAP = 40, 0.1
"""An answer of four seconds."""
SETTLED = 5.0
"""Seconds until as many streams as callers run."""
AFTER = 4.0
"""Seconds between the worker that is back and the roll."""
LONGEST = 1.0
"""Seconds that a caller may be refused."""
PATIENCE = 30.0
CONFIG = """
prompts = "{place}"
default_route = "up"
[server]
drain_notice = 0
[limits]
lag = 60.0
[[routes.up.targets]]
url = "http://127.0.0.1:{port}/v1"
model = "scripted"
first_token = 30.0
between_chunks = 30.0
"""
BODY = orjson.dumps({"model": "up", "stream": True, "messages": [{"role": "user", "content": "How tall is it?"}]})


@dataclass(slots=True)
class Found:
    """What the callers found."""

    whole: int = 0
    cut: list[int] = field(default_factory=list)
    """The callers' ports of streams that ended in nothing."""
    again: int = 0
    """Requests that met nobody, or a connection that was just closed, and were sent again."""
    refused: Counter[int] = field(default_factory=Counter)
    """Answers with a status other than 200."""
    longest: float = 0.0
    """Seconds from a first try to the head of an answer."""
    talking: dict[int, float] = field(default_factory=dict)
    """The callers' ports of streams that run."""


class Caller:
    """One of them. `kept`: it asks on the connection it has as long as the gateway lets it."""

    def __init__(self, url: str, found: Found, *, kept: bool) -> None:
        parts = urlsplit(url)
        self._host, self._port = str(parts.hostname), int(parts.port or 0)
        self._found = found
        self._kept = kept
        self._connection: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def asks(self, over: Callable[[], bool]) -> None:
        """Ask until it is over."""
        try:
            while not over():
                async with asyncio.timeout(PATIENCE):
                    await self._turn()
                await asyncio.sleep(0.05)
        finally:
            self._left()

    async def _turn(self) -> None:
        began = time.perf_counter()
        while True:
            try:
                status, closes = await self._sent()
            except (OSError, asyncio.IncompleteReadError):
                self._left()
                self._found.again += 1
                await asyncio.sleep(0.01)
                continue
            if status == 200:
                break
            self._found.refused[status] += 1
            self._left()
            await asyncio.sleep(0.01)
        self._found.longest = max(self._found.longest, time.perf_counter() - began)
        assert self._connection is not None
        reader, writer = self._connection
        port = writer.get_extra_info("sockname")[1]
        self._found.talking[port] = began
        try:
            proper = await _heard(reader)
        except (OSError, asyncio.IncompleteReadError):
            proper = False
        del self._found.talking[port]
        if proper:
            self._found.whole += 1
        else:
            self._found.cut.append(port)
        if closes or not proper or not self._kept:
            self._left()

    async def _sent(self) -> tuple[int, bool]:
        """Send the request; the status of the answer, and whether its connection is closed after it."""
        if self._connection is None:
            self._connection = await asyncio.open_connection(self._host, self._port)
        reader, writer = self._connection
        head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: {len(BODY)}\r\n\r\n"
        writer.write(head.encode() + BODY)
        answer = (await reader.readuntil(b"\r\n\r\n")).lower()
        return int(answer.split(b" ", 2)[1]), b"connection: close" in answer

    def _left(self) -> None:
        if self._connection is not None:
            self._connection[1].transport.abort()
            self._connection = None


async def _heard(reader: asyncio.StreamReader) -> bool:
    """Read the chunks of an answer to their end: whether it says all, finishes and has its terminator."""
    text = b""
    while size := int(await reader.readuntil(b"\r\n"), 16):
        text += (await reader.readexactly(size + 2))[:size]
    await reader.readexactly(2)
    return text.count(b'"content"') >= CHUNKS and b'"finish_reason":"stop"' in text and text.endswith(b"[DONE]\n\n")


@dataclass(slots=True)
class Course:
    """What was done, and when it was seen."""

    spread: list[int] = field(default_factory=list)
    """Streams of each worker before the kill."""
    killed: set[int] = field(default_factory=set)
    """The callers' ports of the streams of the worker that was killed."""
    back: float = 0.0
    """Seconds until it had been replaced."""
    rolled: float = 0.0
    """Seconds of the roll."""
    whole: int = 0
    """Streams that ended properly while it rolled."""
    cut: int = 0
    """Streams that were cut while it rolled."""


async def run(streams: int, count: int) -> tuple[Course, Found]:
    """Let everything happen once."""
    async with AsyncExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="rolling-")))
        (place / "nora.md").write_text("---\nlanguage: en\napology: Sorry.\n---\nYou are Nora.\n", "utf-8")
        upstream = await stack.enter_async_context(upstream_process(chunks=CHUNKS, first=0.1, gap=GAP))
        config = CONFIG.format(place=place, port=upstream.port)
        gateway = stack.enter_context(gateway_process(config, arguments=["--workers", str(count)], stop_within=60))
        found, over = Found(), asyncio.Event()
        callers = [Caller(gateway.url, found, kept=number % 2 == 0) for number in range(streams)]
        asking = [asyncio.create_task(each.asks(over.is_set)) for each in callers]
        try:
            await asyncio.sleep(SETTLED)
            course = await _course(gateway, found)
            over.set()
            await asyncio.gather(*asking)
        finally:
            for task in asking:
                task.cancel()
            await asyncio.gather(*asking, return_exceptions=True)
    return course, found


async def _course(gateway: Gateway, found: Found) -> Course:
    course, pid = Course(), gateway.process.pid
    before = workers(pid)
    port = int(gateway.url.rpartition(":")[2])
    # Stopped first: what it serves cannot change between the look and the kill.
    victim = before[0]
    os.kill(victim, signal.SIGSTOP)
    served = owners(port, before)
    running = [caller for caller in served if caller in found.talking]
    course.spread = [sum(served[caller] == each for caller in running) for each in before]
    course.killed = {caller for caller, each in served.items() if each == victim}
    began = time.monotonic()
    os.kill(victim, signal.SIGKILL)
    await _said(gateway, "serves after", len(before) + 1)
    course.back = time.monotonic() - began
    await asyncio.sleep(AFTER)
    whole, cut = found.whole, len(found.cut)
    began = time.monotonic()
    gateway.process.send_signal(signal.SIGUSR2)
    await _said(gateway, "the rolling restart took", 1)
    course.rolled = time.monotonic() - began
    course.whole, course.cut = found.whole - whole, len(found.cut) - cut
    return course


async def _said(gateway: Gateway, words: str, times: int) -> None:
    async with asyncio.timeout(120):
        while gateway.log.count(words) < times:  # noqa: ASYNC110  (a log has no event)
            await asyncio.sleep(0.02)


def verdict(course: Course, found: Found) -> list[tuple[str, bool]]:
    """What is promised, in words, and whether it was kept."""
    others = [caller for caller in found.cut if caller not in course.killed]
    return [
        (f"{len(found.cut)} streams cut by the kill, {len(others)} of them of another worker", not others),
        (f"{course.cut} streams cut by the roll, {course.whole} ended properly meanwhile", not course.cut),
        (f"longest time without an answer for who asks again: {found.longest:.2f} s", found.longest <= LONGEST),
        (f"{sum(found.refused.values())} answers with an error ({dict(found.refused)})", not found.refused),
    ]


def main() -> int:
    """Read the arguments; 1 where a promise is broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.load.rolling", description="A kill and a roll, under load.")
    parser.add_argument("--streams", type=int, default=200)
    parser.add_argument("--workers", type=int, default=3)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    given = parser.parse_args()
    course, found = asyncio.run(run(given.streams, given.workers))
    whole = f"{found.whole} whole answers"
    print(f"{given.streams} callers, {given.workers} workers with {course.spread} streams; {whole}")
    print(
        f"killed: {course.spread[0]} streams, another worker after {course.back:.1f} s; rolled in {course.rolled:.1f} s"
    )
    print(f"{found.again} requests met a connection that was closed and were sent again")
    every = verdict(course, found)
    for words, kept in every:
        print(f"{'kept  ' if kept else 'BROKEN'} {words}")
    return 0 if all(kept for _, kept in every) else 1


if __name__ == "__main__":
    sys.exit(main())
