"""Recording rules and alerts: how fast what may go wrong in thirty days is used up, as Google's SRE workbook has it.

An alert needs a long window, so that it means something, and a short one, so that it ends when the trouble does
(https://sre.google/workbook/alerting-on-slos/). A handful of turns proves nothing: below LEAST in the long window none
fires.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

FIRST_WORD = "gen_ai_server_time_to_first_token_seconds"
LONGEST_GAP = "gateway_longest_gap_seconds"
BAD = 'outcome=~"upstream_error|gateway_error|incomplete_spoken"'
SHED = 'outcome="refused",code="overloaded"'
"""Refused for want of room: the caller's own faults are nobody's but the caller's."""
WINDOWS = ("5m", "30m", "1h", "6h", "3d")
LEAST = 50
"""Turns in the long window."""


class Objective(NamedTuple):
    """What is promised, and what is recorded of it."""

    name: str
    record: str
    share: float
    """Of the turns, that may be worse."""
    says: str
    runbook: str


class Burn(NamedTuple):
    """How fast is too fast."""

    name: str
    times: float
    long: str
    short: str
    severity: str


class State(NamedTuple):
    """What must not be so for long."""

    name: str
    expression: str
    after: str
    severity: str
    says: str
    runbook: str


OBJECTIVES = (
    Objective(
        "Answers",
        "gateway:bad:ratio",
        0.001,
        "of the turns fail, end in an apology, or are given up after two seconds of silence",
        "Look at the panels Attempts and Breakers, where a target that fails names its code, and ask `gateway check`.",
    ),
    Objective(
        "FirstWord",
        "gateway:late:ratio",
        0.05,
        "of the answers begin later than a second after the question",
        "Look at the panel Where the time goes: search, gateway, or target. A route with `hedge` asks a second one.",
    ),
)
BURNS = (
    Burn("Fast", 14.4, "1h", "5m", "page"),
    Burn("Steady", 6, "6h", "30m", "page"),
    Burn("Slow", 1, "3d", "6h", "ticket"),
)


def some(expression: str) -> str:
    """The sum, or nothing at all as a zero: a counter is not there before it has counted."""
    return f"(sum({expression}) or vector(0))"


def bad(window: str) -> str:
    """The share of turns that were no answer. One that its caller ended was, unless it was silent for two seconds."""
    failed = some(f"rate(gateway_requests_total{{{BAD}}}[{window}])")
    shed = some(f"rate(gateway_errors_total{{{SHED}}}[{window}])")
    given_up = some(f"rate(gateway_abandoned_total[{window}])")
    served = some(f'rate(gateway_requests_total{{outcome!="refused"}}[{window}])')
    return f"({failed} + {shed} + {given_up}) / ({served} + {shed} > 0)"


def late(window: str) -> str:
    """The share of answers whose first word took longer than a second."""
    in_time = some(f'rate({FIRST_WORD}_bucket{{le="1.0"}}[{window}])')
    return f"1 - {in_time} / (sum(rate({FIRST_WORD}_count[{window}])) > 0)"


def groups() -> list[dict[str, Any]]:
    """What `rules.yml` holds."""
    recorded = [
        {"record": f"{record}_rate{window}", "expr": share(window)}
        for record, share in (("gateway:bad:ratio", bad), ("gateway:late:ratio", late))
        for window in WINDOWS
    ]
    recorded += [
        {"record": f"gateway:turns:increase{window}", "expr": f"sum(increase(gateway_requests_total[{window}]))"}
        for window in ("1h", "6h", "3d")
    ]
    burning = [_burning(objective, burn) for objective in OBJECTIVES for burn in BURNS]
    return [
        {"name": "gateway-recorded", "interval": "30s", "rules": recorded},
        {"name": "gateway-burning", "rules": burning},
        {"name": "gateway-state", "rules": [_state(each) for each in STATES]},
    ]


def _burning(objective: Objective, burn: Burn) -> dict[str, Any]:
    limit = round(objective.share * burn.times, 6)
    bound = f"({burn.long}; {limit:.2%} is too much)"
    over = [f"{objective.record}_rate{window} > {limit}" for window in (burn.long, burn.short)]
    enough = f"gateway:turns:increase{burn.long} > {LEAST}"
    return {
        "alert": f"Gateway{objective.name}Burning{burn.name}",
        "expr": " and ".join([*over, enough]),
        "labels": {"severity": burn.severity},
        "annotations": {
            "summary": f"{{{{ $value | humanizePercentage }}}} {objective.says} {bound}.",
            "runbook": objective.runbook,
        },
    }


STUMBLES = 2.0
"""Seconds of silence within an answer that no voice speaks over: most pieces of an answer are spoken sooner."""
STATES: Sequence[State] = [
    State(
        "Down",
        'up{job="gateway"} == 0',
        "1m",
        "page",
        "{{ $labels.instance }} answers no scrape.",
        "Is the process there, and the key in gateway.key of scope `metrics`? Its log's last line says why it ended.",
    ),
    State(
        "StoreAway",
        "gateway_store_up == 0",
        "5m",
        "ticket",
        "{{ $labels.instance }} does without its store: answers go on, limits are counted by each process for itself.",
        "Look at Redis at REDIS_URL, or at the disk under GATEWAY_VAR.",
    ),
    State(
        "TargetLeftOut",
        "max by (target) (gateway_breaker_state) == 2",
        "5m",
        "ticket",
        "{{ $labels.target }} fails and is left out; the others of its route answer.",
        "`gateway check` asks it and says what is wrong. It is probed, and asked again by itself when it is back.",
    ),
    State(
        "Stumbling",
        f"histogram_quantile(0.95, sum by (le) (rate({LONGEST_GAP}_bucket[10m]))) > {STUMBLES}"
        f" and sum(increase({LONGEST_GAP}_count[10m])) > {LEAST}",
        "5m",
        "ticket",
        "One answer in twenty is silent in its middle for more than two seconds ({{ $value | humanizeDuration }}).",
        "Look at the panels Longest silence within an answer and Pace: a target that is slow between its words, or a "
        "gateway that is late. A target's `between_chunks` ends its answer sooner; `continues` lets another one go on.",
    ),
    State(
        "KnowledgeMissing",
        "min by (collection) (gateway_knowledge_served) == 0",
        "5m",
        "ticket",
        "No version of {{ $labels.collection }} is searched: its agents answer without it.",
        "`gateway ingest` makes one; `gateway check` says why there is none.",
    ),
    State(
        "Late",
        "gateway_eventloop_lag_seconds > 0.25",
        "2m",
        "page",
        "{{ $labels.instance }} has more to do than it can do in time.",
        "Serve with more processes, or lower `[limits] turns` so that it refuses sooner.",
    ),
]


def _state(state: State) -> dict[str, Any]:
    return {
        "alert": f"Gateway{state.name}",
        "expr": state.expression,
        "for": state.after,
        "labels": {"severity": state.severity},
        "annotations": {"summary": state.says, "runbook": state.runbook},
    }
