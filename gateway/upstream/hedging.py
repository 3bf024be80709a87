"""A second target beside a slow first one: the first that speaks wins, the other is hung up on."""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, TypeAlias

from gateway.errors import RequestError
from gateway.types import Opened
from gateway.upstream.pace import Pace

LAST = 100
"""So many requests of a route have a common budget of hedges."""

Attempted: TypeAlias = Coroutine[Any, Any, Opened | None]
"""An attempt that runs: None where it failed. Raises RequestError."""


class Hedging:
    """When a route asks a second target, and how often it may: `share` of its last requests.

    `after` is in seconds; 0: the 95th percentile of the first target's own last times. Nothing is hedged while
    `overloaded` says so: then a second request makes all of them slower.
    """

    __slots__ = ("_hedged", "_requests", "after", "overloaded", "share")

    def __init__(self, after: float, share: float, overloaded: Callable[[], bool]) -> None:
        self.after = after
        self.share = share
        self.overloaded = overloaded
        self._requests: deque[bool] = deque(maxlen=LAST)
        self._hedged = 0

    def patience(self, pace: Pace) -> float | None:
        """Seconds that the first target is waited for alone; None where nobody knows how long it takes."""
        return self.after or pace.slow

    def requested(self) -> None:
        """One more request, which may be hedged."""
        if len(self._requests) == LAST:
            self._hedged -= self._requests[0]
        self._requests.append(False)

    def granted(self) -> bool:
        """Whether this one may be hedged; counts it as such."""
        if self._hedged + 1 > self.share * len(self._requests) or self.overloaded():
            return False
        # Of several that run at once any may carry the mark: only how many are hedged matters.
        plain = next(at for at in range(len(self._requests) - 1, -1, -1) if not self._requests[at])
        self._requests[plain] = True
        self._hedged += 1
        return True


async def raced(first: Attempted, patience: float, second: Callable[[], Attempted | None]) -> Opened | None:
    """The first of two attempts that speaks; None where both failed.

    `second` is asked for an attempt when the first has neither spoken nor failed after `patience` seconds. What loses,
    and both where this is cancelled, is cancelled and over when this returns. A request that one target rejects may
    still be answered by the other.
    """
    running = {asyncio.create_task(first)}
    every = set(running)
    won: Opened | None = None
    rejected: RequestError | None = None
    try:
        done, running = await asyncio.wait(running, timeout=patience)
        if not done and (other := second()) is not None:
            running.add(task := asyncio.create_task(other))
            every.add(task)
        while won is None:
            for task in done:
                try:
                    won = won or task.result()
                except RequestError as error:
                    rejected = error
            if won is not None or not running:
                break
            done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in running:
            task.cancel()
        for ended in await asyncio.gather(*every, return_exceptions=True):
            if isinstance(ended, Opened) and ended is not won:  # it spoke in the same moment
                await ended.aclose()
    if won is None and rejected is not None:
        try:
            raise rejected
        finally:
            rejected = None  # see gate.resumed
    return won
