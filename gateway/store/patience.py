"""A time limit that tells a slow store from a process that was itself too busy to look."""

import asyncio
from types import TracebackType
from typing import Self

LATE = 0.01
"""Seconds: a timer that fires so late says that the event loop was held up, not the store."""
AGAIN = 3
"""How often such a limit is granted anew."""


class Patience:
    """`async with Patience(seconds)`: raises TimeoutError where the block takes longer.

    An event loop that was held up (a burst of turns, a collection of garbage, a paused machine) finds the answer and
    the timer waiting at the same moment. `asyncio.timeout` would throw the answer away and call the store slow.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._granted = 0
        self._limit = asyncio.timeout(None)
        self._timer: asyncio.TimerHandle | None = None

    async def __aenter__(self) -> Self:
        await self._limit.__aenter__()
        self._arm()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._timer is not None:
            self._timer.cancel()
        await self._limit.__aexit__(kind, error, trace)

    def _arm(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._seconds, self._over)

    def _over(self) -> None:
        assert self._timer is not None
        now = asyncio.get_running_loop().time()
        if now - self._timer.when() > LATE and self._granted < AGAIN:
            self._granted += 1
            self._arm()
        else:
            self._limit.reschedule(now)
