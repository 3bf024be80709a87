"""A load is bounded whatever is asked for, and stays on this machine unless it is sent elsewhere."""

from typing import Any

import pytest

from tests.load.plan import HALVINGS, MOST_REQUESTS, MOST_USERS, SECONDS, USERS, WARM_UP, Plan, Wrong, base, is_loopback


def plan(**given: Any) -> Plan:
    """A plan that is well but for what is given."""
    usual = {"url": "http://127.0.0.1:8000/v1", "models": [("nora", "en")], "users": [10, 20], "seconds": 20.0}
    return Plan(**{**usual, "warm_up": 6.0, "folder": "/tmp", **given})


@pytest.mark.parametrize(
    "given",
    [
        {"users": []},
        {"users": [0]},
        {"users": [20, 10]},
        {"users": [10, 10]},
        {"users": [MOST_USERS + 1]},
        {"users": range(1, 50)},
        {"seconds": 0.5},
        {"seconds": 3600.0},
        {"models": []},
    ],
)
def test_what_cannot_be(given: dict[str, Any]) -> None:
    """People, steps and seconds have bounds, and somebody has to be asked."""
    with pytest.raises(Wrong):
        plan(**given)


def test_the_generator_hears_what_was_planned() -> None:
    """A plan goes through JSON as it is."""
    told = plan(key="sk-1", users=[10, 20])
    assert Plan.heard(told.told()) == told


def test_many_people_come_slowly() -> None:
    """Who comes in great numbers gets more time to come."""
    few, many = plan(users=[10, 20]), plan(users=[10, 1010])
    assert (few.warming(0, 10), few.warming(10, 20), few.warming(20, 10)) == (6.0, 6.0, 6.0)
    assert many.warming(10, 1010) == many.warming(1010, 10) == 12.0 and many.duration == few.duration + 6


def test_halvings_are_reckoned_with() -> None:
    """A run that may halve may be longer and send more, and says so before; the usual one takes 200 seconds at most."""
    usual = plan(users=USERS, seconds=SECONDS, warm_up=WARM_UP, halvings=HALVINGS)
    ascending = plan(users=USERS, seconds=SECONDS, warm_up=WARM_UP)
    assert usual.duration == ascending.duration + HALVINGS * (SECONDS + WARM_UP) < 200
    assert usual.sent.requests > ascending.sent.requests


def test_what_is_sent_is_bounded() -> None:
    """It grows with the people, up to the bound."""
    assert 0 < plan().sent.requests < plan(users=[10, 40]).sent.requests < MOST_REQUESTS
    full = plan(users=range(MOST_USERS - 11, MOST_USERS + 1), seconds=60.0).sent
    assert full.requests == MOST_REQUESTS and full.model_calls < MOST_REQUESTS


@pytest.mark.parametrize(
    ("target", "url"),
    [
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000/v1"),
        ("https://voice.example.com/", "https://voice.example.com/v1"),
        ("https://voice.example.com/v1", "https://voice.example.com/v1"),
        ("https://voice.example.com/k/abc/v1/chat/completions", "https://voice.example.com/k/abc/v1"),
        ("https://voice.example.com/agents/nora", "https://voice.example.com/agents/nora/v1"),
    ],
)
def test_targets(target: str, url: str) -> None:
    """A host, a base and a whole URL all name the same deployment."""
    assert base(target) == url


@pytest.mark.parametrize("target", ["", "voice.example.com", "ftp://x", "https://", "https://x/v1?key=1"])
def test_no_targets(target: str) -> None:
    """What is no URL of a deployment is refused."""
    with pytest.raises(Wrong):
        base(target)


def test_loopback() -> None:
    """This machine is known by its names."""
    assert all(is_loopback(url) for url in ("http://127.0.0.1:1/v1", "http://localhost/v1", "http://[::1]:80/v1"))
    assert not any(is_loopback(url) for url in ("http://10.0.0.1/v1", "https://voice.example.com/v1"))
