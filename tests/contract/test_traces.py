"""Traces: a turn's spans at a collector, by OTLP over HTTP."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.app import create_app
from tests.collector import Collector, collecting
from tests.contract.conftest import AGENTS, settings
from tests.contract.place import ask
from tests.serving import serve, sharing
from tests.upstream import Answer, Script, Upstream, Usage, error, in_turn

ID, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@asynccontextmanager
async def traced(upstream: Upstream, var: Path, endpoint: str) -> AsyncIterator[str]:
    """A gateway that sends its traces there."""
    told = replace(settings(upstream.url, var), otlp_endpoint=endpoint)
    async with serve(create_app(sharing(told), AGENTS)) as url:
        yield url


@pytest.fixture
async def collector() -> AsyncIterator[Collector]:
    async with collecting() as one:
        yield one


async def test_a_turn_is_a_trace(collector: Collector, upstream: Upstream, tmp_path: Path) -> None:
    """Its own span below the caller's, one for each attempt below that; what it came to, and not a word of it."""
    upstream.script = in_turn(Answer(500, error("broken")), Script(["Forty", " feet.", Usage(prompt=30, completion=4)]))
    headers = {"traceparent": f"00-{ID}-{SPAN}-01", "x-request-id": "asked-once"}
    before = time.time()
    async with traced(upstream, tmp_path, collector.url) as url:
        assert (await ask(f"{url}/agents/nora", "How tall?", headers)).status_code == 200
    spans = collector.spans  # what waited at the end was sent
    (turn,) = (span for span in spans if span.kind == "server")
    assert (turn.name, turn.trace, turn.parent, turn.failed) == ("chat nora", ID, SPAN, False)
    assert {span.trace for span in spans} == {ID} and len({span.id for span in spans}) == len(spans) == 4
    assert {span.parent for span in spans if span is not turn} == {turn.id}
    assert [request.headers["traceparent"].split("-")[2] for request in upstream.requests] == [turn.id] * 2
    told = turn.attributes
    assert (told["gateway.request_id"], told["gateway.outcome"], told["gateway.target"]) == (
        "asked-once", "ok", "up/scripted",
    )  # fmt: skip
    assert (told["gen_ai.usage.input_tokens"], told["gen_ai.usage.output_tokens"]) == (30, 4)
    assert told["gen_ai.response.finish_reasons"] == ["stop"] and told["http.response.status_code"] == 200
    assert turn.resource["service.name"] == "simli-gateway"
    failed, spoke = sorted((span for span in spans if span.kind == "client"), key=lambda span: span.began)
    assert (failed.name, failed.failed, failed.attributes["error.type"]) == (
        "chat scripted", True, "upstream_unavailable",
    )  # fmt: skip
    assert (spoke.failed, spoke.attributes["gateway.attempt.kind"]) == (False, "retry")
    assert before <= turn.began <= failed.began <= failed.ended <= spoke.began <= spoke.events["first_chunk"]
    assert spoke.events["first_chunk"] <= turn.events["first_token"] + 1e-4 <= turn.ended + 1e-4
    assert turn.ended <= time.time() and spoke.ended == pytest.approx(turn.ended, abs=1e-4)
    assert not any(word in body for body in collector.bodies for word in (b"How tall", b"Forty", b"feet"))


async def test_an_answer_that_failed_is_a_failed_span(collector: Collector, upstream: Upstream, tmp_path: Path) -> None:
    """Spoken or not; a caller's own fault is none of ours, and has no attempt."""
    upstream.script = Answer(500, error("broken"))
    async with traced(upstream, tmp_path, f"{collector.url}/") as url:
        for agent, status in (("nora", 200), ("strict", 502), ("nobody", 404)):
            assert (await ask(f"{url}/agents/{agent}", "Hello?")).status_code == status
    spans = collector.spans
    told = {span.attributes["gateway.outcome"]: span for span in spans if span.kind == "server"}
    assert {outcome: span.failed for outcome, span in told.items()} == {
        "incomplete_spoken": True, "upstream_error": True, "refused": False,
    }  # fmt: skip
    assert not [span for span in spans if span.kind == "client" and span.parent == told["refused"].id]
    assert all(span.parent == "" for span in told.values())


async def test_a_trace_that_its_caller_does_not_record_is_not_sent(
    collector: Collector, upstream: Upstream, tmp_path: Path
) -> None:
    """It goes on to the upstream all the same; what waits at the end is sent."""
    async with traced(upstream, tmp_path, collector.url) as url:
        assert (await ask(f"{url}/agents/nora", "One.", {"traceparent": f"00-{ID}-{SPAN}-00"})).status_code == 200
        assert (await ask(f"{url}/agents/nora", "Two.")).status_code == 200
    assert ID not in {span.trace for span in collector.spans} and len(collector.spans) == 3
    assert upstream.requests[0].headers["traceparent"].split("-")[1::2] == [ID, "00"]


async def test_a_collector_that_is_away_changes_nothing(upstream: Upstream, tmp_path: Path) -> None:
    """It costs no turn a moment, and the end of the process a few seconds at most."""
    async with traced(upstream, tmp_path, "http://127.0.0.1:9") as url:
        began = time.monotonic()
        for _ in range(5):
            assert (await ask(f"{url}/agents/nora", "Hello?")).status_code == 200
        assert time.monotonic() - began < 5
        began = time.monotonic()
    assert time.monotonic() - began < 5
