"""What is done when the caller has been answered: in order, one at a time, and bounded."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, TypeAlias

from gateway.errors import StoreUnavailable
from gateway.store.upkeep import happened

Errand: TypeAlias = Callable[[], Awaitable[Any]]
MOST = 1000
"""Of what waits; beyond it the oldest is forgotten. All of it can be lost without harm."""


class Errands:
    """Nobody waits for an errand, and a store that is away drops it."""

    def __init__(self) -> None:
        self._waiting: deque[Errand] = deque(maxlen=MOST)
        self._some = asyncio.Event()
        self._done = asyncio.Event()
        self._done.set()

    def add(self, errand: Errand) -> None:
        """Do this soon. Never waits, never raises."""
        self._waiting.append(errand)
        self._some.set()
        self._done.clear()

    async def run(self) -> None:
        """Do what comes, until cancelled."""
        while True:
            await self._some.wait()
            self._done.clear()
            while self._waiting:
                with suppress(StoreUnavailable):
                    await self._waiting.popleft()()
            self._some.clear()
            self._done.set()

    async def finished(self, within: float) -> None:
        """Wait until nothing waits any more, so many seconds at most."""
        await happened(self._done, within)
