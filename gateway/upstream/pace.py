"""How long a target lately took until its first token. A time-out counts as its deadline."""

import math
from collections import deque
from statistics import median

KEPT = 100
LATEST = 9
"""So many times say how fast it is now: their median, which one slow turn does not move."""
ENOUGH = 20
"""Of fewer times the 95th percentile is a guess."""
LATELY = 60.0
"""Seconds after which nobody knows any more how fast a target is."""


class Pace:
    """One target's. Times are seconds."""

    __slots__ = ("_asked", "_times")

    def __init__(self) -> None:
        self._times: deque[float] = deque(maxlen=KEPT)
        self._asked = -math.inf

    def asked(self, now: float) -> None:
        """It is being asked: one turn at a time finds out how fast it is."""
        self._asked = now

    def measured(self, seconds: float) -> None:
        """It took so long."""
        self._times.append(seconds)

    def unknown(self, now: float) -> bool:
        """It has not been asked lately."""
        return now - self._asked > LATELY

    @property
    def usual(self) -> float:
        """The median of the latest times; infinite where there is none."""
        return median(list(self._times)[-LATEST:]) if self._times else math.inf

    @property
    def slow(self) -> float | None:
        """The 95th percentile; None where the times are too few to say."""
        if len(self._times) < ENOUGH:
            return None
        return sorted(self._times)[math.ceil(0.95 * len(self._times)) - 1]
