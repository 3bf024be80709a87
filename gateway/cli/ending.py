"""How a server ends: signals, the notice to load balancers, the time that streams have, and what is cut at last."""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import uvicorn

from gateway.cli.asked import Asked
from gateway.drain import Drain
from gateway.http.protocol import Wire
from gateway.settings import Server

LAST_WORDS = 4.0
"""Seconds that ended streams have to send their last event, before the connections that are left are cut."""
HURRIED = 0.8
"""The same, where somebody asked twice."""
FAREWELL = 2.0
"""Seconds after its last answer, or from the word on, that a connection of a worker that retires has for one more
request: one that meets a connection while it is closed has no answer, and who is in a conversation asks again soon."""
LOOK = 0.05
"""Seconds between two looks whether all connections are gone: nothing tells of it."""
CLOSE = (b"connection", b"close")


class Uvicorn(uvicorn.Server):
    """uvicorn without its own handling of signals: it would close the listener at once."""

    def __init__(self, config: uvicorn.Config, drain: Drain) -> None:
        super().__init__(config)
        self.drain = drain

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave them to `Asked`."""
        yield

    def dismiss(self) -> None:
        """From now on every answer says `Connection: close`, so that the callers' pools go elsewhere."""
        self.config.encoded_headers.append(CLOSE)
        self.server_state.default_headers = [*self.server_state.default_headers, CLOSE]

    def deafen(self) -> None:
        """Accept nothing more. Who waits in the queue of the socket waits for another process that has it."""
        for server in self.servers:
            server.close()

    async def left(self, seconds: float) -> None:
        """Have each connection leave, so many seconds after its last answer; return when all have."""
        while connections := tuple(self.server_state.connections):
            for one in connections:
                if isinstance(one, Wire) and one.timeout_keep_alive != seconds:
                    one.leave(seconds)
            await asyncio.sleep(LOOK)

    def close(self, seconds: float) -> None:
        """Close the listener and idle connections; wait for the others no longer than this."""
        self.config.timeout_graceful_shutdown = int(seconds) + 2  # `cut` comes first
        self.should_exit = True

    def cut(self) -> None:
        """Drop the connections that are left; their turns end as they do when a caller hangs up."""
        for connection in tuple(self.server_state.connections):
            connection.transport.abort()


async def drained(
    server: Uvicorn, serving: asyncio.Task[int], asked: Asked, settings: Server, farewell: float = FAREWELL
) -> None:
    """End a server that runs, `max(drain_notice, drain_timeout)` and LAST_WORDS seconds after the word at most.

    Readiness is 503 and chats are refused from the first moment, and for `drain_notice` seconds they still get that
    answer on a listener that is open: a load balancer needs to see it (uvicorn alone refuses connections at once).
    Nobody watches readiness at a terminal, so Ctrl-C gives no notice. Streams have `drain_timeout` seconds from the
    signal to end by themselves, then they end with words; no connection is cut before that.

    A server that retires refuses nothing: another process accepts in its place, so it stops to, and answers what comes
    on connections that are open, `farewell` seconds after their last answer. Where it is to end meanwhile, it refuses
    from then on, and has its time as before.
    """
    loop = asyncio.get_running_loop()
    notice: float | None = None
    if asked.end.is_set():
        server.drain.begin()
        notice = 0.0 if asked.number == signal.SIGINT else settings.drain_notice
    else:
        server.deafen()
    server.dismiss()
    closing = asyncio.create_task(
        _retired(server, settings, farewell) if notice is None else _noticed(server, settings, notice)
    )
    ending = loop.call_later(settings.drain_timeout, server.drain.end_streams)
    refusing = asyncio.create_task(_refusing(asked, server.drain))
    hurry = asyncio.create_task(asked.hurry.wait())
    try:
        last = max(farewell if notice is None else notice, settings.drain_timeout) + LAST_WORDS
        await asyncio.wait({serving, hurry}, timeout=last, return_when=asyncio.FIRST_COMPLETED)
        if hurry.done() and not serving.done():
            closing.cancel()
            server.close(HURRIED)
            server.drain.end_streams()
            await asyncio.wait({serving}, timeout=HURRIED)
    finally:
        closing.cancel()
        ending.cancel()
        refusing.cancel()
        hurry.cancel()
    if not serving.done():
        server.cut()
        await asyncio.wait({serving}, timeout=HURRIED)
    server.force_exit = True  # a connection that cannot even be cut: nothing is waited for any more
    await asyncio.wait({serving})


async def _noticed(server: Uvicorn, settings: Server, notice: float) -> None:
    """Close it when load balancers have had their notice."""
    await asyncio.sleep(notice)
    server.close(max(settings.drain_timeout - notice, 0) + LAST_WORDS)


async def _retired(server: Uvicorn, settings: Server, farewell: float) -> None:
    """Close it when nobody is there any more, or when streams are ended."""
    with suppress(TimeoutError):
        async with asyncio.timeout(max(settings.drain_timeout, farewell)):
            await server.left(farewell)
    server.close(LAST_WORDS)


async def _refusing(asked: Asked, drain: Drain) -> None:
    await asked.end.wait()
    drain.begin()
