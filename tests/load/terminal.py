"""What is told while a load runs: a line a step, in 80 columns."""

from tests.bench.report import number
from tests.load.steps import Step

HEAD = (
    " users  answers    first words, ms     longest gap   whole, s  failed   late\n"
    "        a second   p50   p95   p99         p99, ms        p95             ms"
)


def line(step: Step) -> str:
    """One step in 80 columns; a second line where it was not kept."""
    first = "".join(f"{number(value * 1000, 0):>6}" for value in step.first)
    row = (
        f"{step.users:6} {step.answers / step.seconds:9.1f}{first}{number(step.gap.p99 * 1000, 0):>16}"
        f"{number(step.whole.p95, 2):>11}{step.failed:8}{step.late_ms:7.0f}"
    )
    return row if step.verdict == "kept" else f"{row}\n        {step.says}"
