"""What the bench says of its own figures."""

import math

import pytest

from tests.bench.chart import page
from tests.bench.load import Load, Question, heard
from tests.bench.measuring import Measured, medians, percentile, within
from tests.bench.report import promises, table
from tests.upstream import Cut, Done, Finish, Script, Upstream, error
from tests.upstream.script import Answer

FAST = Measured(1.0, 2.0, 1000.0, 10.0, 50.0, 100, {})
SLOW = Measured(4.0, 9.0, 100.0, 200.0, 90.0, 100, {"status 502": 3})


@pytest.mark.parametrize(
    ("script", "why"),
    [
        (Script(["Hel", "lo"]), None),
        (Script(["Hel"]), "another text"),
        (Script(["Hel", "lo", Done()]), "not one finish reason"),
        (Script(["Hel", "lo", Finish("length")]), "not one finish reason"),
        (Script(["Hel", "lo", Finish(), Done(), Done()]), "not ended by one [DONE]"),
        (Script(["Hel", Cut()]), "connection closed"),
        (Answer(502, error("No.")), "status 502"),
    ],
)
async def test_every_stream_is_checked(upstream: Upstream, script: Script | Answer, why: str | None) -> None:
    """A stream counts as good only if it is whole: 200, the text, one finish, one [DONE]."""
    upstream.script = script
    question = Question(f"{upstream.url}/chat/completions", [{"stream": True}], b"Hello")
    result = await heard(question, Load(callers=2, seconds=1.0, streams=1))
    assert result.failures == ({why: 2} if why else {})
    assert result.good == len(result.first_tokens) == (0 if why else 2)


def test_medians() -> None:
    """Figures are medians over the rounds; streams and failures are summed."""
    both = medians([FAST, SLOW, SLOW])
    assert (both.first_p50, both.streams, both.failures) == (4.0, 300, {"status 502": 6})


def test_percentiles() -> None:
    """The 99th of a hundred is the largest; of nothing there is none."""
    assert percentile(range(100), 0.99) == 99
    assert percentile(range(100), 0.5) == 50
    assert math.isnan(percentile([], 0.5))


def test_one_late_one_is_no_broken_promise() -> None:
    """One of ten or of a hundred may be late, two may not, nor one of a few."""
    assert within([0.01] * 99 + [9.0], 0.05) and within([0.01] * 9 + [9.0], 0.05)
    assert not within([0.01] * 98 + [9.0] * 2, 0.05) and not within([0.01] * 8 + [9.0] * 2, 0.05)
    assert not within([0.01] * 8 + [9.0], 0.05)


def test_report() -> None:
    """Rows are set against the wrapper, broken promises are named, and the page carries every target."""
    results = {"16": {"plain wrapper": SLOW, "gateway": FAST}, "live500": {"plain wrapper": FAST, "gateway": SLOW}}
    lines = list(table(results))
    assert any(line.startswith("gateway") and "0.250" in line and "0.050" in line for line in lines)
    assert "  gateway: 3 streams: status 502" in lines
    assert all(len(part) <= 80 for line in lines for part in line.split("\n"))
    assert [(promise.value, promise.kept) for promise in promises(results)] == [(0.05, True), (4.0, False), (3, False)]
    assert page(results, {"at": "now"}).count('class="gateway"') == 8
