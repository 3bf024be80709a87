"""Deadlines of a running stream: one timer a stream, none a chunk."""

import asyncio
from collections.abc import Callable

from gateway.errors import GatewayError, UpstreamStalled


class Silence:
    """Breaks a stream off when it was silent for `between` seconds while waited for, or after `total` seconds.

    The silence before the first word is not counted here: it has its own deadline (`completing.py`).
    `break_off` must make the pending read fail; `error` says afterwards that it was this clock and not the peer.
    """

    __slots__ = ("_between", "_break_off", "_ends", "_last", "_loop", "_timer", "error", "waiting")

    def __init__(self, between: float, total: float, break_off: Callable[[], object]) -> None:
        self._loop = asyncio.get_running_loop()
        self._between = between
        self._last = 0.0
        self._ends = self._loop.time() + total
        self._break_off = break_off
        self._timer = self._loop.call_at(self._ends, self._check)
        self.waiting = True
        """Only a silence that is waited through counts: a caller that reads slowly is no fault of the upstream."""
        self.error: GatewayError | None = None

    def heard(self) -> None:
        """Content came: a heartbeat is none."""
        first = not self._last
        self._last = self._loop.time()
        if first:
            self._timer.cancel()
            self._timer = self._loop.call_at(self._deadline, self._check)

    def expire(self, error: GatewayError) -> None:
        """Break the stream off now, for this reason."""
        self.error = error
        self.stop()
        self._break_off()

    def explain(self, foreign: Exception) -> None:
        """Raise the reason for which the stream was broken off, if it was; once, for what keeps an error keeps all that
        was where it was raised."""
        if self.error is not None:
            reasons = [self.error]
            self.error = None
            raise reasons.pop() from foreign

    def stop(self) -> None:
        """The stream is over."""
        self._timer.cancel()

    @property
    def _deadline(self) -> float:
        return min(self._last + self._between, self._ends) if self._last else self._ends

    def _check(self) -> None:
        now = self._loop.time()
        if not self.waiting:
            self._last = now
        if now >= self._deadline:
            self.expire(UpstreamStalled("The upstream fell silent in the middle of its answer."))
        else:
            self._timer = self._loop.call_at(self._deadline, self._check)


class Running:
    """The streams that run. Once they were ended for a reason, one that begins all the same is ended at once."""

    __slots__ = ("_error", "_silences")

    def __init__(self) -> None:
        self._silences: set[Silence] = set()
        self._error: GatewayError | None = None

    def __len__(self) -> int:
        return len(self._silences)

    def begun(self, silence: Silence) -> None:
        """One more. Raises the reason where all were ended."""
        if self._error is not None:
            silence.stop()
            raise self._error
        self._silences.add(silence)

    def over(self, silence: Silence) -> None:
        """It has ended."""
        self._silences.discard(silence)

    def end(self, error: GatewayError) -> None:
        """Break all of them off, and whatever begins from now on: the process ends."""
        self._error = error
        for silence in tuple(self._silences):
            silence.expire(error)
