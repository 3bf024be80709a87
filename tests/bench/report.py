"""The figures as a table of 80 columns, and as what was promised of them."""

import math
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from tests.bench.measuring import SCENARIOS, Measured

YARDSTICK = "plain wrapper"
HEAD = (
    f"{'':15}{'first token, ms':>18}{'to the':>8}{'chunks':>9}{'CPU µs':>8}{'to the':>8}{'RSS':>6}{'bad':>7}\n"
    f"{'':15}{'p50':>9}{'p99':>9}{'wrapper':>8}{'a second':>9}{'a chunk':>8}{'wrapper':>8}{'MB':>6}{'':7}"
)
Results = Mapping[str, Mapping[str, Measured]]
"""By scenario, then by target."""


def number(value: float, places: int) -> str:
    """A figure, or a hyphen for none."""
    return "-" if math.isnan(value) or value == 0 else f"{value:,.{places}f}"


def ratio(value: float, yardstick: float) -> float:
    """How much of the wrapper's it is; not a number where one of them is missing."""
    return value / yardstick if value and yardstick else float("nan")


def table(results: Results) -> Iterator[str]:
    """The lines."""
    for scenario in SCENARIOS:
        rows = results.get(scenario.name)
        if not rows:
            continue
        yield f"\n{scenario.title}"
        yield HEAD
        base = rows.get(YARDSTICK)
        for name, row in rows.items():
            first = ratio(row.first_p50, base.first_p50) if base else math.nan
            cpu = ratio(row.cpu_per_chunk, base.cpu_per_chunk) if base else math.nan
            yield (
                f"{name:15}{number(row.first_p50, 2):>9}{number(row.first_p99, 2):>9}{number(first, 3):>8}"
                f"{number(row.chunks_per_second, 0):>9}{number(row.cpu_per_chunk, 1):>8}{number(cpu, 3):>8}"
                f"{number(row.resident, 0):>6}{sum(row.failures.values()):>7}"
            )
        for name, row in rows.items():
            for why, count in row.failures.items():
                yield f"  {name}: {count} streams: {why}"


class Promise(NamedTuple):
    """One thing that the project says of its speed."""

    says: str
    limit: float
    value: float

    @property
    def kept(self) -> bool:
        """Whether it holds; what was not measured does not."""
        return self.value <= self.limit


def promises(results: Results) -> Iterator[Promise]:
    """Those of which every figure was measured."""
    for scenario, figure, limit, says in (
        ("1", "first_p50", 0.6, "first token, 1 caller"),
        ("16", "cpu_per_chunk", 0.2, "CPU a chunk, 16 callers"),
        ("live100", "cpu_per_chunk", 0.35, "CPU a chunk, 100 live"),
        ("live500", "first_p50", 0.1, "first token, 500 live"),
    ):
        rows = results.get(scenario, {})
        if "gateway" in rows and YARDSTICK in rows:
            value = ratio(getattr(rows["gateway"], figure), getattr(rows[YARDSTICK], figure))
            yield Promise(f"{says}, to the wrapper's", limit, value)
    live = results.get("live500", {})
    if "gateway" in live:
        yield Promise("failed streams of 500 live", 0, sum(live["gateway"].failures.values()))
    alone = results.get("1", {})
    if {"gateway", "gateway+agent"} <= alone.keys():
        added = alone["gateway+agent"].first_p50 - alone["gateway"].first_p50
        yield Promise("agent and retrieval add, ms, 1 caller", 12.0, added)
