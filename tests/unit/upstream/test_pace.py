"""gateway/upstream/pace.py and order.py"""

import math
import random

from gateway.upstream.order import ordered
from gateway.upstream.pace import ENOUGH, KEPT, LATELY, Pace
from tests.unit.upstream.doubles import Clock, Target, candidate


def test_one_slow_turn_changes_nothing_and_many_do() -> None:
    """The usual time is the median of the last nine."""
    pace = Pace()
    assert pace.usual == math.inf
    for seconds in (0.1, 0.1, 0.1, 3.0):
        pace.measured(seconds)
    assert pace.usual == 0.1
    for _ in range(5):
        pace.measured(2.0)
    assert pace.usual == 2.0


def test_the_slow_time_needs_enough_samples() -> None:
    """The 95th percentile of the last hundred; of few nobody knows."""
    pace = Pace()
    for number in range(1, ENOUGH):
        pace.measured(number)
        assert pace.slow is None
    pace.measured(ENOUGH)
    assert pace.slow == 19
    for number in range(KEPT):
        pace.measured(1000 + number)
    assert pace.slow == 1094


def test_an_unknown_target_has_its_turn_once_a_minute() -> None:
    """One turn finds out; those beside it go to the target that is known to be quick."""
    pace = Pace()
    assert pace.unknown(0)
    pace.asked(0)
    assert not pace.unknown(LATELY)
    assert pace.unknown(LATELY + 1)


def test_the_fastest_order() -> None:
    """The unknown first, then by the usual time."""
    clock = Clock()
    slow, quick, new = (candidate(name, Target(), clock=clock) for name in ("slow", "quick", "new"))
    for each, seconds in ((slow, 0.5), (quick, 0.1)):
        each.health.pace.asked(clock())
        each.health.pace.measured(seconds)
    route = (slow, quick, new)
    names = [each.name for each in ordered(route, "fastest", clock(), random.Random(1))]
    assert names == ["new", "quick", "slow"]
    assert list(ordered(route, "fallback", clock(), random.Random(1))) == [slow, quick, new]


def test_the_weighted_order_is_drawn_whole() -> None:
    """Who is drawn second is drawn by weight too, so that an outage is shared as the weights say."""
    clock = Clock()
    weights = {"a": 2, "b": 1, "c": 1, "none": 0}
    route = [candidate(name, Target(weight=weight), clock=clock) for name, weight in weights.items()]
    chance = random.Random(7)
    orders = [[each.name for each in ordered(route, "weighted", 0, chance)] for _ in range(2000)]
    assert all(order[-1] == "none" for order in orders)
    assert 900 < sum(order[0] == "a" for order in orders) < 1100
    behind = [order[1] for order in orders if order[0] == "b"]
    assert 0.6 < behind.count("a") / len(behind) < 0.73
