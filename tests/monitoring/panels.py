"""What the dashboard shows: a row for the person before the face, one for targets, for knowledge, for processes."""

from collections.abc import Sequence
from typing import NamedTuple

FIRST_WORD = "gen_ai_server_time_to_first_token_seconds"
FIRST_CLAUSE = "gateway_first_clause_seconds"
LONGEST_GAP = "gateway_longest_gap_seconds"
FIRST_CHUNK = "gen_ai_client_operation_time_to_first_chunk_seconds"
RATE = "[$__rate_interval]"
CHOSEN = 'agent=~"$agent"'
WIDE = 24


class Panel(NamedTuple):
    """One panel: its queries, each with its legend."""

    title: str
    says: str
    queries: Sequence[tuple[str, str]]
    unit: str = "short"
    kind: str = "timeseries"
    width: int = 8


def quantile(share: float, name: str, by: str = "", chosen: str = "") -> str:
    """A percentile of a histogram."""
    labels = f"le, {by}" if by else "le"
    return f"histogram_quantile({share}, sum by ({labels}) (rate({name}_bucket{{{chosen}}}{RATE})))"


def rates(name: str, by: str, chosen: str = "") -> tuple[str, str]:
    """A counter a second, by a label."""
    return f"sum by ({by}) (rate({name}{{{chosen}}}{RATE}))", f"{{{{{by}}}}}"


