"""gateway/observe/metrics.py and present.py"""

from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from gateway.observe.metrics import Known, Metrics
from gateway.observe.present import Reading
from gateway.observe.shared import Shared
from gateway.types import Attempted, Passage, Retrieved, Turn
from tests.scraped import Scraped, read

NOW = Reading(
    streams=3,
    lag=0.25,
    draining=False,
    missing=["store", "knowledge:tower"],
    breakers={"main/quick": "open", "main/slow": "half-open", "spare/m": "closed"},
    knowledge={"tower": "", "harbour": "v2"},
)


def made(reading: Reading = NOW, place: Shared | None = None) -> Metrics:
    known = Known(lambda: {"nora"}, lambda: {"main", "spare"}, lambda: set(reading.breakers))
    return Metrics(known, lambda: reading, "1.2.3", place)


def turn(**fields: Any) -> Turn:
    """One that ended well, unless `fields` say otherwise."""
    known: dict[str, Any] = {"agent": "nora", "route": "main", "target": "main/quick", "phase": "done"}
    known["attempts"] = [Attempted("main/quick", "", 120.0)]
    known["timings"] = {"parse": 0.1, "upstream": 120.0, "ttft": 125.0, "first_clause": 250.0, "total": 900.0}
    known["timings"]["longest_gap"] = 350.0
    return Turn("req_1", 0.0, 0.0, **(known | fields))


def counted(*turns: Turn) -> Scraped:
    metrics = made()
    for each in turns:
        metrics.turned(each)
    return read(metrics.exposed("")[0].decode())


def test_a_turn_is_counted_by_who_answered_and_how_it_ended() -> None:
    """Once, with its times in seconds, in the bucket where they belong."""
    seen = counted(turn(), turn())
    assert seen.by("gateway_requests_total", "agent", "route", "outcome") == {("nora", "main", "ok"): 2}
    first = "gen_ai_server_time_to_first_token_seconds"
    assert seen.value(f"{first}_sum", agent="nora", route="main") == pytest.approx(0.25)
    assert seen.value(f"{first}_bucket", agent="nora", route="main", le="0.1") == 0
    assert seen.value(f"{first}_bucket", agent="nora", route="main", le="0.15") == 2
    assert seen.total("gen_ai_server_request_duration_seconds_sum") == pytest.approx(1.8)
    assert seen.total("gateway_overhead_seconds_sum", agent="nora") == pytest.approx(0.01)
    assert seen.value("gateway_first_clause_seconds_sum", agent="nora") == pytest.approx(0.5)
    assert seen.value("gateway_longest_gap_seconds_sum", agent="nora") == pytest.approx(0.7)
    assert seen.by("gateway_attempts_total", "target", "kind", "code") == {("main/quick", "first", ""): 2}
    assert seen.total("gen_ai_client_operation_time_to_first_chunk_seconds_count", target="main/quick") == 2
    assert not seen.total("gateway_errors_total") and not seen.total("gateway_client_disconnects_total")


def test_a_fail_over_says_from_whom_to_whom_and_why() -> None:
    """Each request to a target is counted; the failed one's time apart from the others."""
    attempts = [
        Attempted("main/quick", "upstream_unavailable", 4.0),
        Attempted("main/slow", "", 300.0, "fallback"),
    ]
    seen = counted(turn(attempts=attempts, target="main/slow"))
    assert seen.by("gateway_fallbacks_total", "from", "to", "reason") == {
        ("main/quick", "main/slow", "upstream_unavailable"): 1
    }
    assert seen.total("gateway_attempts_total") == 2
    failed = seen.by("gen_ai_client_operation_duration_seconds_count", "target", "error_type")
    assert failed == {("main/quick", "upstream_unavailable"): 1}


def test_an_answer_that_another_target_goes_on_with_was_cut_off() -> None:
    """The first one spoke, so its attempt has no code: that it broke off is the reason."""
    attempts = [Attempted("main/quick", "", 50.0), Attempted("main/slow", "", 60.0, "continue")]
    seen = counted(turn(attempts=attempts))
    assert seen.by("gateway_fallbacks_total", "reason") == {("upstream_truncated",): 1}


@pytest.mark.parametrize(("code", "won"), [("", "yes"), ("cancelled", "no")])
def test_a_hedge_is_counted_and_whether_it_won(code: str, won: str) -> None:
    """One that lost was hung up on: no failure of its target, and no time of it."""
    attempts = [Attempted("main/quick", "" if code else "cancelled", 90.0), Attempted("main/slow", code, 20.0, "hedge")]
    seen = counted(turn(attempts=attempts))
    assert seen.by("gateway_hedges_total", "won") == {(won,): 1}
    assert seen.total("gateway_fallbacks_total") == 0
    assert seen.total("gen_ai_client_operation_duration_seconds_count") == 0
    assert seen.total("gen_ai_client_operation_time_to_first_chunk_seconds_count") == 1


def test_an_answer_that_broke_off_is_an_error_midstream() -> None:
    """One that failed before anybody spoke is an error and no break, though an apology is its first word."""
    broken = turn(outcome="incomplete_spoken", code="upstream_stalled")
    never = turn(outcome="incomplete_spoken", code="upstream_timeout", target="")
    seen = counted(broken, never)
    assert seen.by("gateway_errors_total", "outcome", "code") == {
        ("incomplete_spoken", "upstream_stalled"): 1,
        ("incomplete_spoken", "upstream_timeout"): 1,
    }
    assert seen.by("gateway_midstream_failures_total", "code") == {("upstream_stalled",): 1}


