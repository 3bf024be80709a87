"""A model that says when it speaks: each word of its answers is the moment at which it was written.

One OpenAI-compatible server for thousands of streams in the loop of who listens to them, so that both have one clock.
Its chunks have the fields and the size of OpenAI's, a word each, the space before it, and a full stop after every
twelfth.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import cast

import httptools

LETTERS = "abcdefghijklmnopqrstuvwxyz"
TRIPLES = [f"{one}{two}{three}".encode() for one in LETTERS for two in LETTERS for three in LETTERS]
AROUND = len(TRIPLES) ** 2
"""Microseconds until the words come again: five minutes."""
SENTENCE = 12
"""Words."""
EVENT = (
    b'data: {"id":"chatcmpl-CkQ2vXcapacity0capacity0capac","object":"chat.completion.chunk","created":1700000000,'
    b'"model":"gpt-4o-mini-2024-07-18","service_tier":"default","system_fingerprint":"fp_560af6e559","choices":'
    b'[{"index":0,"delta":%b,"logprobs":null,"finish_reason":%b}]}\n\n'
)
ROLE = EVENT % (b'{"role":"assistant","content":"","refusal":null}', b"null")
FINISH = EVENT % (b"{}", b'"stop"')
DONE = b"data: [DONE]\n\n"
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n"
LISTED = b'{"object":"list","data":[{"id":"stamped","object":"model","created":0,"owned_by":"tests"}]}'
MODELS = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (len(LISTED), LISTED)


@dataclass(frozen=True, slots=True)
class Pace:
    """How it answers from now on."""

    words: int
    gap: float
    """Seconds between two words."""
    first: float = 0.3
    """Seconds to the first one."""


def stamp(micros: int) -> bytes:
    """The word of this moment."""
    high, low = divmod(micros % AROUND, len(TRIPLES))
    return TRIPLES[high] + TRIPLES[low]


def moment(word: bytes) -> int:
    """The moment of a word, in microseconds, but for whole rounds of `AROUND`."""
    found = 0
    for letter in word:
        found = found * 26 + letter - 97
    return found


def now() -> int:
    """Microseconds."""
    return time.perf_counter_ns() // 1000


def framed(event: bytes) -> bytes:
    """As an HTTP chunk."""
    return b"%x\r\n%b\r\n" % (len(event), event)


def _event(at: int, number: int) -> bytes:
    ending = b"." if number % SENTENCE == 0 else b""
    return EVENT % (b'{"content":" %b%b"}' % (stamp(at), ending), b"null")


class Model:
    """The running server."""

    def __init__(self, pace: Pace) -> None:
        self.pace = pace
        self.received = 0
        """Bytes of requests, with their heads."""
        self.requests = 0
        self.url = ""

    @property
    def chunk_bytes(self) -> int:
        """Of one word's event, with HTTP's own."""
        return len(framed(_event(now(), 1)))


class Answering(asyncio.Protocol):
    """One connection."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._loop = asyncio.get_running_loop()
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport
        self._timer: asyncio.TimerHandle | None = None
        self._pace = model.pace
        self._began, self._said = 0.0, 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def data_received(self, data: bytes) -> None:
        self._model.received += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._transport.abort()

    def on_message_complete(self) -> None:
        if self._parser.get_method() != b"POST":
            self._transport.write(MODELS)
            return
        self._model.requests += 1
        self._pace = self._model.pace
        self._began, self._said = self._loop.time() + self._pace.first, 0
        self._transport.write(HEAD + framed(ROLE))
        self._timer = self._loop.call_at(self._began, self._speak)

    def _speak(self) -> None:
        self._said += 1
        self._transport.write(framed(_event(now(), self._said)))
        if self._said < self._pace.words:
            self._timer = self._loop.call_at(self._began + self._said * self._pace.gap, self._speak)
        else:
            self._timer = None
            self._transport.write(framed(FINISH) + framed(DONE) + b"0\r\n\r\n")


@contextlib.asynccontextmanager
async def speaking(pace: Pace) -> AsyncIterator[Model]:
    """Run it in this loop."""
    model = Model(pace)
    server = await asyncio.get_running_loop().create_server(lambda: Answering(model), "127.0.0.1", 0, backlog=4096)
    host, port = server.sockets[0].getsockname()[:2]
    model.url = f"http://{host}:{port}/v1"
    try:
        yield model
    finally:
        server.close()
