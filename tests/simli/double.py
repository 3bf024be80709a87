"""A Simli whose answers are data: statuses, bodies, pauses, cuts. What it was asked is counted."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

import orjson


@dataclass(frozen=True, slots=True)
class Reply:
    """What it answers with."""

    status: int = 200
    body: Any = None
    """Bytes go as they are, anything else as JSON."""
    headers: Mapping[str, str] = field(default_factory=dict)
    silent: bool = False
    """Nothing comes, and the connection stays open."""
    cut: bool = False
    """The connection is closed before the body is whole."""
    raw: bytes = b""
    """In the place of an HTTP answer."""
    echo: bool = False
    """It quotes in its `detail` all that it was sent, as some servers do."""

    @property
    def content(self) -> bytes:
        """The body's bytes."""
        return self.body if isinstance(self.body, bytes) else orjson.dumps(self.body)

    @property
    def wire(self) -> bytes:
        """What goes over the connection."""
        if self.raw:
            return self.raw
        kind = "text/html" if isinstance(self.body, bytes) else "application/json"
        length = len(self.content) + (100 if self.cut else 0)
        fields = {"content-type": kind, "content-length": str(length), "connection": "close", **self.headers}
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        return f"HTTP/1.1 {self.status} Said\r\n{lines}\r\n".encode() + (b"" if self.status == 204 else self.content)


class Asked(NamedTuple):
    """A request as it came."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    """Names in lower case."""
    content: bytes

    @property
    def json(self) -> Any:
        """The body, parsed."""
        return orjson.loads(self.content)


class Double:
    """`replies` are given in turn, the last one for ever."""

    def __init__(self, replies: Sequence[Reply]) -> None:
        self.replies = list(replies)
        self.asked: list[Asked] = []
        self.url = ""
        self.running: set[asyncio.Task[None]] = set()

    def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """A connection is there; its task is known from now on."""
        task = asyncio.create_task(self.answer(reader, writer))
        self.running.add(task)
        task.add_done_callback(self.running.discard)

    async def over(self) -> None:
        """Return when no connection is left, nor one that was accepted and not yet said."""
        for _ in range(3):
            await asyncio.sleep(0)
            await asyncio.gather(*self.running)

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, one request."""
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:-2])}
            content = await reader.readexactly(int(headers.get("content-length", 0)))
            method, target, _ = head[0].split(" ")
            parts = urlsplit(target)
            self.asked.append(Asked(method, parts.path, dict(parse_qsl(parts.query)), headers, content))
            reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
            if reply.echo:
                said = f"{reply.body['detail']} {head[0]} {headers} {content.decode('latin-1')}"
                reply = replace(reply, body={"detail": said})
            if reply.silent:
                await reader.read()  # until the client gives up
            else:
                writer.write(reply.wire)
                await writer.drain()
        writer.transport.abort() if writer.transport.get_write_buffer_size() else writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


@contextlib.asynccontextmanager
async def doubled(*replies: Reply) -> AsyncIterator[Double]:
    """A running double."""
    double = Double(replies)
    server = await asyncio.start_server(double.connected, "127.0.0.1", 0)
    double.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield double
    finally:
        server.close()
        await double.over()
