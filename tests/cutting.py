"""A way to Simli that is cut at one request: before Simli has it, or after Simli has done it and before it is known.

    async with cut(sandbox.url) as way:        everything passes: `way.url`
        way.at(3, done=True, then=task.cancel)

The third request from now on is done and its answer is lost; `then` is called at that moment. What comes after it is
refused while `way.dead`.
"""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Callable
from urllib.parse import urlsplit


class Way:
    """The running proxy. One request a connection."""

    def __init__(self, target: str) -> None:
        parts = urlsplit(target)
        self._target = (str(parts.hostname), int(parts.port or 80))
        self._port = 0
        self.passed: list[str] = []
        """Requests that came since `at` or `mend`: `GET /agents`, ids left out."""
        self.dead = False
        """Whether everything is refused after the cut, as if its caller were no more."""
        self._cut: int | str = 0
        self.was_cut = False
        self._done = False
        self._then: Callable[[], object] = list

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def at(self, which: int | str, *, done: bool, dead: bool = False, then: Callable[[], object] = list) -> None:
        """Cut the request of this number, counted from one and from now, or the first of this method."""
        self.mend()
        self._cut, self._done, self.dead, self._then = which, done, dead, then

    def mend(self) -> None:
        """Everything passes."""
        self.passed, self._cut, self.dead, self.was_cut = [], 0, False, False

    async def met(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
                head = await reader.readuntil(b"\r\n\r\n")
                length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
                request = head + await reader.readexactly(int(length[1]) if length else 0)
                answer = await self._answer(request)
                writer.write(answer)
                await writer.drain()
        finally:
            writer.close()

    async def _answer(self, request: bytes) -> bytes:
        line = request.split(b" HTTP/1.1", 1)[0].decode()
        self.passed.append(re.sub(r"[0-9a-f-]{36}", "ID", line))
        if self.was_cut:
            return b"" if self.dead else await self._forwarded(request)
        if self._cut not in (len(self.passed), line.split()[0]):
            return await self._forwarded(request)
        self.was_cut = True
        if self._done:
            await self._forwarded(request)
        self._then()
        return b""

    async def _forwarded(self, request: bytes) -> bytes:
        reader, writer = await asyncio.open_connection(*self._target)
        writer.write(request.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n", 1))
        answer = await reader.read()
        writer.close()
        return answer


@contextlib.asynccontextmanager
async def cut(target: str) -> AsyncIterator[Way]:
    """A way to this URL on a free port."""
    way = Way(target)
    server = await asyncio.start_server(way.met, "127.0.0.1", 0)
    way._port = server.sockets[0].getsockname()[1]
    try:
        yield way
    finally:
        server.close()
