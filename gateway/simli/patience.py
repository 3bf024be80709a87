"""Asking again: with growing, jittered pauses, for so many seconds in all; never where a thing might be done twice."""

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from gateway.errors import SimliError, SimliLimited, SimliOverloaded, SimliTimeout, SimliUnavailable
from gateway.simli.dialect import Again
from gateway.simli.refusals import Answer

FIRST, LONGEST = 0.25, 8.0
"""Seconds: the first pause and the longest, before the jitter."""
UNREACHED = 3.0
"""Seconds at most for a Simli that is not there: a person waits, and a sandbox that was not started does not come."""
logger = logging.getLogger(__name__)
_PASSING = (SimliLimited, SimliOverloaded, SimliTimeout, SimliUnavailable)


class Try(NamedTuple):
    """What came of sending a request once."""

    answer: Answer | None
    error: SimliError | None = None
    unsent: bool = False
    """It surely never got there."""


async def patiently(once: Callable[[], Awaitable[Try]], again: Again, patience: float) -> Answer:
    """The answer of `once`, asked again while its failure may pass and no more than `patience` seconds are over.

    Raises the last failure.
    """
    began = time.monotonic()
    pause = FIRST
    while True:
        tried = await once()
        if tried.error is None and tried.answer is not None:
            return tried.answer
        error = tried.error or SimliError("Simli gave no answer.")
        error.unsent = tried.unsent
        if not _may(tried, error, again):
            raise error
        wait = max(pause * random.uniform(0.5, 1.0), error.retry_after or 0.0)  # noqa: S311 no secret
        if time.monotonic() + wait > began + allowed(tried, patience):
            raise error
        logger.info("%s Asked again in %.1f s.", error.message, wait)
        await asyncio.sleep(wait)
        pause = min(pause * 2, LONGEST)


def allowed(tried: Try, patience: float) -> float:
    """Seconds in all for a failure like this one."""
    return min(patience, UNREACHED) if tried.unsent else patience


def _may(tried: Try, error: SimliError, again: Again) -> bool:
    """Whether to send it once more. What is overloaded or limits refused before it did anything."""
    if again == "never" or not isinstance(error, _PASSING):
        return False
    return again == "always" or tried.unsent or isinstance(error, SimliLimited | SimliOverloaded)
