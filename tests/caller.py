"""A caller without manners: posts a body over a bare socket, reads what comes and when, hangs up at will.

    async with calling(url, {"messages": [...], "stream": True}) as call:
        await call.head()                       status and headers
        async for event in call.events():       `event.data`, `event.at`
            call.hang_up()

No HTTP client stands between, so what is asserted is what went over the wire.
"""

import asyncio
import contextlib
import socket
import ssl
import struct
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import orjson


@dataclass(frozen=True, slots=True)
class Arrived:
    """One SSE event (or comment) as it came."""

    at: float
    """Seconds after the request was sent."""
    raw: bytes
    """With its blank line."""

    @property
    def data(self) -> str:
        """Its `data:` lines; empty for a comment."""
        lines = self.raw.decode().splitlines()
        return "\n".join(line[5:].removeprefix(" ") for line in lines if line.startswith("data:"))

    @property
    def json(self) -> Any:
        """Its data, parsed."""
        return orjson.loads(self.data)


@dataclass(slots=True)
class Call:
    """One request that was sent. The answer is read as it is asked for."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    sent: float
    """`time.perf_counter()` when the request had been written."""
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    """Names in lower case."""

    async def head(self) -> int:
        """Read the status and the headers, once."""
        if not self.status:
            lines = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            self.status = int(lines[0].split(" ")[1])
            pairs = (line.partition(":") for line in lines[1:] if line)
            self.headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
        return self.status

    async def pieces(self) -> AsyncIterator[bytes]:
        """The body as it comes, by HTTP chunks. One that breaks off raises IncompleteReadError."""
        await self.head()
        if self.headers.get("transfer-encoding", "") == "chunked":
            while size := int((await self.reader.readuntil(b"\r\n")).split(b";")[0], 16):
                yield await self.reader.readexactly(size)
                await self.reader.readexactly(2)
            await self.reader.readuntil(b"\r\n")
        elif "content-length" in self.headers:
            yield await self.reader.readexactly(int(self.headers["content-length"]))
        else:
            while piece := await self.reader.read(65536):
                yield piece

    async def body(self) -> bytes:
        """The whole body."""
        return b"".join([piece async for piece in self.pieces()])

    async def json(self) -> Any:
        """The whole body, parsed."""
        return orjson.loads(await self.body())

    async def events(self) -> AsyncIterator[Arrived]:
        """The SSE events one by one. Only LF ends a line here: the gateway's own output is strict."""
        waiting = b""
        async for piece in self.pieces():
            at = time.perf_counter() - self.sent
            *whole, waiting = (waiting + piece).split(b"\n\n")
            for event in whole:
                yield Arrived(at, event + b"\n\n")
        if waiting:
            raise ValueError(f"The body ends inside an event: {waiting!r}")

    async def chunks(self) -> list[dict[str, Any]]:
        """Every event but comments and `[DONE]`, parsed."""
        return [event.json async for event in self.events() if event.data not in {"", "[DONE]"}]

    async def text(self) -> str:
        """What was said: the contents of all chunks."""
        deltas = [choice["delta"] for chunk in await self.chunks() for choice in chunk.get("choices", ())]
        return "".join(delta.get("content") or "" for delta in deltas)

    def hang_up(self) -> float:
        """Close the connection now; `time.perf_counter()` at that moment."""
        now = time.perf_counter()
        self.writer.transport.abort()
        return now

    def reset(self) -> float:
        """The same with an RST."""
        linger = struct.pack("ii", 1, 0)
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        return self.hang_up()


@contextlib.asynccontextmanager
async def calling(
    url: str,
    body: Mapping[str, Any] | bytes | None = None,
    *,
    method: str = "",
    headers: Mapping[str, str] | None = None,
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[Call]:
    """Send a request to this whole URL (POST where there is a body, else GET), by TLS with `tls`; close at the end."""
    parts = urlsplit(url)
    content = body if isinstance(body, bytes) else b"" if body is None else orjson.dumps(body)
    verb = method or ("GET" if body is None else "POST")
    own = {
        "host": parts.netloc,
        "content-type": "application/json",
        "content-length": str(len(content)),
        **(headers or {}),
    }
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    lines = [f"{verb} {target or '/'} HTTP/1.1", *(f"{name}: {value}" for name, value in own.items()), "", ""]
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port, limit=2**24, ssl=tls)
    try:
        writer.write("\r\n".join(lines).encode("latin-1") + content)
        await writer.drain()
        yield Call(reader, writer, time.perf_counter())
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            await writer.wait_closed()
