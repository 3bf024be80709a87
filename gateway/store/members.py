"""Which processes have the store open: each says so every second, and one that was killed is missed within seconds.

    {prefix}:processes    sorted    names by until when they are taken for living, in the store's milliseconds

What a process holds in the store (a place among streams, a collection that it ingests) bears its name, and is free
once it is missed.
"""

import asyncio
import secrets
import time
from collections.abc import Callable, Collection
from contextlib import suppress

from gateway.errors import StoreUnavailable
from gateway.store.connection import Connection, Script
from gateway.store.upkeep import happened

EVERY = 1.0
"""Seconds between two signs of life."""
MISSED = 5.0
"""Seconds without one, after which a process is taken for dead: longer than an event loop is ever held up."""
KEPT = 60_000
"""Milliseconds that the name of a dead one is kept: longer than any place that it may hold."""

SIGN = Script("""
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
redis.call('ZADD', KEYS[1], now + tonumber(ARGV[2]), ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - tonumber(ARGV[3]))
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
""")
"""One lives. KEYS: processes. ARGV: its name, milliseconds until it is missed, milliseconds that the dead are kept."""

LIVING = Script("""
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
return redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. now, '+inf')
""")
"""Who lives. KEYS: processes."""


class Members:
    """The processes of a store, and this one among them."""

    def __init__(
        self, connection: Connection, missed: float = MISSED, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.name = secrets.token_hex(8)
        """This process's."""
        self.key = connection.key("processes")
        self.missed = missed
        """Seconds."""
        self._connection = connection
        self._clock = clock
        self._now = asyncio.Event()
        self._signed = False
        self._settled = 0.0

    def returned(self) -> None:
        """The store is there, again or for the first time: give a sign of life now."""
        self._settled = self._clock() + self.missed if self._signed else 0.0
        self._now.set()

    async def living(self) -> frozenset[str]:
        """The names of those that live. Raises StoreUnavailable."""
        (names,) = await self._connection.take(("EVAL", LIVING.text, 1, self.key))
        return frozenset(map(str, names))

    async def dead(self, names: Collection[str]) -> frozenset[str]:
        """Which of these processes live no more. Raises StoreUnavailable.

        None where the store has been away: the others may not have given their signs yet.
        """
        living = await self.living()
        return frozenset(names) - living if self._clock() >= self._settled else frozenset()

    async def run(self) -> None:
        """Give signs of life, until cancelled."""
        while True:
            self._now.clear()
            with suppress(StoreUnavailable):
                milliseconds = int(self.missed * 1000)
                command = ("EVAL", SIGN.text, 1, self.key, self.name, milliseconds, KEPT)
                await self._connection.take(command, writing=True)
                self._signed = True
            await happened(self._now, min(EVERY, self.missed / 3))

    async def leave(self) -> None:
        """This process is about to end: nobody need wait until it is missed. Never raises."""
        with suppress(StoreUnavailable):
            await self._connection.take(("ZREM", self.key, self.name), writing=True)
