"""One target asked, put right where it can be, and what that says about its health."""

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from typing import Literal, TypeAlias

from gateway.errors import (
    UpstreamEmpty,
    UpstreamError,
    UpstreamLimited,
    UpstreamRejected,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from gateway.types import Attempted, Note, Opened, Prompt
from gateway.upstream import gate, mending
from gateway.upstream.candidate import Candidate, Health

Kind: TypeAlias = Literal["first", "retry", "fallback", "hedge", "continue"]
LOST = "cancelled"
"""The code of an attempt that was hung up on: another one was quicker, or nobody waited for an answer any more."""
_WHOLE = 0.9
"""A time-out after less of the target's own time than this is the route's: it says nothing about the target."""

logger = logging.getLogger("gateway.upstream")


class Attempt:
    """How a turn asks: its clock, until when, and who is told."""

    __slots__ = ("clock", "ends", "note")

    def __init__(self, clock: Callable[[], float], ends: float, note: Note) -> None:
        self.clock = clock
        self.ends = ends
        self.note = note

    async def opened(self, candidate: Candidate, prompt: Prompt, kind: Kind) -> Opened:
        """Ask, again where what was refused can be put right. Raises UpstreamError, UpstreamRejected."""
        health = candidate.health
        mended = 0
        while True:
            began = self.clock()
            asked = health.learned.applied(prompt)
            seconds = min(candidate.first_token, self.ends - began)
            health.pace.asked(began)
            told = partial(self._told, candidate.named(prompt.model), began, kind)
            try:
                leading, chunks = await gate.opened(candidate.ask, asked, seconds)
            except UpstreamRejected as error:
                told(error.code)
                health.breaker.spoke(began)
                prompt = _put_right(health, prompt, asked, error, mended)
                mended += 1
                kind = "retry"
            except UpstreamError as error:
                told(error.code)
                _failed(candidate, error, began, seconds)
                raise
            except asyncio.CancelledError:
                told(LOST)
                raise
            else:
                health.breaker.spoke(began)
                health.pace.measured(self.clock() - began)
                told("")
                over = partial(_over, health, began)
                return Opened(candidate.named(prompt.model), gate.resumed(leading, chunks, over), chunks.aclose)

    def _told(self, target: str, began: float, kind: Kind, code: str) -> None:
        self.note(Attempted(target, code, (self.clock() - began) * 1000, kind, began))


def _put_right(health: Health, prompt: Prompt, asked: Prompt, error: UpstreamRejected, mended: int) -> Prompt:
    """The prompt to ask with next; raises the error where there is none."""
    if error.code == mending.TOO_LONG:
        short = mending.shortened(prompt, error) if not mended else None
        if short is not None:
            left_out = len(prompt.messages) - len(short.messages)
            logger.info("the history was too long for the target: %d messages left out", left_out)
            return short
    elif mended < mending.MOST and (parameter := mending.parameter(asked, error)):
        health.learned.refused(asked, parameter)
        logger.info("the target does not take %r: it is asked without it from now on", parameter)
        return prompt
    raise error


def _failed(candidate: Candidate, error: UpstreamError, began: float, seconds: float) -> None:
    """Count a failure, where it is one of the target."""
    breaker, pace, _ = candidate.health
    if isinstance(error, UpstreamTimeout):
        if seconds < _WHOLE * candidate.first_token:
            return
        pace.measured(candidate.first_token)
    elif isinstance(error, UpstreamEmpty) and error.finish_reason in {"length", "content_filter"}:
        breaker.spoke(began)  # it works as it should
        return
    if error.retry_after and isinstance(error, UpstreamLimited | UpstreamUnavailable):
        breaker.cool(error.retry_after, error)
    else:
        breaker.failed(error, began)


def _over(health: Health, began: float, broken: UpstreamError | None) -> None:
    """A stream that had begun is over."""
    if broken is None:
        health.breaker.finished()
    else:
        health.breaker.broke(broken, began)
