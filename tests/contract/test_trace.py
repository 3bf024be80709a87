"""W3C Trace Context: a caller's trace goes on to the upstream and stands in the log."""

import logging
from typing import Any

import pytest

from gateway import observe
from tests.contract.place import ask
from tests.upstream import Answer, Script, Upstream, error, in_turn

ID, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SENT = {"traceparent": f"00-{ID}-{SPAN}-01", "tracestate": "vendor=opaque", "baggage": "user=somebody"}


def lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    """The turns' lines of the log."""
    return [observe.fields(getattr(one, "turn")) for one in caplog.records if hasattr(one, "turn")]  # noqa: B009


async def test_a_trace_goes_through(gateway: str, upstream: Upstream, caplog: pytest.LogCaptureFixture) -> None:
    """Every request to an upstream is of the caller's trace, below the turn's span; baggage goes no further."""
    upstream.script = in_turn(Answer(500, error("broken")), Script(["Hello."]))
    with caplog.at_level(logging.INFO, "gateway.turn"):
        assert (await ask(f"{gateway}/agents/nora", "Hello?", SENT)).status_code == 200
    (line,) = lines(caplog)
    assert line["trace_id"] == ID and line["span_id"] not in ("", SPAN)
    assert len(upstream.requests) == len(line["attempts"]) == 2
    for request in upstream.requests:
        assert request.headers["traceparent"] == f"00-{ID}-{line['span_id']}-01"
        assert request.headers["tracestate"] == "vendor=opaque" and "baggage" not in request.headers


@pytest.mark.parametrize("sent", [{}, {"traceparent": "00-nonsense"}])
async def test_without_one_a_turn_begins_its_own(
    gateway: str, upstream: Upstream, caplog: pytest.LogCaptureFixture, sent: dict[str, str]
) -> None:
    """An agent's and a route's alike, and what was refused has one too."""
    with caplog.at_level(logging.INFO, "gateway.turn"):
        assert (await ask(f"{gateway}/agents/nora", "Hello?", sent)).status_code == 200
        assert (await ask(gateway, "Hello?", sent, model="up")).status_code == 200
        assert (await ask(f"{gateway}/k/wrong/agents/nora/v1", "Hello?", sent)).status_code == 404
    told = [line["trace_id"] for line in lines(caplog)]
    assert len(set(told)) == 3 and all(len(each) == 32 for each in told)
    assert [request.headers["traceparent"].split("-")[1] for request in upstream.requests] == told[:2]
