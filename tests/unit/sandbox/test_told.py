"""What headers tell of an answer, and what a wrong key looks like."""

import pytest

from gateway.sandbox.talk.keys import wrong, wrong_in
from gateway.sandbox.talk.told import Told, timings, told


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("", {}),
        ("parse;dur=0.5, retrieve;dur=20", {"parse": 0.5, "retrieve": 20.0}),
        ('a;desc="x y";dur="1.5",b ; DUR = 2', {"a": 1.5, "b": 2.0}),
        ("cache, hit;desc=warm, ;dur=3, odd;dur=soon", {}),
    ],
)
def test_server_timing_is_read(header: str, found: dict[str, float]) -> None:
    """Names and milliseconds; whatever has no number is left out."""
    assert timings(header) == found


def test_time_until_a_part_is_the_sum_up_to_it() -> None:
    """In seconds; nothing of a part that is not told of."""
    one = told({"Server-Timing": "parse;dur=1, retrieve;dur=20, upstream;dur=100"})
    assert one.until("retrieve") == pytest.approx(0.021) and one.until("rerank") is None


def test_headers_that_are_not_there_are_empty() -> None:
    """An LLM without a gateway tells nothing."""
    assert told({"content-type": "text/event-stream"}) == Told()


@pytest.mark.parametrize("key", ["sk-gw-abcdefghij", "x", "zZ9", "nora.0123456789abcdef"])
def test_a_wrong_key_has_the_right_ones_form(key: str) -> None:
    """Every time the same, as long, and never the right one."""
    assert wrong(key) == wrong(key) != key and len(wrong(key)) == len(key)
    assert wrong(key)[:-8] == key[:-8]


def test_no_key_becomes_one_that_nobody_gave_out() -> None:
    """Where none is sent, a wrong one is."""
    assert wrong("") == "sk-wrong"


@pytest.mark.parametrize(
    ("address", "key", "found"),
    [
        ("http://gateway/agents/nora/v1", "", "http://gateway/agents/nora/v1"),
        ("http://gateway/k/abc9/agents/nora/v1", "", "http://gateway/k/bcd0/agents/nora/v1"),
        ("http://gateway/v1/abc9/chat", "abc9", "http://gateway/v1/bcd0/chat"),
        ("http://gateway/k/abc9/v1", "abc9", "http://gateway/k/bcd0/v1"),
    ],
)
def test_a_key_in_an_address_is_wrong_too(address: str, key: str, found: str) -> None:
    """A capability behind `/k/`, and the key wherever it stands; the rest is as it was."""
    assert wrong_in(address, key) == found
