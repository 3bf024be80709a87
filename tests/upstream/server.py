"""The scripted upstream as a server: HTTP/1.1 on an `asyncio.Protocol`, without a task per request.

Faults are made on the connection itself, so no framework stands between; and it carries the bench, so it has
to be much faster than what is measured.
"""

import asyncio
import contextlib
import socket
import struct
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias, cast

import httptools
import orjson

from tests.upstream.script import Answer, Cut, Pause, Reply, Reset, Script, error
from tests.upstream.wire import Asked, Deed, Write, deeds

MODEL = {"id": "scripted", "object": "model", "created": 0, "owned_by": "tests"}
LINGER_ZERO = struct.pack("ii", 1, 0)
"""SO_LINGER that makes a close a reset."""


@dataclass(slots=True)
class Request:
    """One chat completion that was asked for. Times are `time.perf_counter()`."""

    path: str
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes
    began: float
    """When the whole request was here."""
    events: int = 0
    """SSE events written so far."""
    ended: float | None = None
    """When the answer was over: written to its end, or broken off as the script says."""
    closed: float | None = None
    """When the peer closed the connection before that."""
    over: asyncio.Event = field(default_factory=asyncio.Event, repr=False)
    """Set when it ended or closed."""

    @property
    def json(self) -> Any:
        """The body, parsed."""
        return orjson.loads(self.body)

    @property
    def closed_after(self) -> float | None:
        """Seconds after which the peer hung up on an unfinished answer; None if it did not."""
        return None if self.closed is None else self.closed - self.began


Replies: TypeAlias = Reply | Callable[[Request], Reply]


def in_turn(*replies: Reply) -> Callable[[Request], Reply]:
    """The first reply to the first request, and so on; the last one to all that follow."""
    waiting = list(replies)
    return lambda _: waiting.pop(0) if len(waiting) > 1 else waiting[0]


class Upstream:
    """The running double. `script` may be set between requests: a reply, or a function of the request."""

    def __init__(self, script: Replies, *, remember: bool = True) -> None:
        self.script = script
        self.requests: list[Request] = []
        self.remember = remember
        self.stats = {"requests": 0, "open": 0, "closed_early": 0, "chunks_sent": 0}
        self.asides: dict[str, Callable[[str], Answer]] = {
            "/stats": lambda _: Answer(200, dict(self.stats)),
            "/v1/models": lambda _: Answer(200, {"object": "list", "data": [MODEL]}),
        }
        """What other paths answer, given the query string."""
        self.connections: set[Connection] = set()
        self._server: asyncio.Server | None = None
        self._address = ("127.0.0.1", 0)
        self._arrived = asyncio.Event()
        self._last: tuple[Reply, Asked, tuple[Deed, ...]] | None = None

    @property
    def url(self) -> str:
        """The base URL, ending in `/v1`."""
        host, port = self._address
        return f"http://{host}:{port}/v1"

    async def start(self, host: str = "", port: int = 0) -> None:
        """Listen. After `stop` the same address is taken again."""
        loop = asyncio.get_running_loop()
        self._address = (host or self._address[0], port or self._address[1])
        self._server = await loop.create_server(lambda: Connection(self, loop), *self._address, backlog=2048)
        self._address = self._server.sockets[0].getsockname()[:2]

    async def stop(self) -> None:
        """Refuse connections from now on, and drop the open ones."""
        if self._server is not None:
            self._server.close()
            for connection in list(self.connections):
                connection.drop()
            await self._server.wait_closed()
            self._server = None
            await asyncio.sleep(0)

    async def asked(self, count: int = 1, *, within: float = 5.0) -> Request:
        """Wait until so many requests have come; the last of them."""
        async with asyncio.timeout(within):
            while len(self.requests) < count:
                self._arrived.clear()
                await self._arrived.wait()
        return self.requests[count - 1]

    def answer(self, request: Request) -> tuple[Deed, ...]:
        """Note the request and say what to do about it."""
        self.stats["requests"] += 1
        if self.remember:
            self.requests.append(request)
            self._arrived.set()
        try:
            body = orjson.loads(request.body)
            asked = Asked(
                model=str(body.get("model", "scripted")),
                stream=body.get("stream") is True,
                usage=bool((body.get("stream_options") or {}).get("include_usage")),
            )
        except (orjson.JSONDecodeError, AttributeError):
            return deeds(Answer(400, error("The body is no JSON object.", "invalid_json")), Asked())
        reply = self.script(request) if callable(self.script) else self.script
        return self._deeds(reply, asked)

    def _deeds(self, reply: Reply, asked: Asked) -> tuple[Deed, ...]:
        if self._last is None or self._last[0] is not reply or self._last[1] != asked:
            self._last = (reply, asked, deeds(reply, asked))
        return self._last[2]


