"""The figures as one HTML page with drawn bars: no script, no asset from elsewhere."""

import html
import math
from collections.abc import Iterator, Mapping
from typing import Any

from tests.bench.measuring import SCENARIOS
from tests.bench.report import Results, number

FIGURES = (
    ("first_p50", "Time to first token, median, ms", 2),
    ("first_p99", "Time to first token, 99 %, ms", 2),
    ("cpu_per_chunk", "CPU a chunk, µs", 1),
    ("chunks_per_second", "Chunks a second", 0),
)
LABEL, BAR, ROW = 120, 420, 22
STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem; }
svg { width: 100%; height: auto; } text { font-size: 13px; fill: currentColor; }
rect { fill: #9aa5b1; } rect.gateway { fill: #2563eb; }
@media (prefers-color-scheme: dark) { body { background: #111; color: #ddd; } }
"""


def page(results: Results, around: Mapping[str, Any]) -> str:
    """The whole page."""
    about = ", ".join(f"{name}: {value}" for name, value in around.items() if not isinstance(value, dict))
    sections = "\n".join(_sections(results))
    return (
        '<!doctype html>\n<html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width"><title>What the gateway costs</title>'
        f"<style>{STYLE}</style>\n<h1>What the gateway costs</h1>\n<p>{html.escape(about)}</p>\n"
        "<p>Bars are on a logarithmic scale from a hundredth of the longest. "
        f"Streams of 64 chunks, each checked.</p>\n{sections}\n</html>\n"
    )


def _sections(results: Results) -> Iterator[str]:
    for scenario in SCENARIOS:
        rows = results.get(scenario.name)
        if not rows:
            continue
        yield f"<h2>{html.escape(scenario.title)}</h2>"
        for figure, title, places in FIGURES:
            values = {name: float(getattr(row, figure)) for name, row in rows.items()}
            yield f"<h3>{html.escape(title)}</h3>\n{_bars(values, places)}"


def _bars(values: Mapping[str, float], places: int) -> str:
    shown = {name: value for name, value in values.items() if value > 0}  # a missing figure is not a number, or 0
    longest = max(shown.values(), default=1.0)
    lines = []
    for at, (name, value) in enumerate(shown.items()):
        width = max(2.0, BAR * (1 + math.log10(value / longest) / 2))
        kind = ' class="gateway"' if name.startswith("gateway") else ""
        lines.append(
            f'<text x="0" y="{at * ROW + 15}">{html.escape(name)}</text>'
            f'<rect{kind} x="{LABEL}" y="{at * ROW + 3}" width="{width:.0f}" height="{ROW - 6}"/>'
            f'<text x="{LABEL + width + 6:.0f}" y="{at * ROW + 15}">{number(value, places)}</text>'
        )
    height = len(lines) * ROW
    return f'<svg viewBox="0 0 {LABEL + BAR + 90} {height}" role="img">{"".join(lines)}</svg>'
