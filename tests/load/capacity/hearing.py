"""The callers: each on a connection of its own, asking again when it has its answer; how late each word comes."""

import asyncio
import contextlib
import random
import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import cast
from urllib.parse import urlsplit

import httptools
import orjson

from tests.load.capacity.speaking import AROUND, moment, now

WORD = re.compile(rb'"content": ?" ?([a-z]{6})[. ]*"')
FINISHED = re.compile(rb'"finish_reason": ?"stop"')


class Spoilt(RuntimeError):
    """Something was in the way of a measurement, which means nothing then."""


@dataclass(slots=True)
class Heard:
    """What the callers heard while it counts."""

    counts: bool = False
    late: list[float] = field(default_factory=list)
    """Milliseconds."""
    turns: int = 0
    """Answers that came to their end."""
    received: int = 0
    """Bytes, with HTTP's own."""
    failures: dict[str, int] = field(default_factory=dict)
    """Counted from the first question on."""

    def failed(self, why: str) -> None:
        """One more bad stream."""
        self.failures[why] = self.failures.get(why, 0) + 1

    def whole(self) -> None:
        """Raise Spoilt where a stream failed, or where nothing was heard."""
        if self.failures or not self.turns:
            told = ", ".join(f"{count} times {why}" for why, count in self.failures.items()) or "no answer ended"
            raise Spoilt(f"Streams that should be easy were not whole: {told}. Is the machine quiet?")


def request(url: str, body: object, headers: Sequence[str] = ()) -> bytes:
    """A question as bytes."""
    parts = urlsplit(url)
    content = orjson.dumps(body)
    lines = [
        *(f"POST {parts.path} HTTP/1.1", f"host: {parts.netloc}", "content-type: application/json"),
        *(f"content-length: {len(content)}", *headers, "", ""),
    ]
    return "\r\n".join(lines).encode() + content


class Caller(asyncio.Protocol):
    """One caller. An answer is whole with status 200, all its words, one finish and one [DONE]."""

    def __init__(self, questions: Sequence[bytes], words: int, heard: Heard) -> None:
        self._questions = questions
        self._words = words
        self._heard = heard
        self._transport: asyncio.Transport
        self._parser = httptools.HttpResponseParser(self)
        self._asked = self._found = self._finished = self._done = 0
        self._rest = b""
        self._listening = False
        self.over = asyncio.get_running_loop().create_future()

    def ask(self) -> None:
        """Ask the next question."""
        if self._transport.is_closing():
            return
        question = self._questions[self._asked % len(self._questions)]
        self._asked += 1
        self._found = self._finished = self._done = 0
        self._rest, self._listening = b"", True
        self._transport.write(question)

    def leave(self) -> None:
        """Hang up."""
        self._listening = False
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        if self._heard.counts:
            self._heard.received += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._listening:
            self._listening = False
            self._heard.failed("broken off")
        if not self.over.done():
            self.over.set_result(None)

    def on_body(self, body: bytes) -> None:
        at = now()
        *events, self._rest = (self._rest + body).split(b"\n\n")
        for event in events:
            if match := WORD.search(event):
                self._found += 1
                if self._heard.counts:
                    self._heard.late.append((at - moment(match[1])) % AROUND / 1000)
            elif event == b"data: [DONE]":
                self._done += 1
            elif FINISHED.search(event):
                self._finished += 1

    def on_message_complete(self) -> None:
        self._listening = False
        status = self._parser.get_status_code()
        if status != 200:
            self._heard.failed(f"status {status}")
        elif (self._found, self._finished, self._done) != (self._words, 1, 1):
            self._heard.failed(f"{self._found} words of {self._words}, {self._finished} endings")
        elif self._heard.counts:
            self._heard.turns += 1
        loop = asyncio.get_running_loop()
        # Who is refused waits a little: a refusal is cheap, and thousands of callers would ask nothing else.
        loop.call_later(0.0 if status == 200 else 0.5, self.ask)


def _given(caller: Caller) -> Caller:
    return caller


@contextlib.asynccontextmanager
async def calling(
    url: str, questions: Sequence[bytes], words: int, callers: int, spread: float
) -> AsyncIterator[Heard]:
    """So many callers, who have all begun when the block begins: one after another within `spread` seconds.

    They hang up when it ends.
    """
    loop = asyncio.get_running_loop()
    heard = Heard()
    parts = urlsplit(url)
    there: list[Caller] = []
    try:
        began = loop.time()
        # By chance, always the same: people do not come in step, and in step their words would come in bursts.
        chance = random.Random(callers)
        arrivals = sorted(chance.uniform(0.0, spread) for _ in range(callers))
        for number, arrival in enumerate(arrivals):
            turned = [*questions[number % len(questions) :], *questions[: number % len(questions)]]
            caller = Caller(turned, words, heard)
            await asyncio.sleep(max(0.0, began + arrival - loop.time()))
            await loop.create_connection(partial(_given, caller), parts.hostname or "", parts.port or 80)
            there.append(caller)
            caller.ask()
        yield heard
    finally:
        heard.counts = False
        for caller in there:
            caller.leave()
        if there:
            await asyncio.wait([caller.over for caller in there], timeout=5)
