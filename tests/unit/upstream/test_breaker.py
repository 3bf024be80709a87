"""gateway/upstream/breaker.py, on a clock that goes when it is told to."""

import pytest

from gateway.errors import UpstreamError, UpstreamLimited, UpstreamStalled, UpstreamTimeout, UpstreamUnavailable
from gateway.settings import Breaker as Rule
from gateway.upstream.breaker import COOLEST, IDLE, UNWANTED, Breaker
from tests.unit.upstream.doubles import Clock

RULE = Rule(failures=3, open_for=1.0, longest=5.0)
REFUSED = UpstreamUnavailable("refused")
LATE = UpstreamTimeout("late")


class Opened:
    """A breaker, its clock, and what it told."""

    def __init__(self, error: UpstreamError = REFUSED, *, failures: int = 3) -> None:
        self.clock = Clock()
        self.published: list[float] = []
        self.opened = 0
        self.breaker = Breaker(RULE, self.clock, opened=self.on_opened, publish=self.published.append)
        for _ in range(failures):
            self.breaker.failed(error, self.clock())

    def on_opened(self) -> None:
        self.opened += 1

    def probed(self, error: UpstreamError | None) -> None:
        """Wait until the probe is due, and let it end like this."""
        self.clock.now = max(self.clock.now, self.breaker.due)
        self.breaker.probe()
        self.breaker.probed(error)


def test_it_opens_after_so_many_failures_in_a_row() -> None:
    """Two are not enough, and an answer between them begins the row again."""
    one = Opened(failures=2)
    assert one.breaker.admits() and not one.opened
    one.breaker.spoke(one.clock())
    for _ in range(2):
        one.breaker.failed(REFUSED, one.clock())
    assert one.breaker.admits()
    one.breaker.failed(REFUSED, one.clock())
    assert not one.breaker.admits() and one.published == [1.0]


def test_the_open_time_doubles_up_to_the_longest() -> None:
    """1 s, 2 s, 4 s, 5 s, 5 s: after each failed probe."""
    one = Opened()
    waits = []
    for _ in range(5):
        waits.append(one.breaker.due - one.clock())
        one.probed(REFUSED)
        assert not one.breaker.admits()
    assert waits == [1, 2, 4, 5, 5] and one.published == [1, 2, 4, 5, 5, 5] and one.opened == 1


def test_an_answered_probe_closes_it_and_the_row_begins_again() -> None:
    """Half-open nobody is let in but the probe; closed everybody, and one failure does not open it."""
    one = Opened()
    one.clock.now = one.breaker.due
    one.breaker.probe()
    assert one.breaker.state == "half-open" and not one.breaker.admits()
    one.breaker.probed(None)
    assert one.breaker.admits()
    one.breaker.failed(REFUSED, one.clock())
    assert one.breaker.admits()


def test_a_turn_that_is_answered_closes_it_unless_it_began_before_the_opening() -> None:
    """What began before says nothing new: a first word that comes late does not let a herd in."""
    one = Opened(failures=2)
    early = one.clock()
    one.clock.now += 1
    one.breaker.failed(REFUSED, one.clock())
    one.breaker.spoke(early)
    assert not one.breaker.admits()
    one.breaker.spoke(one.clock())
    assert one.breaker.admits()


def test_a_turn_that_is_answered_while_the_probe_runs_has_the_last_word() -> None:
    """The probe's failure afterwards does not open it again."""
    one = Opened()
    one.breaker.probe()
    one.breaker.spoke(one.clock())
    one.breaker.probed(REFUSED)
    assert one.breaker.state == "closed"


def test_failures_that_began_before_it_was_closed_do_not_count() -> None:
    """The many turns that an outage broke come to their end after the target is back."""
    one = Opened()
    during = one.clock()
    one.probed(None)
    for _ in range(5):
        one.breaker.failed(LATE, during)
        one.breaker.broke(LATE, during)
    assert one.breaker.admits()


def test_streams_that_break_are_counted_apart() -> None:
    """Each began well: only a stream that came to its end begins the row again."""
    one = Opened(failures=0)
    for _ in range(2):
        one.breaker.spoke(one.clock())
        one.breaker.broke(REFUSED, one.clock())
    one.breaker.finished()
    for _ in range(2):
        one.breaker.spoke(one.clock())
        one.breaker.broke(REFUSED, one.clock())
    assert one.breaker.admits()
    one.breaker.spoke(one.clock())
    one.breaker.broke(REFUSED, one.clock())
    assert not one.breaker.admits()


@pytest.mark.parametrize(("error", "quick"), [(REFUSED, True), (LATE, False), (UpstreamStalled("silent"), False)])
def test_it_knows_whether_it_fails_at_once(error: UpstreamError, quick: bool) -> None:
    """Refused it may be asked where nobody else is left; hanging it may not, and what it did last counts."""
    one = Opened(error)
    assert one.breaker.quick is quick
    one.breaker.failed(LATE if quick else REFUSED, one.clock())
    assert one.breaker.quick is not quick
    assert Opened(error, failures=1).breaker.quick is False


def test_a_failure_while_it_is_open_does_not_put_the_probe_off() -> None:
    """Turns that ask it as the last one left do not keep it from being found well."""
    one = Opened()
    due = one.breaker.due
    one.clock.now += 0.5
    one.breaker.failed(REFUSED, one.clock())
    assert one.breaker.due == due and one.published == [1.0]


def test_a_named_time_is_kept_without_a_probe() -> None:
    """`Retry-After` 20: left out for 20 s, by nobody asked, then asked like any other; a minute at most."""
    one = Opened(failures=0)
    one.breaker.cool(20, UpstreamLimited("limit"))
    assert not one.breaker.admits() and not one.breaker.quick and one.breaker.cools == 20
    assert one.opened == 0 and one.published == [20]
    one.clock.now += 20
    assert one.breaker.admits() and one.breaker.cools == 0
    one.breaker.cool(3600, UpstreamLimited("limit"))
    assert one.breaker.cools == COOLEST


def test_an_open_target_that_names_a_time_is_not_probed_before() -> None:
    """A probe that is answered with `Retry-After` waits for it."""
    one = Opened()
    one.breaker.cool(20, REFUSED)
    assert one.breaker.due == one.clock() + 20


def test_a_target_that_nobody_wants_is_probed_seldom_until_somebody_does() -> None:
    """Idle for the night it is asked once a minute; the first turn that wants it brings the pace back."""
    one = Opened()
    for _ in range(5):
        one.probed(REFUSED)
    assert one.breaker.due - one.clock() == 5
    one.clock.now += UNWANTED
    one.probed(REFUSED)
    assert one.breaker.due - one.clock() == IDLE
    one.clock.now += 10
    assert not one.breaker.admits()
    assert one.breaker.due < one.clock()


def test_another_workers_word_opens_it_and_is_not_told_on() -> None:
    """It is left out until then, probed then, and asked meanwhile where nobody else is left; no echo."""
    one = Opened(failures=0)
    one.breaker.told(4)
    assert not one.breaker.admits() and one.opened == 1 and not one.published
    assert one.breaker.due == one.clock() + 4 and one.breaker.quick
    one.breaker.told(7)
    assert one.breaker.due == one.clock() + 7 and one.opened == 1
    one.probed(None)
    one.breaker.told(-1)
    assert one.breaker.admits()
