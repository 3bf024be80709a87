"""A call of one's own through the public URL, again and again: whether what comes from there still arrives here."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gateway import public

logger = logging.getLogger("gateway.tunnel")

MISSING = "public URL"
"""What readiness calls it."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How long everything takes. Seconds."""

    start: float = 30.0
    """Until a tunnel gives its URL."""
    quiet: float = 0.3
    """From a new URL until it is told: some tunnels give two at once."""
    first: float = 5.0
    """From a new URL to the first look through it: a name that is asked for too early stays unknown for minutes."""
    beat: float = 15.0
    """Between two looks."""
    patience: float = 5.0
    """For one."""
    failures: int = 2
    """Looks in a row that fail until the public URL is missing."""
    hopeless: int = 8
    """Looks in a row that fail until a tunnel is started again: it may live and lead nowhere, as after a sleep."""
    backoff: float = 1.0
    """Before somebody who could not follow is told again, and before a tunnel that died is started again; doubled."""
    longest: float = 60.0


USUAL = Pace()


def patient() -> None:
    """Nothing is done about it."""


class Looking:
    """Looks through one URL after another."""

    def __init__(self, url: str = "", *, pace: Pace = USUAL, hopeless: Callable[[], None] = patient) -> None:
        """`hopeless` is called whenever so many looks in a row have failed that somebody should do something."""
        self.url = url
        self._pace = pace
        self._hopeless = hopeless
        self._failed = 0

    def missing(self) -> Sequence[str]:
        """`["public URL"]` while nothing comes through it, as far as is known."""
        return [MISSING] if self._failed >= self._pace.failures else []

    def at(self, url: str) -> None:
        """Look through this one from now on."""
        self.url = url
        self._failed = 0

    async def run(self) -> None:
        """Never returns."""
        seen = ""
        while True:
            await asyncio.sleep(self._pace.beat if seen == self.url else self._pace.first)
            seen = self.url
            problem = await public.problem(seen, self._pace.patience)
            if seen == self.url:
                self._seen(problem)

    def _seen(self, problem: str) -> None:
        if not problem:
            if self.missing():
                logger.info("%s can be reached again", self.url)
            self._failed = 0
            return
        self._failed += 1
        if self._failed == self._pace.failures:
            logger.warning("the public URL: %s/livez %s", self.url, problem)
        if self._failed % self._pace.hopeless == 0:
            self._hopeless()
