"""gateway/upstream/hedging.py: a second target beside a slow first one."""

import asyncio
import time
from typing import Any

import pytest

from gateway.errors import UpstreamRejected, UpstreamTimeout, UpstreamUnavailable
from gateway.settings import Breaker as Rule
from gateway.types import Chunk
from gateway.upstream.hedging import Hedging
from gateway.upstream.pace import ENOUGH, Pace
from tests.unit.upstream.doubles import AGENT, HI, Line, Target

REFUSED = UpstreamUnavailable("refused")
LATE = (0.1, *HI)
HANG = 9.0


def hedged(*targets: Target, after: float = 0.03, share: float = 1.0, busy: bool = False, **more: Any) -> Line:
    return Line(*targets, plan={"hedging": Hedging(after, share, lambda: busy)}, **{"first_token": 1.0, **more})


async def test_the_first_that_speaks_wins_and_the_other_is_over() -> None:
    """The second answers at once: its words are heard, and the first is closed when they are."""
    first, second = Target(HANG), Target(*HI)
    line = hedged(first, second, rule=Rule(failures=1))
    began = time.perf_counter()
    opened = await line.complete()("r", AGENT, line.noted.append)
    assert 0.02 < time.perf_counter() - began < 0.08
    assert opened.target == "t1/m" and (first.closed, second.closed) == (1, 0)
    await opened.aclose()
    assert sorted(line.notes) == [("t0", "first", "cancelled"), ("t1", "hedge", "")]
    first_health = line.candidates[0].health
    assert first_health.breaker.state == "closed" and first_health.pace.usual == float("inf")


async def test_a_first_that_speaks_after_all_wins() -> None:
    """Being late is no failure: the hedge is closed."""
    first, second = Target(0.06, *HI), Target(HANG)
    line = hedged(first, second)
    assert (await line.said())[0] == "t0/m"
    assert second.asked == second.closed == 1
    assert sorted(line.notes) == [("t0", "first", ""), ("t1", "hedge", "cancelled")]


async def test_a_quick_first_needs_no_second() -> None:
    """Nobody else is asked where the first speaks in time."""
    second = Target(*HI)
    assert (await hedged(Target(*HI), second).said())[0] == "t0/m"
    assert second.asked == 0


async def test_a_first_that_fails_is_followed_and_not_hedged() -> None:
    """A refusal is fail-over, at once, and spends nothing of the hedges."""
    line = hedged(Target(REFUSED), Target(*HI), after=5.0)
    assert (await line.said())[0] == "t1/m"
    assert line.notes == [("t0", "first", REFUSED.code), ("t1", "fallback", "")]


async def test_a_hedge_that_fails_leaves_the_first_alone() -> None:
    """The first is waited for all the same, and rejecting is a failure of the one that rejects."""
    for failing in (REFUSED, UpstreamRejected("no such model")):
        line = hedged(Target(*LATE), Target(failing))
        assert (await line.said())[0] == "t0/m"


async def test_where_both_fail_the_rest_of_the_route_is_asked() -> None:
    """Both failures are kept, and the third target answers."""
    line = hedged(Target(0.06, REFUSED), Target(REFUSED), Target(*HI))
    assert (await line.said())[0] == "t2/m"
    assert [note[1] for note in line.notes] == ["hedge", "first", "fallback"]


async def test_where_both_reject_the_caller_is_told() -> None:
    """The caller's own fault keeps its status."""
    with pytest.raises(UpstreamRejected):
        await hedged(Target(0.06, UpstreamRejected("wrong")), Target(UpstreamRejected("wrong"))).said()


async def test_a_hangup_cancels_both() -> None:
    """Whoever waits for two and leaves closes both, at once, and nothing is held against them."""
    first, second = Target(HANG), Target(HANG)
    line = hedged(first, second, after=0.01, rule=Rule(failures=1))
    opening = asyncio.create_task(line.said())
    await asyncio.sleep(0.04)
    assert first.asked == second.asked == 1
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    assert first.closed == second.closed == 1
    assert {(each.kind, each.code) for each in line.noted} == {("first", "cancelled"), ("hedge", "cancelled")}
    assert [each.health.breaker.state for each in line.candidates] == ["closed", "closed"]


async def test_two_that_speak_in_the_same_moment_leave_one() -> None:
    """The other stream is closed, not forgotten."""
    first, second = Target(0.05, *HI), Target(0.02, *HI)
    for _ in range(20):
        line = hedged(first, second)
        opened = await line.complete()("r", AGENT, line.noted.append)
        await opened.aclose()
    assert first.asked == first.closed and second.asked == second.closed


async def test_hedges_are_a_share_of_the_requests() -> None:
    """A tenth: of thirty slow turns, three are hedged."""
    second = Target(*HI)
    line = hedged(Target(0.015, *HI), second, after=0.003, share=0.1)
    for _ in range(30):
        await line.said()
    assert second.asked == 3


def test_the_share_is_that_of_the_last_hundred() -> None:
    """What was spent long ago is there again, and never more than the share within a hundred."""
    plan = Hedging(0.1, 0.05, lambda: False)
    granted = []
    for _ in range(1000):
        plan.requested()
        granted.append(plan.granted())
    assert sum(granted) == 50
    assert all(sum(granted[at : at + 100]) <= 6 for at in range(900))


async def test_under_overload_nothing_is_hedged() -> None:
    """A second request would make all of them slower."""
    second = Target(*HI)
    assert (await hedged(Target(*LATE), second, busy=True).said())[0] == "t0/m"
    assert second.asked == 0


async def test_a_target_that_is_left_out_is_no_hedge() -> None:
    """An open second target is not asked beside the first, and spends nothing."""
    line = hedged(Target(*LATE), Target(*HI), rule=Rule(failures=1))
    line.candidates[1].health.breaker.failed(UpstreamTimeout("late"), 0)
    assert (await line.said())[0] == "t0/m"
    assert line.targets[1].asked == 0


def test_without_a_delay_it_is_the_targets_own() -> None:
    """The 95th percentile of its last times, once there are enough of them."""
    plan, pace = Hedging(0.0, 1.0, lambda: False), Pace()
    assert plan.patience(pace) is None
    for _ in range(ENOUGH):
        pace.measured(0.2)
    assert plan.patience(pace) == 0.2
    assert Hedging(0.5, 1.0, lambda: False).patience(pace) == 0.5


async def test_a_target_of_unknown_pace_is_asked_without_a_task() -> None:
    """No delay and no samples: the turn runs as without hedging, and a word is a word."""
    before = len(asyncio.all_tasks())
    seen: list[int] = []

    class Counting(Target):
        def ask(self) -> Any:
            async def chunks(_: Any) -> Any:
                seen.append(len(asyncio.all_tasks()) - before)
                yield Chunk("hi")

            return chunks

    line = hedged(Counting(), Target(), after=0.0)
    await line.said()
    assert seen == [0]
