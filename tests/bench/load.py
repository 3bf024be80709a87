"""The load: callers on keep-alive connections, each asking again when it has its answer. Every stream is checked."""

import asyncio
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import cast
from urllib.parse import urlsplit

import httptools
import orjson

SAID = re.compile(rb'"content": ?"((?:[^"\\]|\\.)+)"')
"""A delta that says something; the role chunk's content is empty. The bench's words hold nothing that JSON escapes."""
FINISHED = re.compile(rb'"finish_reason": ?"stop"')


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, ready to be written, and what has to come back."""

    url: str
    bodies: Sequence[dict[str, object]]
    expected: bytes
    """The whole text."""

    def written(self) -> list[bytes]:
        """The requests as bytes."""
        parts = urlsplit(self.url)
        head = f"POST {parts.path} HTTP/1.1\r\nhost: {parts.netloc}\r\ncontent-type: application/json\r\n"
        bodies = [orjson.dumps(body) for body in self.bodies]
        return [f"{head}content-length: {len(body)}\r\n\r\n".encode() + body for body in bodies]


@dataclass(frozen=True, slots=True)
class Load:
    """How much, for how long."""

    callers: int
    seconds: float
    """No stream is begun later than this. Those that run are waited for, `patience` seconds at most."""
    streams: int = 10**9
    """Streams of a caller at most."""
    spread: float = 0.0
    """The callers begin one after another within this time."""
    patience: float = 15.0


@dataclass(slots=True)
class Heard:
    """What came of it."""

    first_tokens: list[float] = field(default_factory=list)
    """Seconds, of the good streams."""
    good: int = 0
    failures: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0

    def failed(self, why: str) -> None:
        """Count a bad stream."""
        self.failures[why] = self.failures.get(why, 0) + 1


class Caller(asyncio.Protocol):
    """One caller on one connection."""

    def __init__(self, requests: Sequence[bytes], expected: bytes, load: Load, heard: Heard) -> None:
        self._requests = requests
        self._expected = expected
        self._load = load
        self._heard = heard
        self._transport: asyncio.Transport
        self._deadline = 0.0
        self._asked = 0
        self._sent = 0.0
        self._first = 0.0
        self._body = bytearray()
        self._parser = httptools.HttpResponseParser(self)
        self.running = False
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def begin(self, deadline: float) -> None:
        """Ask for the first time."""
        self._deadline = deadline
        self._ask()

    def abandon(self) -> None:
        """Stop waiting."""
        if self.running:
            self._heard.failed("not answered in time")
            self.running = False
        self._transport.abort()

    def _ask(self) -> None:
        if time.perf_counter() >= self._deadline or self._asked >= self._load.streams:
            self.running = False
            if not self.done.done():
                self.done.set_result(None)
            return
        request = self._requests[self._asked % len(self._requests)]
        self._asked += 1
        self._first = 0.0
        self._body.clear()
        self.running = True
        self._sent = time.perf_counter()
        self._transport.write(request)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        if self.running:
            self.running = False
            self._heard.failed("connection closed")
        if not self.done.done():
            self.done.set_result(None)

    def on_body(self, body: bytes) -> None:
        self._body += body
        if not self._first and SAID.search(self._body):
            self._first = time.perf_counter()

    def on_message_complete(self) -> None:
        why = self._fault()
        if why:
            self._heard.failed(why)
        else:
            self._heard.good += 1
            self._heard.first_tokens.append(self._first - self._sent)
        asyncio.get_running_loop().call_soon(self._ask)

    def _fault(self) -> str:
        status = self._parser.get_status_code()
        if status != 200:
            return f"status {status}"
        if self._body.count(b"data: [DONE]\n") != 1 or not self._body.endswith(b"data: [DONE]\n\n"):
            return "not ended by one [DONE]"
        if len(FINISHED.findall(self._body)) != 1:
            return "not one finish reason"
        if b"".join(SAID.findall(self._body)) != self._expected:
            return "another text"
        return ""


def _given(caller: Caller) -> Caller:
    return caller


async def heard(question: Question, load: Load) -> Heard:
    """Put the load on and wait for its end."""
    loop = asyncio.get_running_loop()
    result = Heard()
    requests = question.written()
    parts = urlsplit(question.url)
    host, port = parts.hostname or "", parts.port or 80
    callers = []
    for number in range(load.callers):
        turned = requests[number % len(requests) :] + requests[: number % len(requests)]
        caller = Caller(turned, question.expected, load, result)
        await loop.create_connection(partial(_given, caller), host, port)
        callers.append(caller)
    began = time.perf_counter()
    for number, caller in enumerate(callers):
        loop.call_later(load.spread * number / load.callers, caller.begin, began + load.seconds)
    await asyncio.wait([caller.done for caller in callers], timeout=load.seconds + load.patience)
    result.seconds = time.perf_counter() - began
    for caller in callers:
        caller.abandon()
    await asyncio.sleep(0.02)
    return result
