"""How a server ends: signals, the notice to load balancers, the time that streams have, and what is cut at last."""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from gateway.app import Drain
from gateway.settings import Server

LAST_WORDS = 4.0
"""Seconds that ended streams have to send their last event, before the connections that are left are cut."""
HURRIED = 0.8
"""The same, where somebody asked twice."""
CLOSE = (b"connection", b"close")


class Uvicorn(uvicorn.Server):
    """uvicorn without its own handling of signals: it would close the listener at once."""

    def __init__(self, config: uvicorn.Config, drain: Drain) -> None:
        super().__init__(config)
        self.drain = drain

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave them to `Signals`."""
        yield

    def dismiss(self) -> None:
        """From now on every answer says `Connection: close`, so that the callers' pools go elsewhere."""
        self.config.encoded_headers.append(CLOSE)
        self.server_state.default_headers = [*self.server_state.default_headers, CLOSE]

    def close(self, seconds: float) -> None:
        """Close the listener and idle connections; wait for the others no longer than this."""
        self.config.timeout_graceful_shutdown = int(seconds) + 2  # `cut` comes first
        self.should_exit = True

    def cut(self) -> None:
        """Drop the connections that are left; their turns end as they do when a caller hangs up."""
        for connection in tuple(self.server_state.connections):
            connection.transport.abort()


class Signals:
    """SIGTERM or SIGINT once: the process is to end. Twice: at once. SIGHUP: read everything again."""

    def __init__(self, again: asyncio.Event) -> None:
        self.number = 0
        self.asked = asyncio.Event()
        self.hurry = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._end, number)
        loop.add_signal_handler(signal.SIGHUP, again.set)

    def _end(self, number: int) -> None:
        if self.asked.is_set():
            self.hurry.set()
        self.number = self.number or number
        self.asked.set()


async def drained(server: Uvicorn, serving: asyncio.Task[int], signals: Signals, settings: Server) -> None:
    """End a server that runs, `max(drain_notice, drain_timeout)` and LAST_WORDS seconds after the signal at the latest.

    Readiness is 503 and chats are refused from the first moment, and for `drain_notice` seconds they still get that
    answer on a listener that is open: a load balancer needs to see it (uvicorn alone refuses connections at once).
    Nobody watches readiness at a terminal, so Ctrl-C gives no notice. Streams have `drain_timeout` seconds from the
    signal to end by themselves, then they end with words; no connection is cut before that.
    """
    loop = asyncio.get_running_loop()
    server.drain.begin()
    server.dismiss()
    notice = 0.0 if signals.number == signal.SIGINT else settings.drain_notice
    closing = loop.call_later(notice, server.close, max(settings.drain_timeout - notice, 0) + LAST_WORDS)
    ending = loop.call_later(settings.drain_timeout, server.drain.end_streams)
    hurry = asyncio.create_task(signals.hurry.wait())
    try:
        last = max(notice, settings.drain_timeout) + LAST_WORDS
        await asyncio.wait({serving, hurry}, timeout=last, return_when=asyncio.FIRST_COMPLETED)
        if hurry.done() and not serving.done():
            closing.cancel()
            server.close(HURRIED)
            server.drain.end_streams()
            await asyncio.wait({serving}, timeout=HURRIED)
    finally:
        closing.cancel()
        ending.cancel()
        hurry.cancel()
    if not serving.done():
        server.cut()
        await asyncio.wait({serving}, timeout=HURRIED)
    server.force_exit = True  # a connection that cannot even be cut: nothing is waited for any more
    await asyncio.wait({serving})