ROWS: Sequence[tuple[str, Sequence[Panel]]] = (
    (
        "In front of the face",
        (
            Panel(
                "Turns a second",
                "Turns that ended.",
                [(f"sum(rate(gateway_requests_total{{{CHOSEN}}}{RATE}))", "")],
                "reqps",
                "stat",
                6,
            ),
            Panel(
                "In flight, sessions",
                "Turns that run; sessions at Simli that have not ended, as the store knows.",
                [("sum(gateway_inflight_streams)", "turns"), ("max(simli_sessions_active)", "sessions")],
                "short",
                "stat",
                6,
            ),
            Panel(
                "Not answered (1 h)",
                "Failed, apologised for, shed, or given up after two seconds.",
                [("gateway:bad:ratio_rate1h", "")],
                "percentunit",
                "stat",
                6,
            ),
            Panel(
                "First word after a second (1 h)",
                "Of the answers.",
                [("gateway:late:ratio_rate1h", "")],
                "percentunit",
                "stat",
                6,
            ),
            Panel(
                "Until the first word",
                "What a person waits for.",
                [(quantile(share, FIRST_WORD, "", CHOSEN), f"p{share * 100:g}") for share in (0.5, 0.95, 0.99)],
                "s",
            ),
            Panel(
                "Until the first word, spread",
                "How many turns took how long.",
                [(f"sum by (le) (increase({FIRST_WORD}_bucket{{{CHOSEN}}}{RATE}))", "{{le}}")],
                "s",
                "heatmap",
            ),
            Panel(
                "Until the first clause",
                "When a voice can begin: a sentence, or words up to a comma, were out.",
                [(quantile(share, FIRST_CLAUSE, "", CHOSEN), f"p{share * 100:g}") for share in (0.5, 0.95, 0.99)],
                "s",
            ),
            Panel(
                "Longest silence within an answer",
                "Between two texts that went out, the longest of each answer. A voice speaks over short ones.",
                [(quantile(share, LONGEST_GAP, "", CHOSEN), f"p{share * 100:g}") for share in (0.5, 0.95, 0.99)],
                "s",
            ),
            Panel("How turns end", "By outcome.", [rates("gateway_requests_total", "outcome", CHOSEN)], "reqps"),
            Panel(
                "Where the time goes",
                "95th percentiles: the search, all that is the gateway's own, and each target until its first words.",
                [
                    (quantile(0.95, "gateway_retrieval_seconds", "", CHOSEN), "search"),
                    (quantile(0.95, "gateway_overhead_seconds", "", CHOSEN), "gateway, search included"),
                    (quantile(0.95, FIRST_CHUNK, "target"), "{{target}}"),
                ],
                "s",
            ),
            Panel(
                "Whole turns",
                "From beginning to end.",
                [
                    (quantile(share, "gen_ai_server_request_duration_seconds", "", CHOSEN), f"p{share * 100:g}")
                    for share in (0.5, 0.95)
                ],
                "s",
            ),
            Panel(
                "Hang-ups",
                "Callers that went, by how far the turn was: an interruption is the normal case.",
                [
                    rates("gateway_client_disconnects_total", "phase"),
                    ("sum(rate(gateway_abandoned_total[$__rate_interval]))", "after two silent seconds"),
                ],
                "reqps",
            ),
        ),
    ),
    (
        "Targets",
        (
            Panel(
                "Attempts",
                "Requests to targets that were no answer, by code.",
                [(f'sum by (target, code) (rate(gateway_attempts_total{{code!=""}}{RATE}))', "{{target}} {{code}}")],
                "reqps",
            ),
            Panel(
                "Fail-overs and hedges",
                "Who answered in whose place; second requests beside a slow one.",
                [
                    (
                        f"sum by (from, to, reason) (rate(gateway_fallbacks_total{RATE}))",
                        "{{from}} to {{to}}: {{reason}}",
                    ),
                    (f"sum by (won) (rate(gateway_hedges_total{RATE}))", "hedge, won: {{won}}"),
                ],
                "reqps",
            ),
            Panel(
                "Breakers",
                "0 asked, 1 probed, 2 left out.",
                [("max by (target) (gateway_breaker_state)", "{{target}}")],
                "short",
                "state-timeline",
            ),
            Panel(
                "Errors",
                "Turns that met one, by code.",
                [
                    rates("gateway_errors_total", "code"),
                    (f"sum(rate(gateway_midstream_failures_total{RATE}))", "broke off midway"),
                ],
                "reqps",
            ),
            Panel(
                "Until a target fails",
                "95th percentiles, by what went wrong.",
                [
                    (
                        quantile(0.95, "gen_ai_client_operation_duration_seconds", "target, error_type"),
                        "{{target}} {{error_type}}",
                    )
                ],
                "s",
            ),
            Panel(
                "Until a hang-up reaches the upstream",
                "95th percentile.",
                [(quantile(0.95, "gateway_upstream_cancel_seconds"), "p95")],
                "s",
            ),
            Panel(
                "Tokens a second",
                "As upstreams count them.",
                [
                    (
                        f"sum by (target, gen_ai_token_type) (rate(gen_ai_client_token_usage_sum{RATE}))",
                        "{{target}} {{gen_ai_token_type}}",
                    )
                ],
            ),
            Panel(
                "Pace",
                "Median seconds between two tokens.",
                [(quantile(0.5, "gen_ai_server_time_per_output_token_seconds", "target"), "{{target}}")],
                "s",
            ),
            Panel(
                "Fillers", "Turns in which one was said.", [rates("gateway_fillers_total", "agent", CHOSEN)], "reqps"
            ),
        ),
    ),
    (
        "Knowledge",
        (
            Panel(
                "Searches",
                "By the lists that served, and why it was not both.",
                [(f"sum by (outcome, reason) (rate(gateway_retrieval_outcome_total{RATE}))", "{{outcome}} {{reason}}")],
                "reqps",
            ),
            Panel(
                "Gaps",
                "Questions for which nothing was found.",
                [rates("gateway_knowledge_gap_total", "agent", CHOSEN)],
                "reqps",
            ),
            Panel(
                "Served",
                "0: no version of the collection is searched.",
                [("min by (collection) (gateway_knowledge_served)", "{{collection}}")],
                "short",
                "state-timeline",
            ),
        ),
    ),
    (
        "Processes",
        (
            Panel(
                "Late", "How far the event loop is behind.", [("gateway_eventloop_lag_seconds", "{{instance}}")], "s"
            ),
            Panel("Workers", "Processes that serve.", [("gateway_workers", "{{instance}}")]),
            Panel("Memory", "Resident.", [("process_resident_memory_bytes", "{{instance}}")], "bytes"),
            Panel("Descriptors", "Open ones.", [("process_open_fds", "{{instance}}")]),
            Panel("Processor", "Cores in use.", [(f"rate(process_cpu_seconds_total{RATE})", "{{instance}}")]),
            Panel(
                "Missing",
                "What is done without.",
                [("gateway_missing", "{{instance}} {{what}}")],
                "short",
                "state-timeline",
            ),
            Panel(
                "Store, draining, workers, version",
                "1 is yes.",
                [
                    ("gateway_store_up", "store {{instance}}"),
                    ("gateway_draining", "draining {{instance}}"),
                    ("gateway_workers", "workers {{instance}}"),
                    ("gateway_build_info", "{{version}} {{instance}}"),
                ],
                "short",
                "state-timeline",
            ),
        ),
    ),
)
