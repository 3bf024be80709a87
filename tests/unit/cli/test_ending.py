"""How a worker retires: whoever is on its connections is answered."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from gateway.cli.asked import Asked
from gateway.cli.ending import Uvicorn, drained
from gateway.drain import Drain
from gateway.http.protocol import Wire
from gateway.settings import Server

FAREWELL = 0.6


class Speaking:
    """A server whose answers at `/long` go on until `over`, and which is told to retire by `asked`."""

    def __init__(self) -> None:
        self.over = asyncio.Event()
        self.asked = Asked(asyncio.Event())
        routes = [Route("/long", self._long), Route("/short", self._short)]
        config = uvicorn.Config(Starlette(routes=routes), http=Wire, ws="none", log_config=None, access_log=False)
        self.server = Uvicorn(config, Drain())
        self.port = 0

    async def _long(self, _: Request) -> Response:
        async def said() -> AsyncIterator[bytes]:
            yield b"one"
            await self.over.wait()
            yield b"two"

        return StreamingResponse(said())

    async def _short(self, _: Request) -> Response:
        return PlainTextResponse("short")

    async def run(self) -> None:
        """Serve until it is retired, and to the end."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.port = listener.getsockname()[1]
            serving = asyncio.create_task(self._served(listener))
            await self.asked.retire.wait()
            await drained(self.server, serving, self.asked, Server(drain_timeout=5.0), FAREWELL)

    async def _served(self, listener: socket.socket) -> int:
        await self.server.serve(sockets=[listener])
        return 0


@asynccontextmanager
async def speaking() -> AsyncIterator[tuple[Speaking, "asyncio.Task[None]"]]:
    speaks = Speaking()
    running = asyncio.create_task(speaks.run())
    async with asyncio.timeout(20):
        while not speaks.server.started:  # noqa: ASYNC110  (uvicorn has no event for it)
            await asyncio.sleep(0.01)
        try:
            yield speaks, running
        finally:
            speaks.over.set()
            speaks.asked.retire.set()
            await running


async def test_who_asks_again_at_the_end_of_a_long_answer_is_answered() -> None:
    """However long after the word it ends: the connection stays for one more request, whose answer is its last one."""
    async with speaking() as (speaks, running):
        reader, writer = await asyncio.open_connection("127.0.0.1", speaks.port)
        writer.write(b"GET /long HTTP/1.1\r\nhost: x\r\n\r\n")
        assert b"connection: close" not in await reader.readuntil(b"\r\n\r\n")
        speaks.asked.retire.set()
        await asyncio.sleep(FAREWELL + 0.3)
        speaks.over.set()
        assert (await reader.readuntil(b"0\r\n\r\n")).endswith(b"two\r\n0\r\n\r\n")
        writer.write(b"GET /short HTTP/1.1\r\nhost: x\r\n\r\n")
        answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert b"connection: close" in answer
        writer.close()
        await running


async def test_idle_connections_are_closed_when_nobody_asks() -> None:
    """One that has had its answer and one that never asked are closed after the farewell, not when they would be."""
    async with speaking() as (speaks, running):
        asked = await asyncio.open_connection("127.0.0.1", speaks.port)
        silent = await asyncio.open_connection("127.0.0.1", speaks.port)
        asked[1].write(b"GET /short HTTP/1.1\r\nhost: x\r\n\r\n")
        assert (await asked[0].readexactly(12)).endswith(b"200")
        speaks.asked.retire.set()
        async with asyncio.timeout(4):
            await asked[0].read()
            assert await silent[0].read() == b""
            await running
        for _, writer in (asked, silent):
            writer.close()