@pytest.mark.parametrize(
    ("timings", "abandoned"),
    [
        ({"ttft": 100.0, "hangup": 5000.0, "total": 5012.0, "close": 12.0}, 0),
        ({"hangup": 1500.0, "total": 1512.0, "close": 12.0}, 0),
        ({"hangup": 2500.0, "total": 2512.0, "close": 12.0}, 1),
    ],
)
def test_a_hang_up_is_an_interruption_unless_nobody_had_answered_for_long(
    timings: dict[str, float], abandoned: int
) -> None:
    """By the phase; how soon the upstream was closed; and whether two seconds without a word drove the caller away."""
    seen = counted(turn(outcome="client_gone", phase="open", code="client_closed_request", timings=timings))
    assert seen.by("gateway_client_disconnects_total", "phase") == {("open",): 1}
    assert seen.value("gateway_abandoned_total") == abandoned
    assert seen.value("gateway_upstream_cancel_seconds_sum") == pytest.approx(0.012)
    assert seen.total("gateway_midstream_failures_total") == 0


def test_a_search_that_found_nothing_is_a_gap() -> None:
    """Only where there was something to search: a shut collection is no gap of knowledge."""
    timings = {"retrieve": 8.0, "total": 20.0}
    found = Retrieved((Passage("t/a.md#1", "t", "a.md", "A", "text"),), "hybrid")
    seen = counted(
        turn(timings=timings, retrieved=found),
        turn(timings=timings, retrieved=Retrieved((), "lexical", "budget")),
        turn(timings=timings, retrieved=Retrieved((), "none", "unavailable")),
    )
    assert seen.by("gateway_retrieval_outcome_total", "outcome", "reason") == {
        ("hybrid", ""): 1,
        ("lexical", "budget"): 1,
        ("none", "unavailable"): 1,
    }
    assert seen.value("gateway_knowledge_gap_total", agent="nora") == 1
    assert seen.value("gateway_retrieval_seconds_sum", agent="nora") == pytest.approx(0.024)


def test_a_fillers_first_word_says_nothing_of_the_upstream() -> None:
    """It counts as what the person heard first, not as what the gateway spent before it asked."""
    seen = counted(turn(filler=True, timings={"upstream": 3000.0, "ttft": 800.0, "total": 5000.0}))
    assert seen.value("gateway_fillers_total", agent="nora") == 1
    assert seen.total("gen_ai_server_time_to_first_token_seconds_count") == 1
    assert seen.total("gateway_overhead_seconds_count") == 0


def test_tokens_are_those_that_the_upstream_counted() -> None:
    """And its pace with them; what is no count is left out."""
    seen = counted(
        turn(usage={"prompt_tokens": 100, "completion_tokens": 32}),
        turn(usage={"prompt_tokens": None, "completion_tokens": "many", "total": 1}),
        turn(usage={"prompt_tokens": -1, "completion_tokens": 1}),
    )
    tokens = seen.by("gen_ai_client_token_usage_sum", "target", "gen_ai_token_type")
    assert tokens == {("main/quick", "input"): 100, ("main/quick", "output"): 33}
    assert seen.total("gen_ai_server_time_per_output_token_seconds_count") == 1
    assert seen.total("gen_ai_server_time_per_output_token_seconds_sum") == pytest.approx(0.775 / 31)


def test_what_nobody_configured_makes_no_series() -> None:
    """Ten thousand agents, models and codes that callers and upstreams made up are one series of each."""
    metrics = made()
    for number in range(10_000):
        attempts = [
            Attempted(f"main/model-{number}", f"code-{number}", 1.0),
            Attempted(f"x{number}/m", "", 1.0, "fallback"),
        ]
        metrics.turned(
            turn(agent=f"a{number}", route=f"r{number}", code=f"c{number}", attempts=attempts, outcome="refused")
        )
    text = metrics.exposed("")[0].decode()
    seen = read(text)
    assert seen.by("gateway_requests_total", "agent", "route") == {("other", "other"): 10_000}
    assert seen.by("gateway_attempts_total", "target", "code") == {
        ("main/other", "other"): 10_000,
        ("other/other", ""): 10_000,
    }
    assert seen.by("gateway_errors_total", "code") == {("other",): 10_000}
    assert len(text.splitlines()) < 300 and "model-" not in text and "code-" not in text


def test_what_is_so_now_is_asked_now() -> None:
    """Streams, lag, the store, what is missing, breakers and knowledge: each scrape reads them anew."""
    seen = read(made().exposed("")[0].decode())
    assert seen.value("gateway_build_info", version="1.2.3") == 1
    assert (seen.value("gateway_inflight_streams"), seen.value("gateway_eventloop_lag_seconds")) == (3, 0.25)
    assert (seen.value("gateway_store_up"), seen.value("gateway_draining")) == (0, 0)
    assert seen.by("gateway_missing", "what") == {("store",): 1, ("knowledge:tower",): 1}
    states = seen.by("gateway_breaker_state", "target")
    assert states == {("main/quick",): 2, ("main/slow",): 1, ("spare/m",): 0}
    assert seen.by("gateway_knowledge_served", "collection") == {("tower",): 0, ("harbour",): 1}
    later = read(made(NOW._replace(missing=(), draining=True)).exposed("")[0].decode())
    assert (later.value("gateway_store_up"), later.value("gateway_draining")) == (1, 1)
    assert later.total("process_resident_memory_bytes") > 1e6


def test_openmetrics_is_written_where_it_is_asked_for() -> None:
    """The same values in its form, which ends in its mark."""
    metrics = made()
    metrics.turned(turn())
    text, media_type = metrics.exposed("application/openmetrics-text; version=1.0.0")
    assert media_type.startswith("application/openmetrics-text")
    assert text.endswith(b"# EOF\n")
    families = text_string_to_metric_families(text.decode())  # type: ignore[no-untyped-call]  # it does not say
    samples = {one.name: one.value for each in families for one in each.samples}
    assert samples["gateway_requests_total"] == 1.0
