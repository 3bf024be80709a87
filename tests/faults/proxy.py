"""A proxy for TCP and Unix sockets that is as bad as it is told to be. Faults are data, and may change while it runs.

    async with proxied("127.0.0.1", port) as proxy:             it listens on a free port: `proxy.url`, `proxy.port`
        await proxy.suffer(Latency(0.2, jitter=0.05))           from now on, for connections that are open too
        await proxy.suffer(Hang(after=400), Share(0.5, Reset(after=0)))
        await proxy.heal()
        proxy.kill()                                            every open connection is reset
    async with proxied(path, at=other) as proxy:                Unix sockets: `proxy.url` is `unix://…`

A fault has a way: "down" is from the target to the caller, "up" from the caller to the target. With the same seed the
same connections suffer the same: what is left to chance depends on the seed and the connection's number alone.
It stands in for all of Shopify/toxiproxy's toxics (README of f48fd7f).
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import TypeAlias

from tests.faults.fault import Bandwidth, Cut, Fault, Hang, Latency, Refuse, Reset, Share, Slice, SlowClose
from tests.faults.link import Link

__all__ = [
    "Bandwidth",
    "Cut",
    "Fault",
    "Hang",
    "Latency",
    "Proxy",
    "Refuse",
    "Reset",
    "Share",
    "Slice",
    "SlowClose",
    "proxied",
]

Address: TypeAlias = tuple[str, int] | Path
"""Host and port, or the path of a Unix socket."""
BACKLOG = 2048


class Proxy:
    """The running proxy."""

    def __init__(self, target: Address, at: Address, faults: Sequence[Fault], seed: int) -> None:
        self.faults = tuple(faults)
        """What it suffers; `suffer` changes it."""
        self.seed = seed
        self.accepted = 0
        """Connections so far; of a refused one nobody knows."""
        self._target = target
        self._at = at
        self._server: asyncio.Server | None = None
        self._links: dict[Link, asyncio.Task[None]] = {}

    def __str__(self) -> str:
        suffers = ", ".join(map(repr, self.faults)) or "no fault"
        return f"{self.url} (seed {self.seed}; {self.accepted} accepted, {self.open} open): {suffers}"

    @property
    def open(self) -> int:
        """Connections that are open now."""
        return len(self._links)

    @property
    def port(self) -> int:
        """The TCP port that it listens on."""
        assert isinstance(self._at, tuple)
        return self._at[1]

    @property
    def url(self) -> str:
        """`http://HOST:PORT`, or `unix://PATH`."""
        return f"http://{self._at[0]}:{self._at[1]}" if isinstance(self._at, tuple) else f"unix://{self._at}"

    async def suffer(self, *faults: Fault) -> None:
        """Have these faults and no others from now on; bytes are counted anew."""
        self.faults = faults
        if any(isinstance(fault, Refuse) for fault in faults):
            self._stop_listening()
        else:
            await self.listen()
        for link, running in list(self._links.items()):
            link.feel(faults)
            if link.ended_at_once():
                running.cancel()

    async def heal(self) -> None:
        """Have no fault from now on."""
        await self.suffer()

    def kill(self) -> int:
        """Reset every open connection; how many."""
        for link, running in self._links.items():
            link.abort()
            running.cancel()
        return len(self._links)

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if isinstance(self._target, tuple):
            return await asyncio.open_connection(*self._target)
        return await asyncio.open_unix_connection(self._target)

    async def listen(self) -> None:
        """Accept connections, unless it does already. The address stays the same."""
        if self._server is not None:
            return
        if isinstance(self._at, tuple):
            self._server = await asyncio.start_server(self._met, *self._at, backlog=BACKLOG)
            self._at = self._server.sockets[0].getsockname()[:2]
        else:
            self._server = await asyncio.start_unix_server(self._met, self._at, backlog=BACKLOG)

    async def aclose(self) -> None:
        """Stop, and close what is open."""
        self._stop_listening()
        ending = list(self._links.values())
        for running in ending:
            running.cancel()
        await asyncio.gather(*ending, return_exceptions=True)

    def _stop_listening(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    def _met(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = Link(f"{self.seed} {self.accepted}", reader, writer)
        link.feel(self.faults)
        self.accepted += 1
        self._links[link] = asyncio.create_task(link.run(self._connected))
        self._links[link].add_done_callback(lambda _: self._links.pop(link))


@contextlib.asynccontextmanager
async def proxied(
    host: str | Path, port: int = 0, *faults: Fault, at: Path | None = None, seed: int = 0
) -> AsyncIterator[Proxy]:
    """Stand before this TCP address (or before the Unix socket at this path) with these faults.

    It listens on a free port of 127.0.0.1, or on a Unix socket at the path `at`.
    """
    target = host if isinstance(host, Path) else (host, port)
    proxy = Proxy(target, at or ("127.0.0.1", 0), faults, seed)
    try:
        await proxy.listen()
        await proxy.suffer(*faults)
        yield proxy
    finally:
        await proxy.aclose()
