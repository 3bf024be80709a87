"""Whether a target is asked: a state machine without I/O, its clock an argument.

closed     it is asked
open       it failed too often in a row (`settings.Breaker`): left out until a probe is answered
half-open  its probe runs (`probing.py`), one at a time

Besides, a target that named a time (`Retry-After`) is left out until then, unprobed, and then asked again.

No turn is a probe. Whoever is sent to a target that hangs waits for its whole deadline, and that would be a person each
time: a real tiny completion in the background finds out instead. Only where a route has no other target is an open one
asked all the same, provided that it fails at once (refused, 5xx): that costs nobody time, and an answer may come.
"""

import math
from collections.abc import Callable
from typing import Literal, TypeAlias

from gateway.errors import UpstreamError, UpstreamStalled, UpstreamTimeout
from gateway.settings import Breaker as Rule

State: TypeAlias = Literal["closed", "open", "half-open"]
COOLEST = 60.0
"""Seconds that a `Retry-After` is obeyed at most."""
IDLE = 60.0
"""Seconds between two probes of a target that nobody has wanted for UNWANTED seconds."""
UNWANTED = 600.0


def _nothing() -> None:
    """Nobody wants to know."""


def _unpublished(_: float) -> None:
    """No other worker is told."""


class Breaker:
    """One target's. Times are seconds of `clock`; `began` is when an attempt began.

    `opened` is called whenever it opens, and has to see to it that it is probed; `publish` is told the seconds until it
    is asked or probed again, where that was found out here and not by another worker (`told`).
    """

    __slots__ = (
        "_breaks",
        "_closed",
        "_cooled",
        "_failures",
        "_probed",
        "_since",
        "_wait",
        "_wanted",
        "clock",
        "error",
        "limit",
        "opened",
        "publish",
        "rule",
        "state",
    )

    def __init__(
        self,
        rule: Rule,
        clock: Callable[[], float],
        *,
        opened: Callable[[], None] = _nothing,
        publish: Callable[[float], None] = _unpublished,
    ) -> None:
        self.rule = rule
        self.clock = clock
        self.opened = opened
        self.publish = publish
        self.state: State = "closed"
        self.error: UpstreamError | None = None
        """Its last failure."""
        self.limit: UpstreamError | None = None
        """What named the last time (`Retry-After`)."""
        self._failures = 0  # in a row, before the first token
        self._breaks = 0  # in a row, after it
        self._closed = -math.inf  # when it was closed last: what began before says nothing new
        self._since = -math.inf  # when it was opened last
        self._probed = -math.inf  # the last probe's end, or the opening
        self._wait = 0.0  # from there to the next probe
        self._wanted = -math.inf  # when somebody was sent elsewhere last
        self._cooled = 0.0  # when a Retry-After ends

    def admits(self) -> bool:
        """Whether it is asked like any other."""
        if self.state == "closed" and not self._cooled:
            return True
        if self.cools:
            return False
        self._cooled = 0.0
        if self.state == "closed":
            return True
        self._wanted = self.clock()
        return False

    @property
    def cools(self) -> float:
        """Seconds left of a `Retry-After`; 0 where there is none."""
        return max(0.0, self._cooled - self.clock()) if self._cooled else 0.0

    @property
    def quick(self) -> bool:
        """Open, and fails at once: may be asked where nobody else is left."""
        return (
            self.state != "closed" and not self.cools and not isinstance(self.error, UpstreamTimeout | UpstreamStalled)
        )

    @property
    def due(self) -> float:
        """When it is to be probed."""
        wait = self._wait if self.clock() - self._wanted < UNWANTED else max(self._wait, IDLE)
        return max(self._probed + wait, self._cooled)

    def failed(self, error: UpstreamError, began: float) -> None:
        """An attempt failed before its first token. While open, that changes how it fails, not when it is probed."""
        if began < self._closed:
            return
        self.error = error
        self._failures += 1
        if self._failures >= self.rule.failures:
            self._open()

    def broke(self, error: UpstreamError, began: float) -> None:
        """A stream broke off or stalled after its first token. Counted apart: the next first token mends nothing."""
        if began < self._closed:
            return
        self.error = error
        self._breaks += 1
        if self._breaks >= self.rule.failures:
            self._open()

    def spoke(self, began: float) -> None:
        """An attempt was answered: where that began after the opening, it is back."""
        self._failures = 0
        if self.state != "closed" and began >= self._since:
            self._close()

    def finished(self) -> None:
        """A stream came to its end, or nobody wanted the rest."""
        self._breaks = 0

    def cool(self, seconds: float, error: UpstreamError) -> None:
        """It named a time (`Retry-After`)."""
        self.error = self.limit = error
        seconds = min(seconds, COOLEST)
        self._cooled = max(self._cooled, self.clock() + seconds)
        if seconds:
            self.publish(seconds)

    def told(self, seconds: float) -> None:
        """Another worker's word: it is open for so long. This one's own probe finds out when it is back."""
        seconds = min(seconds, COOLEST)
        if seconds <= 0:
            return
        now = self.clock()
        if self.state == "closed":
            self._opens(now, seconds)
        else:
            self._probed = max(self._probed, now + seconds - self._wait)

    def probe(self) -> None:
        """Its probe begins."""
        self.state = "half-open"

    def probed(self, error: UpstreamError | None) -> None:
        """How its probe ended. A turn that was answered meanwhile has the last word."""
        if self.state != "half-open":
            return
        if error is None:
            self._close()
            return
        self.error = error
        self.state = "open"
        self._probed = self.clock()
        self._wait = min(self._wait * 2, max(self.rule.longest, self.rule.open_for))
        self.publish(self._wait)

    def _open(self) -> None:
        if self.state == "closed":
            self._opens(self.clock(), self.rule.open_for)
            self.publish(self.rule.open_for)

    def _opens(self, now: float, wait: float) -> None:
        self.state = "open"
        self._since = self._probed = self._wanted = now
        self._wait = wait
        self.opened()

    def _close(self) -> None:
        self.state = "closed"
        self._failures = self._breaks = 0
        self._closed = self.clock()
        self._wait = 0.0
