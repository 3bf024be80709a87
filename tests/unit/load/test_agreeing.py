"""What callers measured is held against the buckets of /metrics."""

import math

import pytest
from prometheus_client import CollectorRegistry, Histogram, generate_latest

from tests.load.agreeing import FIRST, WHOLE, Agreement, Bucket, between, buckets, compared, where


def exposed(firsts: list[float], wholes: list[float]) -> str:
    """What a server that measured this would serve; two agents share it."""
    registry = CollectorRegistry()
    for family, values in ((FIRST, firsts), (WHOLE, wholes)):
        every = Histogram(family, "So.", ["agent", "route"], registry=registry, buckets=(0.1, 0.2, 0.4, 0.8, 1.6))
        for at, value in enumerate(values):
            every.labels("nora" if at % 2 else "emil", "main").observe(value)
    return generate_latest(registry).decode()


FIRSTS = [0.15] * 90 + [0.7] * 10
WHOLES = [1.0] * 100


def test_buckets_are_summed_and_subtracted() -> None:
    """Labels do not matter; what was there before does not count."""
    before, after = buckets(exposed(FIRSTS[:50], []), FIRST), buckets(exposed(FIRSTS, []), FIRST)
    assert between(before, after) == {0.1: 0, 0.2: 40, 0.4: 40, 0.8: 50, 1.6: 50, math.inf: 50}
    assert buckets("nothing", FIRST) == {}


def test_where_a_percentile_is() -> None:
    """It lies in the bucket in which its share is reached; of nothing there is none."""
    counts = buckets(exposed(FIRSTS, []), FIRST)
    assert (where(counts, 0.5), where(counts, 0.95)) == (Bucket(0.1, 0.2), Bucket(0.4, 0.8))
    assert where({}, 0.5) is None and where({0.1: 0, math.inf: 0}, 0.5) is None
    assert where({0.1: 0, math.inf: 4}, 0.5) == Bucket(0.1, math.inf)


@pytest.mark.parametrize(
    ("callers", "agrees"), [(0.35, True), (0.4, True), (0.21, True), (0.49, True), (0.19, False), (0.51, False)]
)
def test_agreement(callers: float, agrees: bool) -> None:
    """A percentile agrees within the bucket, and beside it by its width."""
    assert Agreement("first words", 0.5, callers, Bucket(0.3, 0.4), (9, 9)).agrees is agrees


def test_the_last_bucket_has_no_end() -> None:
    """What lies in it agrees however long it is, and what does not reach it does not."""
    agreement = Agreement("whole turn", 0.5, 99.0, Bucket(1.6, math.inf), (9, 9))
    assert agreement.agrees and not agreement._replace(callers=1.5).agrees and "beyond" in str(agreement)


def test_callers_and_server_tell_the_same() -> None:
    """Six percentiles are compared; a server that measured something else is found out."""
    nothing = exposed([], [])
    agreed = compared(nothing, exposed(FIRSTS, WHOLES), FIRSTS, WHOLES)
    assert len(agreed.agreements) == 6 and all(each.agrees for each in agreed.agreements)
    other = compared(nothing, exposed([0.15] * 100, WHOLES), FIRSTS, WHOLES)
    assert [(each.measure, each.share) for each in other.agreements if not each.agrees] == [
        ("first words", 0.95),
        ("first words", 0.99),
    ]


def test_other_requests_are_not_compared() -> None:
    """Where the server counted other requests than the callers, or none, it is said and nothing is compared."""
    nothing = exposed([], [])
    assert "counted 200" in compared(nothing, exposed(FIRSTS * 2, WHOLES), FIRSTS, WHOLES).why
    assert "nothing" in compared(nothing, nothing, FIRSTS, WHOLES).why
    assert "nothing" in compared("", "<html>", FIRSTS, WHOLES).why
