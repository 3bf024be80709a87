"""What breaks first: at how many sessions each thing comes to its end, and what one does then. Pure."""

import math
from typing import NamedTuple

from tests.load.capacity.calculation import REMEMBERED, Assumptions, needs, turn
from tests.load.capacity.figures import Figures, Register

SPENT = 0.1
"""Share of each gateway's core that may go into keys."""
SWEPT, SAVED = 300.0, 60.0
"""Seconds between two readings of all keys, and between two snapshots (`store.register`)."""
SHOWN = 60.0
"""Seconds of turns that the list of the last ones should go back."""
RECORDS = 1000
"""`[store] turns`."""
INDEXED = 10_000
"""Sessions that are listed (`store.sessions.MOST_INDEXED`)."""
LISTED = 3600.0
"""Seconds that the list of sessions should go back."""
PROXY = 10_000.0
"""Megabits a second of one proxy's network."""


class Limit(NamedTuple):
    """One thing that comes to its end."""

    sessions: float
    """From so many on; infinite where it never does."""
    name: str
    what: str
    """How it is then."""
    then: str
    """What one does."""
    hard: bool
    """Whether the gateway does not go on beyond it with settings alone: its code, or another fleet, is what helps."""


def limits(figures: Figures, given: Assumptions) -> list[Limit]:
    """All of them, the nearest first."""
    one = turn(figures, given)
    each = needs(1_000_000, figures, given)
    a_turn = given.cycle / given.burst
    (register,) = figures.register
    found = [
        Limit(
            _register(register, given),
            "keys at hand",
            "every process follows every session's key, and a tenth of its core goes into that"
            f" ({register.change_ms:g} ms a change, and all of them now and then)",
            "let Simli start sessions of the agents that `agents apply` registers: they call by a capability, and have"
            " no key (`launched` = 0); else further fleets, each with its own Redis",
            hard=True,
        ),
        Limit(
            1e6 * given.redis_gb / each.kept if each.kept else math.inf,
            "the memory of Redis",
            f"what was said in {given.kept_days:g} days fills the {given.redis_gb:g} GB of one Redis",
            "`[store] kept_days`: half the days, twice the sessions; `transcript: false` in agent files, where nobody"
            " reads it; a larger Redis",
            hard=False,
        ),
        Limit(
            given.full / one.core * a_turn,
            "one process",
            f"it is {given.full:.0%} full",
            "more workers (`--workers`), then more pods: the autoscaler does it",
            hard=False,
        ),
        Limit(
            given.full / one.redis * a_turn,
            "the core of Redis",
            f"it is {given.full:.0%} full, and Redis works on one",
            "further fleets, each with its own; a Redis cluster is not spoken to: scripts take keys of several slots",
            hard=True,
        ),
        Limit(
            RECORDS / SHOWN * a_turn,
            "the list of the last turns",
            "it goes back less than a minute",
            "`[store] turns`, some 2 kB of Redis each; the log has all of them",
            hard=False,
        ),
        Limit(
            INDEXED / LISTED * given.session / given.launched if given.launched else math.inf,
            "the list of sessions",
            "it goes back less than an hour",
            "ask for a session by its id: each is there for `[store] kept_days`, whatever is listed",
            hard=False,
        ),
        Limit(
            PROXY / max(each.out_mbit, each.in_mbit) * 1e6,
            "one proxy",
            "10 Gbit/s go through it",
            "several, by DNS or a balancer of connections",
            hard=False,
        ),
    ]
    return sorted(found, key=lambda limit: limit.sessions)


def keeping(register: Register, keys: float) -> float:
    """Share of a core that goes into reading so many keys now and then, and into writing them down."""
    return keys * (register.all_us / SWEPT + register.saved_us / SAVED) / 1e6


def _register(register: Register, given: Assumptions) -> float:
    """Sessions at which `SPENT` of a core goes into keys. Each is made, and revoked: two changes."""
    a_session = given.launched / given.session
    kept = keeping(register, a_session * (REMEMBERED + given.longest))
    spent = a_session * 2 * register.change_ms / 1e3 + kept
    return SPENT / spent if spent else math.inf


def cell(figures: Figures, given: Assumptions) -> float:
    """Sessions of one fleet: gateways that share one Redis."""
    return min(limit.sessions for limit in limits(figures, given) if limit.hard)
