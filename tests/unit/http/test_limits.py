"""gateway/http/limits.py"""

import asyncio

import pytest

from gateway.errors import Overloaded
from gateway.http.limits import ADDRESSES, Load, Place, WrongKeys, quotas
from gateway.settings import Limits
from gateway.types import Admission, Agent, Key, Rate


def test_wrong_keys_are_counted_by_address_for_a_minute() -> None:
    """Within the limit nothing happens; past it the rest of the minute is told; then it begins anew."""
    now = 100.0
    wrong = WrongKeys(2, clock=lambda: now)
    assert [wrong.spent("a") for _ in range(3)] == [0.0, 0.0, 60.0]
    now = 130.0
    assert wrong.spent("a") == 30.0 and wrong.spent("b") == 0.0
    now = 160.0
    assert wrong.spent("a") == 0.0


def test_an_address_has_its_wrong_keys_once_over_all_processes() -> None:
    """What others count counts here, and what is counted here is told to them, until the limit is reached."""
    told: list[str] = []
    wrong = WrongKeys(4, told.append, clock=lambda: 100.0)
    wrong.heard("a")
    wrong.heard("a")
    assert [wrong.spent("a") for _ in range(4)] == [0.0, 0.0, 60.0, 60.0]
    assert told == ["a", "a"] and wrong.spent("b") == 0.0


def test_wrong_keys_of_the_whole_world_take_bounded_memory() -> None:
    """The address that was quiet for longest is forgotten; the busy one is not."""
    wrong = WrongKeys(1, clock=lambda: 0.0)
    for number in range(ADDRESSES * 2):
        wrong.spent(f"10.0.{number}")
        wrong.spent("busy")
    assert len(wrong.counted) == ADDRESSES and wrong.spent("busy") == 60.0


def test_a_place_is_given_back_once() -> None:
    """However often the end is told."""
    given: list[str] = []
    load = Load(Limits(turns=1), clock=lambda: 0.0)
    place = load.entered()
    place.admission = Admission(True, 1, 0, 0.0, 0.0, "", lambda: given.append("back"))
    with pytest.raises(Overloaded):
        load.entered()
    for _ in range(3):
        place.leave()
    assert load.turns == 0 and given == ["back"]
    load.entered().leave()


def test_the_last_turns_are_for_those_who_have_few() -> None:
    """Who has more than half is refused in the last fifth; what it gave back is free again, and forgotten."""
    load = Load(Limits(turns=10), clock=lambda: 0.0)

    def took(owner: str) -> Place:
        place = load.entered()
        try:
            load.shared(place, owner)
        except Overloaded:
            place.leave()
            raise
        return place

    places = [took("greedy") for _ in range(8)]
    with pytest.raises(Overloaded):
        took("greedy")
    assert load.turns == 8
    places += [took("modest"), took("other")]
    for place in places:
        place.leave()
        place.leave()
    assert load.turns == 0 and load.held == {}


def test_it_is_overloaded_before_it_refuses() -> None:
    """From four fifths of the turns, or half the lag, on: what need not be done is left."""
    now = 0.0
    load = Load(Limits(turns=10, lag=1.0), clock=lambda: now)
    places = [load.entered() for _ in range(7)]
    assert not load.overloaded()
    places.append(load.entered())
    assert load.overloaded()
    places.pop().leave()
    load.due, now = 10.0, 10.6
    assert load.overloaded()
    load.entered().leave()
    now = 11.1
    with pytest.raises(Overloaded):
        load.entered()


async def test_the_lag_is_that_of_the_loop() -> None:
    """Nothing while the loop runs freely; its timer ends with the watch."""
    load = Load(Limits())
    async with load.watched():
        await asyncio.sleep(0.12)
        assert load.lag < 0.1
        due = load.due
    await asyncio.sleep(0.12)
    assert load.due == due


def test_only_rates_make_quotas() -> None:
    """A key or an agent without one is not asked about."""
    key, agent = Key("k", "", "chat"), Agent("a", "")
    assert quotas(key, agent) == quotas(None, None) == []
    rated = Key("k", "", "chat", rate=Rate(streams=1))
    assert [owner for owner, _ in quotas(rated, Agent("a", "", rate=Rate(requests=2)))] == ["key:k", "agent:a"]
