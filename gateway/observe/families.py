"""The metrics that are counted: their names, labels and buckets. This package is the only importer of
prometheus_client.

Names are those of OpenTelemetry's GenAI conventions where these have one (version 1.40, status development), written as
Prometheus writes them: dots are underscores, units a suffix. Labels are the gateway's own words: a model's name is what
a caller wrote, and a label has only values that are configured.

A family is a function here, of its labels' values in order, and gives what is counted under them. It remembers that: to
be asked for it again costs prometheus_client as much as to count.
"""

from collections.abc import Callable, Sequence
from functools import cache
from typing import TypeAlias, TypeVar

from prometheus_client import CollectorRegistry, Counter, Histogram

VOICE = (0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.25, 1.5, 2.0, 3.0, 5.0, 10.0)
"""Seconds of silence, close together where a person begins to notice: their own go from 0.25 to 0.5 to 0.75."""
WHOLE = tuple(0.01 * 2**power for power in range(14))
"""Seconds of a whole turn, as the conventions have them: 0.01 to 81.92."""
QUICK = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.15, 0.25, 0.5, 1.0)
"""Seconds of what should not be felt."""
PACE = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5)
"""Seconds between two tokens."""
TOKENS = tuple(float(4**power) for power in range(11))
"""1 to 1,048,576."""


Metric = TypeVar("Metric", Counter, Histogram)
Family: TypeAlias = Callable[..., Metric]


class Counted:
    """What is counted by one."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.all: list[Counter] = []

        def count(name: str, says: str, *labels: str) -> Family[Counter]:
            self.all.append(family := Counter(f"gateway_{name}", f"{says}.", labels, registry=registry))
            return _remembering(family, labels)

        self.requests = count("requests", "Turns that ended", "agent", "route", "outcome")
        self.errors = count("errors", "Turns that met an error, by its code", "outcome", "code")
        self.midstream = count("midstream_failures", "Answers that broke off after an upstream spoke", "code")
        self.gone = count("client_disconnects", "Callers that hung up, by how far the turn was", "phase")
        self.abandoned = count("abandoned", "Callers that hung up after two seconds without a word")
        self.attempts = count("attempts", "Requests to upstream targets", "target", "kind", "code")
        self.fallbacks = count("fallbacks", "Targets that were asked after another one", "from", "to", "reason")
        self.hedges = count("hedges", "Second targets that were asked beside a slow first one", "won")
        self.fillers = count("fillers", "Turns in which a filler was said", "agent")
        self.retrievals = count("retrieval_outcome", "Searches, by the lists that served", "outcome", "reason")
        self.gaps = count("knowledge_gap", "Searches that found nothing", "agent")


class Measured:
    """What is put into buckets: seconds, and tokens."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.all: list[Histogram] = []

        def measure(name: str, says: str, buckets: Sequence[float], *labels: str) -> Family[Histogram]:
            self.all.append(family := Histogram(name, f"{says}.", labels, registry=registry, buckets=buckets))
            return _remembering(family, labels)

        self.overhead = measure(
            "gateway_overhead_seconds", "Until the first word, without the wait for the upstream", QUICK, "agent"
        )
        self.retrieval = measure("gateway_retrieval_seconds", "A search", QUICK, "agent")
        self.cancelled = measure(
            "gateway_upstream_cancel_seconds", "From a hang-up until the upstream was closed", QUICK
        )
        says = "Until the first words went out; a filler's count"
        self.first_word = measure("gen_ai_server_time_to_first_token_seconds", says, VOICE, "agent", "route")
        says = "Until a clause went out that a voice can begin with; a filler's counts"
        self.first_clause = measure("gateway_first_clause_seconds", says, VOICE, "agent")
        says = "The longest silence between two texts of one streamed answer"
        self.longest_gap = measure("gateway_longest_gap_seconds", says, VOICE, "agent")
        says = "Turns, from beginning to end"
        self.whole = measure("gen_ai_server_request_duration_seconds", says, WHOLE, "agent", "route")
        says = "After the first; where the upstream counts its tokens"
        self.pace = measure("gen_ai_server_time_per_output_token_seconds", says, PACE, "target")
        says = "Attempts that were answered"
        self.first_chunk = measure("gen_ai_client_operation_time_to_first_chunk_seconds", says, VOICE, "target")
        says = "Attempts that failed before their first chunk"
        self.failed = measure("gen_ai_client_operation_duration_seconds", says, VOICE, "target", "error_type")
        says = "Tokens of an answered turn, where the upstream counts them"
        self.tokens = measure("gen_ai_client_token_usage", says, TOKENS, "target", "gen_ai_token_type")


def _remembering(family: Metric, labels: Sequence[str]) -> Family[Metric]:
    return cache(family.labels if labels else lambda: family)