class Connection(asyncio.Protocol):
    """One connection: reads requests one after another and does what the script says."""

    def __init__(self, upstream: Upstream, loop: asyncio.AbstractEventLoop) -> None:
        self._upstream = upstream
        self._loop = loop
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport
        self._url = b""
        self._headers: dict[str, str] = {}
        self._body: list[bytes] = []
        self._request: Request | None = None
        self._deeds: tuple[Deed, ...] = ()
        self._at = 0
        self._timer: asyncio.TimerHandle | None = None
        self._full = False
        self._held = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._upstream.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._upstream.connections.discard(self)
        if self._timer is not None:
            self._timer.cancel()
        if self._request is not None:
            self._request.closed = time.perf_counter()
            self._upstream.stats["closed_early"] += 1
            self._over()

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._transport.abort()

    def pause_writing(self) -> None:
        self._full = True

    def resume_writing(self) -> None:
        self._full = False
        if self._held:
            self._held = False
            self._play()

    def on_message_begin(self) -> None:
        self._url, self._headers, self._body = b"", {}, []

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        if self._request is not None:  # a request before the answer to the last one: none of our clients pipelines
            self._transport.abort()
            return
        path, _, query = self._url.decode("latin-1").partition("?")
        if self._parser.get_method() == b"POST" and path.endswith("/chat/completions"):
            self._request = Request(path, self._headers, b"".join(self._body), time.perf_counter())
            self._upstream.stats["open"] += 1
            self._deeds, self._at = self._upstream.answer(self._request), 0
            self._play()
        else:
            self._transport.write(self._aside(path, query))

    def drop(self) -> None:
        """Break the connection off."""
        self._transport.abort()

    def _aside(self, path: str, query: str) -> bytes:
        aside = self._upstream.asides.get(path)
        unknown = Answer(404, error(f"No such path: {path}", "not_found", kind="invalid_request_error"))
        reply = aside(query) if aside else unknown
        return b"".join(deed.data for deed in deeds(reply, Asked()) if isinstance(deed, Write))

    def _play(self) -> None:
        self._timer = None
        request, doing = self._request, self._deeds
        if request is None:
            return
        while self._at < len(doing):
            if self._full:
                self._held = True
                return
            deed = doing[self._at]
            self._at += 1
            if isinstance(deed, Write):
                self._transport.write(deed.data)
                request.events += deed.events
                self._upstream.stats["chunks_sent"] += deed.events
            elif isinstance(deed, Pause):
                self._timer = self._loop.call_later(deed.seconds, self._play)
                return
            else:
                self._break_off(deed)
                return
        self._end()

    def _break_off(self, deed: Deed) -> None:
        if isinstance(deed, Cut):
            self._end()
            self._transport.close()
        elif isinstance(deed, Reset):
            self._end()
            self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_ZERO)
            self._transport.abort()

    def _end(self) -> None:
        if self._request is not None:
            self._request.ended = time.perf_counter()
            self._over()

    def _over(self) -> None:
        if self._request is not None:
            self._request.over.set()
            self._request = None
            self._upstream.stats["open"] -= 1


@contextlib.asynccontextmanager
async def scripted(script: Replies = Script(["Hello", " there."])) -> AsyncIterator[Upstream]:  # noqa: B008 a frozen value
    """Run the double in this loop."""
    upstream = Upstream(script)
    await upstream.start()
    try:
        yield upstream
    finally:
        await upstream.stop()
