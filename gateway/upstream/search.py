"""One turn's search for a target that speaks: who is asked next, and what is told where nobody does.

Fail over first, retry last: another target is asked at once, and one that failed at once is asked again, after a
moment, only where no other is left. Nothing begins after the route's whole time is spent.
"""

import asyncio
import math
import random
from collections.abc import Callable, Sequence

from gateway.errors import (
    RequestError,
    UpstreamAuthFailed,
    UpstreamEmpty,
    UpstreamError,
    UpstreamLimited,
    UpstreamProtocolError,
    UpstreamTimeout,
    UpstreamTLSError,
    UpstreamTruncated,
    UpstreamUnavailable,
)
from gateway.types import Note, Opened, Prompt
from gateway.upstream import hedging
from gateway.upstream.attempt import Attempt, Kind
from gateway.upstream.candidate import Candidate, Plan
from gateway.upstream.order import ordered

PAUSE = 0.025
"""Seconds before a target is asked again: a random part of it, doubled each time (Envoy's retries: full jitter)."""
LONGEST_PAUSE = 0.25
MOST_EMPTY = 2
"""Answers without a word in one turn, after which no target is asked again."""

_QUICK = (UpstreamUnavailable, UpstreamTruncated, UpstreamProtocolError, UpstreamEmpty)
"""Failures after which the same target may answer at once: not a time-out, a wrong key or certificate, or a limit."""
_TELLING = (
    UpstreamEmpty,
    UpstreamTimeout,
    UpstreamAuthFailed,
    UpstreamTLSError,
    UpstreamProtocolError,
    UpstreamTruncated,
    UpstreamError,
)


class Search:
    """Made for one turn; keeps who was asked and how it failed."""

    __slots__ = ("_again", "_chance", "_clock", "_ends", "_failed", "_left", "_note", "_plan", "_prompt", "_spoken")

    def __init__(
        self, plan: Plan, prompt: Prompt, note: Note, clock: Callable[[], float], chance: random.Random
    ) -> None:
        now = clock()
        self._plan = plan
        self._prompt = prompt
        self._clock = clock
        self._chance = chance
        self._ends = now + plan.first_token
        self._note = note
        self._left = list(ordered(plan.candidates, plan.strategy, now, chance))
        self._again: list[tuple[Candidate, int]] = []  # who may be asked again, and how often it will have been then
        self._failed: list[UpstreamError] = []
        self._spoken: Candidate | None = None

    async def opened(self) -> Opened:
        """The first target that speaks. Raises UpstreamError where none does, UpstreamRejected where one rejects."""
        try:
            return await self._found()
        finally:
            self._failed = []  # an error keeps its frames, and they this search: a circle that only a collector opens

    async def _found(self) -> Opened:
        while (choice := self._next()) is not None:
            candidate, retried = choice
            if retried and not await self._paused(retried):
                break
            if (won := await self._step(candidate, retried)) is not None:
                return won
        raise telling(self._failed or [_left_out(each) for each in self._plan.candidates])

    async def successor(self, prompt: Prompt) -> Opened:
        """A target that goes on where the one that spoke broke off; others before that one. Raises UpstreamError."""
        ends = self._clock() + self._plan.first_token
        attempt = Attempt(self._clock, ends, self._note)
        going_on = [each for each in self._plan.candidates if each.continues]
        for candidate in sorted(going_on, key=lambda each: each is self._spoken):
            if self._clock() < ends and candidate.health.breaker.admits():
                try:
                    return await attempt.opened(candidate, prompt, "continue")
                except (UpstreamError, RequestError):  # some servers reject a prompt that ends with an answer
                    continue
        raise UpstreamUnavailable("No target goes on.")

    def _next(self) -> tuple[Candidate, int] | None:
        """Who is asked next: one that was not asked yet; one again; one that is left out, provided it fails at once."""
        if self._clock() >= self._ends:
            return None
        if (one := self._untried()) is not None:
            return one, 0
        for at, (candidate, _) in enumerate(self._again):
            if candidate.health.breaker.admits():
                return self._again.pop(at)
        out = [each for each in self._left if each.health.breaker.quick]
        if not out:
            return None
        one = min(out, key=lambda each: each.health.breaker.due)
        self._left.remove(one)
        return one, 0

    def _untried(self) -> Candidate | None:
        for at, each in enumerate(self._left):
            if each.health.breaker.admits():
                return self._left.pop(at)
        return None

    async def _paused(self, retried: int) -> bool:
        """Wait before a target is asked again; False where no time is left for that."""
        pause = self._chance.uniform(0, min(LONGEST_PAUSE, PAUSE * 2 ** (retried - 1)))
        if self._clock() + pause >= self._ends:
            return False
        await asyncio.sleep(pause)
        return True

    async def _step(self, candidate: Candidate, retried: int) -> Opened | None:
        kind: Kind = "retry" if retried else "fallback" if self._failed else "first"
        plan = self._plan.hedging
        if plan is None:
            return await self._asked(candidate, kind, retried)
        if kind == "first":
            plan.requested()
        patience = plan.patience(candidate.health.pace)
        if patience is None:
            return await self._asked(candidate, kind, retried)
        return await hedging.raced(self._asked(candidate, kind, retried), patience, self._hedge)

    def _hedge(self) -> hedging.Attempted | None:
        plan = self._plan.hedging
        if plan is None or self._clock() >= self._ends or not any(each.health.breaker.admits() for each in self._left):
            return None
        other = self._untried() if plan.granted() else None
        return None if other is None else self._asked(other, "hedge", 0)

    async def _asked(self, candidate: Candidate, kind: Kind, retried: int) -> Opened | None:
        """Ask one target; None where it failed, which is kept. Raises UpstreamRejected."""
        # Not kept: it leads back here, and the turn's prompt and passages would wait for the garbage collector.
        attempt = Attempt(self._clock, self._ends, self._note)
        try:
            opened = await attempt.opened(candidate, self._prompt, kind)
        except UpstreamError as error:
            self._failed.append(error)
            if isinstance(error, UpstreamEmpty) and error.finish_reason == "content_filter":
                # No other target is asked to get around a filter.
                self._left.clear()
                self._again.clear()
            elif retried < candidate.retries and self._may_again(candidate, error):
                self._again.append((candidate, retried + 1))
            return None
        self._spoken = self._spoken or candidate
        return opened

    def _may_again(self, candidate: Candidate, error: UpstreamError) -> bool:
        if isinstance(error, UpstreamEmpty):
            # A model that says nothing is asked once more; one that thought until its limit would do so again.
            empty = sum(isinstance(each, UpstreamEmpty) for each in self._failed)
            return error.finish_reason != "length" and empty < MOST_EMPTY
        return isinstance(error, _QUICK) and candidate.health.breaker.admits()


def telling(failed: Sequence[UpstreamError]) -> UpstreamError:
    """Which of several failures the caller is told: a limit, as it says when to ask again; else the most particular."""
    limited = [error for error in failed if isinstance(error, UpstreamLimited)]
    if limited:
        return min(limited, key=lambda error: math.inf if error.retry_after is None else error.retry_after)
    return next(error for kind in _TELLING for error in reversed(failed) if isinstance(error, kind))


def _left_out(candidate: Candidate) -> UpstreamError:
    """Why a target is not even asked: it named a time, or it does not answer."""
    breaker = candidate.health.breaker
    if isinstance(breaker.limit, UpstreamLimited | UpstreamUnavailable) and (seconds := breaker.cools):
        return type(breaker.limit)(breaker.limit.message, retry_after=seconds)
    return UpstreamTimeout("The upstream has not answered lately, and is asked again in the background.")
