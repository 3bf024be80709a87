"""gateway/observe/spans.py"""

from typing import Any

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import StatusCode

from gateway.observe.spans import spans
from gateway.types import Attempted, Passage, Retrieved, Trace, Turn

TRACE = Trace("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7")
BEGAN = 100.0
"""Of the turn, on the clock of turns."""


def made(**fields: Any) -> list[ReadableSpan]:
    """The spans of a turn that began at the epoch."""
    turn = Turn("req_1", 0.0, BEGAN, TRACE, **{"agent": "nora", "route": "main", "model": "nora", **fields})
    return spans(turn, TRACE, Resource({}), lambda text: text.replace("sk-secret", "[redacted]"))


def times(span: ReadableSpan) -> tuple[float, float]:
    """In milliseconds from the turn's beginning."""
    return (span.start_time or 0) / 1e6, (span.end_time or 0) / 1e6


def test_stages_lie_where_they_were() -> None:
    """Parsing and the search between the turn's beginning and its end, with what was found."""
    found = Retrieved((Passage("t/a.md#1", "t", "a.md", "A", "Text."),), "lexical", "budget")
    timings = {"parse": 0.5, "retrieve": 8.0, "ttft": 130.0, "first_clause": 300.0, "longest_gap": 70.0, "total": 900.0}
    whole, parse, retrieval = made(starts={"parse": 1.0, "retrieve": 2.0}, timings=timings, retrieved=found)
    assert (times(whole), times(parse), times(retrieval)) == ((0.0, 900.0), (1.0, 1.5), (2.0, 10.0))
    assert retrieval.attributes == {
        "gen_ai.operation.name": "retrieval",
        "gateway.retrieval.outcome": "lexical",
        "gateway.retrieval.reason": "budget",
        "gateway.retrieval.passages": ["t/a.md#1"],
    }
    moments = [(event.name, event.timestamp) for event in whole.events]
    assert moments == [("first_token", 130_000_000), ("first_clause", 300_000_000)]
    assert whole.attributes is not None and whole.attributes["gen_ai.response.time_to_first_chunk"] == 0.13
    assert whole.attributes["gateway.longest_gap"] == 0.07


def test_an_attempt_that_spoke_ends_where_it_fell_silent() -> None:
    """At the turn's end, or where another target went on; one that lost was cancelled, which is no failure."""
    attempts = [
        Attempted("main/slow", "cancelled", 60.0, "first", BEGAN + 0.01),
        Attempted("main/quick", "", 30.0, "hedge", BEGAN + 0.04),
        Attempted("main/other/name", "", 20.0, "continue", BEGAN + 0.2),
    ]
    _, slow, quick, other = made(attempts=attempts, timings={"total": 500.0})
    for span, (begin, end) in ((slow, (10, 70)), (quick, (40, 200)), (other, (200, 500))):
        assert [round(each, 3) for each in times(span)] == [begin, end]
    assert {span.status.status_code for span in (slow, quick, other)} == {StatusCode.UNSET}
    assert (slow.name, other.name) == ("chat slow", "chat other/name")
    assert [event.name for event in quick.events] == ["first_chunk"] and not slow.events


def test_a_hang_up_is_a_moment_of_the_turn() -> None:
    """And no failure: it is how a person interrupts."""
    timings = {"ttft": 100.0, "hangup": 300.0, "close": 2.0, "total": 302.0}
    (whole,) = made(outcome="client_gone", code="client_closed_request", timings=timings)
    assert [event.name for event in whole.events] == ["first_token", "client_disconnect"]
    assert whole.status.status_code is StatusCode.UNSET


def test_what_others_wrote_shows_no_key() -> None:
    """A model's name is the caller's word; a route is asked where no agent was."""
    (whole,) = made(agent="", model="main/sk-secret", target="main/sk-secret", timings={"total": 1.0})
    assert "sk-secret" not in str(whole.to_json()) and "[redacted]" in str(whole.to_json())
    assert whole.name == "chat main"
