"""W3C Trace Context: a caller's trace goes on to the upstream and stands in the log."""

import logging
from pathlib import Path
from typing import Any

import pytest

from gateway import observe
from tests.contract.place import ask
from tests.faults.routed import routed, target
from tests.upstream import Answer, Cut, Pause, Script, Upstream, error, in_turn, scripted

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


async def test_however_often_a_turn_asks_it_is_told_by_one_id(tmp_path: Path) -> None:
    """Fail-over, hedge, and another target that goes on: each request to an upstream has the caller's id and trace."""
    headers = {**SENT, "x-request-id": "asked-once"}
    slow, cut = Script([], before=[Pause(0.3)]), Script(["One two ", Cut()])
    kinds: list[tuple[Answer | Script, dict[str, Any]]] = [
        (Answer(500, error("broken")), {}),
        (slow, {"hedge": True, "hedge_after": 0.05, "hedge_share": 1.0}),
        (cut, {}),
    ]
    for first, route in kinds:
        async with scripted(first) as one, scripted(Script(["three."])) as two:
            targets = [target(each.url, model=each.url, continues=True, first_token=2.0) for each in (one, two)]
            async with routed(tmp_path, *targets, **route) as url:
                for stream in (True, False):
                    answer = await ask(f"{url}/agents/nora", "Count.", headers, stream=stream)
                    assert answer.status_code == 200 and answer.headers["x-request-id"] == "asked-once"
            assert len(one.requests) == len(two.requests) == 2, route
            for asked in zip(one.requests, two.requests, strict=True):
                assert [each.headers["x-request-id"] for each in asked] == ["asked-once"] * 2
                assert len({each.headers["traceparent"] for each in asked}) == 1
                assert all(each.headers["traceparent"].split("-")[1] == ID for each in asked)
                assert all(each.headers["tracestate"] == "vendor=opaque" for each in asked)
                assert not any("baggage" in each.headers for each in asked)


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
