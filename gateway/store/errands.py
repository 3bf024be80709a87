"""What is done when the caller has been answered: in order, one at a time, and bounded."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, TypeAlias

from gateway.errors import StoreUnavailable

Errand: TypeAlias = Callable[[], Awaitable[Any]]
MOST = 1000
"""Of what waits; beyond it the oldest is forgotten. All of it can be lost without harm."""


class Errands:
    """Nobody waits for an errand, and a store that is away drops it."""

    def __init__(self) -> None:
        self._waiting: deque[Errand] = deque(maxlen=MOST)
        self._some = asyncio.Event()

    def add(self, errand: Errand) -> None:
        """Do this soon. Never waits, never raises."""
        self._waiting.append(errand)
        self._some.set()

    async def run(self) -> None:
        """Do what comes, until cancelled."""
        while True:
            await self._some.wait()
            self._some.clear()
            while self._waiting:
                await self._do(self._waiting.popleft())

    async def finish(self, within: float) -> None:
        """Do what is waiting now, before the end; so many seconds at most."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                while self._waiting:
                    await self._do(self._waiting.popleft())

    async def _do(self, errand: Errand) -> None:
        with suppress(StoreUnavailable):
            await errand()
