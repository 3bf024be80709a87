"""What does not agree of all that tells of turns, in words.

Each turn's line in the log, its record in `/admin/turns` and what the upstream counted itself are held against what the
turn was, one by one; the metrics against the sums of the lines, and the spans that a collector got against the lines.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from tests.collector import Span
from tests.load.mixture import THEIRS, Asked, Told
from tests.scraped import Scraped


def differences(
    turns: Sequence[Told], told: Sequence[Any], kept: dict[str, Any], asked: Asked, seen: Scraped
) -> Iterator[str]:
    """What does not agree, in words; nothing where everything does."""
    by_id = {line["request_id"]: line for line in told}
    if len(told) != len(turns) or len(by_id) != len(turns) or len(kept) != len(turns):
        yield f"{len(turns)} turns, {len(told)} lines of {len(by_id)} turns, {len(kept)} records"
    for one in turns:
        for what, found in (("line", by_id.get(one.id)), ("record", kept.get(one.id))):
            if (says := _said(found)) != (wanted := _wanted(one)):
                yield f"{one}: the {what} says {says}, not {wanted}"
        if asked.by_turn[one.number] != [target for target, _, _ in one.kind.attempts]:
            yield f"{one}: the upstream was asked {asked.by_turn[one.number]}"
    for name, labels, counted in sums(told):
        if (found := seen.by(name, *labels)) != counted:
            yield f"{name} by {labels}: {found} where the log has {dict(counted)}"
    spent = sum(line.get("ttft_ms", 0.0) for line in told) / 1000
    measured = seen.total("gen_ai_server_time_to_first_token_seconds_sum")
    if abs(spent - measured) > len(turns) * 5e-6 + 1e-9:  # the log rounds to a hundredth of a millisecond
        yield f"{measured} s until the first words where the log has {spent}"
    if seen.value("gateway_inflight_streams"):
        yield "turns are still in flight"


def untraced(told: Sequence[Any], found: Sequence[Span]) -> Iterator[str]:
    """What lines and spans do not agree in."""
    turns = Counter(span.attributes["gateway.request_id"] for span in found if span.kind == "server")
    by_id = {span.id: span for span in found if span.kind == "server"}
    attempts: dict[str, list[Span]] = {}
    for span in sorted((span for span in found if span.kind == "client"), key=lambda span: span.began):
        attempts.setdefault(span.parent, []).append(span)
    if turns != Counter(line["request_id"] for line in told) or set(attempts) - set(by_id):
        yield f"{len(told)} lines, and spans of {len(turns)} turns"
    for line in told:
        one = by_id.get(line["span_id"])
        says = (one.trace, one.attributes["gateway.outcome"], one.attributes.get("error.type", "")) if one else ()
        if says != (line["trace_id"], line["outcome"], line["code"]):
            yield f"{line['request_id']}: the span says {says}"
        tried = [_attempt(each.attributes) for each in attempts.get(line["span_id"], ())]
        if tried != [(each["target"], each["kind"], each["code"]) for each in line["attempts"]]:
            yield f"{line['request_id']}: spans of {tried}"


def _attempt(told: dict[str, Any]) -> tuple[str, str, str]:
    return told["gateway.target"], told["gateway.attempt.kind"], told.get("error.type", "")


def _wanted(one: Told) -> tuple[Any, ...]:
    """What must be told of the turn."""
    kind = one.kind
    return kind.agent, kind.outcome, kind.code, list(kind.attempts)


def _said(found: Any) -> tuple[Any, ...]:
    """What a line or a record tells; nothing where there is none."""
    if found is None:
        return ()
    attempts = [(each["target"], each["kind"], each["code"]) for each in found["attempts"]]
    return found["agent"], found["outcome"], found["code"], attempts


def sums(told: Sequence[Any]) -> Iterator[tuple[str, tuple[str, ...], Counter[tuple[str, ...]]]]:
    """What the metrics must say: a name, labels, and the count of each of their values."""
    attempts = [each for line in told for each in line["attempts"]]
    failed = [line for line in told if line["code"]]
    code = {THEIRS: "other"}
    yield (
        "gateway_requests_total",
        ("agent", "route", "outcome"),
        Counter((line["agent"], line["route"], line["outcome"]) for line in told),
    )
    yield (
        "gateway_attempts_total",
        ("target", "kind", "code"),
        Counter((each["target"], each["kind"], code.get(each["code"], each["code"])) for each in attempts),
    )
    yield (
        "gateway_errors_total",
        ("outcome", "code"),
        Counter((line["outcome"], code.get(line["code"], line["code"])) for line in failed),
    )
    yield (
        "gateway_midstream_failures_total",
        ("code",),
        Counter((line["code"],) for line in failed if line["target"] and line["outcome"] != "client_gone"),
    )
    yield (
        "gateway_client_disconnects_total",
        ("phase",),
        Counter((line["phase"],) for line in told if line["outcome"] == "client_gone"),
    )
    passed_on = [line["attempts"] for line in told if len(line["attempts"]) > 1]
    yield (
        "gateway_fallbacks_total",
        ("from", "to", "reason"),
        Counter((first["target"], second["target"], first["code"]) for first, second in passed_on),
    )
    for name, moment in (
        ("gen_ai_server_time_to_first_token_seconds", "ttft_ms"),
        ("gateway_first_clause_seconds", "first_clause_ms"),
        ("gateway_longest_gap_seconds", "longest_gap_ms"),
    ):
        yield f"{name}_count", ("agent",), Counter((line["agent"],) for line in told if moment in line)
    yield (
        "gen_ai_server_request_duration_seconds_count",
        ("agent",),
        Counter((line["agent"],) for line in told),
    )
    yield (
        "gen_ai_client_token_usage_sum",
        ("gen_ai_token_type",),
        Counter(
            {
                ("input",): sum(line["prompt_tokens"] or 0 for line in told),
                ("output",): sum(line["completion_tokens"] or 0 for line in told),
            }
        ),
    )
