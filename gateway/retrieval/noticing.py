"""What the log is told of knowledge that cannot be searched as it should be: news, and not with each turn again."""

import logging
import time
from dataclasses import dataclass, field

from gateway.retrieval.library import Library

log = logging.getLogger(__name__)

QUIET = 60.0
"""Seconds in which the same is not said again."""


@dataclass(eq=False)
class Noticing:
    """The state of a library, as the log was told last."""

    library: Library
    _away: str = ""
    _said: dict[str, float] = field(default_factory=dict)
    """When something was said last."""

    def away(self) -> bool:
        """Whether no vectors can be searched; the log is told when that changes."""
        away = self.library.away
        if away and not self._away:
            log.warning("%s; until then what is known is searched by words alone", away)
        elif self._away and not away:
            log.warning("what is known is searched by vectors again: the server answers")
        self._away = away
        return bool(away)

    def failed(self, why: str) -> None:
        """A search has failed, though the library answers."""
        if not self.away():
            self._once(f"search failed: {why}; what is asked is searched by words alone")

    def refused(self, collection: str, why: str) -> None:
        """A collection's current version cannot be served."""
        self._once(f"collection {collection}: {why}")

    def _once(self, text: str) -> None:
        now = time.monotonic()
        if now - self._said.get(text, -QUIET) >= QUIET:
            self._said = {said: when for said, when in self._said.items() if now - when < QUIET} | {text: now}
            log.warning("%s", text)
