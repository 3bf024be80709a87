"""What so many sessions need, and what breaks first, as a terminal of 80 columns shows it."""

import math
import textwrap
from collections.abc import Iterator

from tests.load.capacity import words
from tests.load.capacity.calculation import Assumptions, needs
from tests.load.capacity.figures import Figures
from tests.load.capacity.limits import Limit, limits
from tests.load.capacity.page import rounded

WIDTH = 80


def told(sessions: int, figures: Figures, given: Assumptions) -> Iterator[str]:
    """Line by line: what is needed, then each limit, the lowest first, with what is done about it."""
    need = needs(sessions, figures, given)
    rows = [("sessions at once", f"{sessions:,}")]
    rows += [(name, rounded(float(getattr(need, attribute)))) for name, attribute in words.NEEDED]
    left, right = (max(len(row[at]) for row in rows) for at in (0, 1))
    yield from (f"{name:<{left}}  {value:>{right}}" for name, value in rows)
    found = [limit for limit in limits(figures, given) if math.isfinite(limit.sessions)]
    for heading, some in (
        ("At its end before that", [limit for limit in found if limit.sessions <= sessions]),
        ("Good for more", [limit for limit in found if limit.sessions > sessions]),
    ):
        if some:
            yield f"\n{heading}"
            yield from (line for limit in some for line in _limit(limit))


def _limit(limit: Limit) -> Iterator[str]:
    text = f"{limit.sessions:,.0f} sessions: {limit.name}: {limit.what}"
    for said, first, rest in ((text, "  ", "    "), (limit.then, "    -> ", "       ")):
        yield from textwrap.wrap(
            said, WIDTH, initial_indent=first, subsequent_indent=rest, break_long_words=False, break_on_hyphens=False
        )
