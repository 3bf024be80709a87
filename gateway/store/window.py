"""The rule of rates: so many requests in any minute, to the second, and so many streams at once. Pure.

A minute is sixty buckets of a second. A token bucket would let twice the rate through in a minute that follows a quiet
one; a log of every request would grow with the rate. `limits.ADMIT` is the same rule in Lua.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from gateway.types import Quota

MINUTE = 60
"""Buckets, of a second each."""
STREAM_RETRY = 1.0
"""Seconds: nobody knows when a stream will end, and most are short."""
MOST_OWNERS = 10_000
"""Beyond it, owners of whom nothing counts any more are forgotten."""


class Verdict(NamedTuple):
    """What the rule says."""

    refused: int
    """Which of the quotas is spent, counted from 1; 0: none."""
    limit: int
    """Of the quota with the fewest requests left, or of the one that is spent; 0 where none limits requests."""
    remaining: int
    reset: float
    """Seconds until the whole limit is there again."""
    retry_after: float
    """Seconds."""


class Left(NamedTuple):
    """How a window stands."""

    requests: int
    """How many more are allowed; 0 or less: none."""
    reset: float
    """Seconds until all are."""
    retry_after: float
    """Seconds until one is."""


@dataclass(slots=True)
class Window:
    """The last minute's requests of one owner."""

    buckets: dict[int, int] = field(default_factory=dict)
    """How many by second."""

    def left(self, limit: int, now: float) -> Left:
        """How it stands against `limit`; what is older than a minute is forgotten."""
        self.forget(now)
        left = limit - sum(self.buckets.values())
        reset = max(self.buckets) + MINUTE - now if self.buckets else 0.0
        retry_after = 0.0
        freed = left
        for at in sorted(self.buckets):
            if freed > 0:
                break
            freed += self.buckets[at]
            retry_after = at + MINUTE - now
        return Left(left, reset, retry_after)

    def count(self, now: float) -> None:
        """One more."""
        self.buckets[int(now)] = self.buckets.get(int(now), 0) + 1
        if len(self.buckets) > 2 * MINUTE:
            self.forget(now)

    def forget(self, now: float) -> None:
        """Drop what is older than a minute."""
        self.buckets = {at: count for at, count in self.buckets.items() if at > int(now) - MINUTE}


class Local:
    """The rule as one process keeps it, from what it has let in itself."""

    def __init__(self) -> None:
        self.streams: dict[str, set[str]] = {}
        """The leases of each owner whose streams are limited."""
        self._windows: dict[str, Window] = {}

    def verdict(self, quotas: Sequence[Quota], now: float) -> Verdict:
        """Whether one more may come. Counts nothing."""
        refused, retry_after = 0, 0.0
        tight: tuple[int, Left] | None = None
        for number, (owner, rate) in enumerate(quotas, 1):
            if rate.requests:
                left = self._window(owner, now).left(rate.requests, now)
                if left.requests <= 0 and left.retry_after > retry_after:
                    refused, retry_after, tight = number, left.retry_after, (rate.requests, left)
                elif not refused and (tight is None or left.requests < tight[1].requests):
                    tight = rate.requests, left
            if rate.streams and len(self.streams.get(owner, ())) >= rate.streams and retry_after < STREAM_RETRY:
                refused, retry_after = number, STREAM_RETRY
        if tight is None:
            return Verdict(refused, 0, 0, 0.0, retry_after)
        limit, left = tight
        if refused:
            return Verdict(refused, limit, max(left.requests, 0), left.reset, retry_after)
        return Verdict(0, limit, left.requests - 1, int(now) + MINUTE - now, 0.0)

    def count(self, quotas: Sequence[Quota], lease: str, now: float) -> None:
        """One has come in, by this process or by the store's word."""
        for owner, rate in quotas:
            if rate.requests:
                self._window(owner, now).count(now)
            if rate.streams:
                self.streams.setdefault(owner, set()).add(lease)

    def leave(self, owner: str, lease: str) -> None:
        """One has gone."""
        leases = self.streams.get(owner, set())
        leases.discard(lease)
        if not leases:
            self.streams.pop(owner, None)

    def _window(self, owner: str, now: float) -> Window:
        if owner not in self._windows and len(self._windows) >= MOST_OWNERS:
            for window in self._windows.values():
                window.forget(now)
            self._windows = {name: window for name, window in self._windows.items() if window.buckets}
        return self._windows.setdefault(owner, Window())
