"""Who goes into a room, and what proves that the gateway was asked there."""

import pytest

from gateway.smoke.auto import judged, of_daily
from gateway.types.smoke import Visit

IN, OUT = Visit(joined=True, says="It was there."), Visit(joined=False, says="The door was shut.")


@pytest.mark.parametrize(
    ("visit", "asked", "code"),
    [(IN, True, None), (IN, False, "not_asked_by_room"), (OUT, False, "not_joined"), (OUT, True, "not_joined")],
)
def test_it_holds_only_with_both(visit: Visit, asked: bool, code: str | None) -> None:
    """A room that was not joined is never a pass, whatever the gateway saw; nor is one in which it was not called."""
    finding = judged(visit, asked=asked)
    assert (finding.code if finding else None) == code
    assert finding is None or visit.says in finding.says


@pytest.mark.parametrize(
    ("url", "daily"),
    [
        ("https://simli.daily.co/abc", True),
        ("https://daily.co/abc", True),
        ("http://127.0.0.1:8765/room/abc", False),
        ("https://notdaily.co/abc", False),
        ("https://daily.co.example/abc", False),
    ],
)
def test_rooms_of_dailys_are_known_by_their_host(url: str, daily: bool) -> None:
    """By nothing else in the address."""
    assert of_daily(url) is daily
