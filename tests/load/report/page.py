"""The report as one page of HTML: no script, and nothing that is loaded from anywhere."""

import math
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from tests.load.agreeing import SHARES as PERCENTS
from tests.load.agreeing import Agreement
from tests.load.report.drawing import TALL, columns, percentiles, seconds
from tests.load.report.told import Told
from tests.load.steps import ERRORS, FIRST_P95, GAP_P99, Step
from tests.load.traffic import HABITS, SHARES

PLACE = Path(__file__).parent
MINUS = "none"


class Tile(NamedTuple):
    """A figure at the top."""

    label: str
    value: str
    says: str


class Figure(NamedTuple):
    """A chart with its heading and a sentence below."""

    title: str
    drawn: Markup
    says: str


def page(told: Told) -> str:
    """The whole page. Every text of it that is not this program's own is escaped."""
    return (
        _environment()
        .get_template("page.html")
        .render(
            told=told,
            plan=told.plan,
            tiles=list(_tiles(told)),
            lines=list(_lines(told)),
            histograms=list(_histograms(told)),
            percents=PERCENTS,
            rows=[(step, list(_measures(step))) for step in told.steps],
            wrong=[(step, step.wrong) for step in told.steps if step.wrong],
            habits=HABITS,
            shares=SHARES,
            promises=(FIRST_P95, GAP_P99, ERRORS),
            infinity=math.inf,
            style=Markup((PLACE / "page.css").read_text("utf-8")),
        )
    )


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(PLACE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["seconds"] = _seconds
    return environment


def _seconds(value: float) -> str:
    return MINUS if math.isnan(value) else seconds(value)


def _tiles(told: Told) -> Iterator[Tile]:
    """What a person asks first, of the last step that kept its promises; else of the first."""
    if not told.steps:
        return
    step = told.knee or told.steps[0]
    yield Tile(
        "people at once", f"{told.knee.users:,}" if told.knee else f"under {step.users:,}", "with every promise kept"
    )
    yield Tile("first words", _seconds(step.first.p95), f"for 95 of 100; half of them {_seconds(step.first.p50)}")
    yield Tile("longest gap", _seconds(step.gap.p99), "within an answer, for 99 of 100")
    yield Tile(
        "answers", f"{step.answers / step.seconds:.1f}", f"a second; {step.streams:.0f} streams under way at once"
    )
    total = sum(each.failed for each in told.steps)
    yield Tile("streams checked", f"{told.requests:,}", f"{total} failed" if total else "none failed")


def _lines(told: Told) -> Iterator[Figure]:
    steps, knee = told.steps, told.knee
    for title, drawn, says in (
        (
            "Until the first words",
            percentiles(
                steps, lambda step: step.first, "Time to the first words by people", knee, FIRST_P95, high=TALL
            ),
            "From the question to the first words that a voice can speak, the model's own time counted.",
        ),
        (
            "The longest gap in an answer",
            percentiles(steps, lambda step: step.gap, "Longest gap by people", knee, GAP_P99),
            "Between two pieces of text, where the voice could run out of words.",
        ),
        (
            "Until an answer was whole",
            percentiles(steps, lambda step: step.whole, "Time to the end of an answer by people", knee),
            "Answers that were heard to their end. Their lengths differ as the model's do.",
        ),
    ):
        yield Figure(title, drawn, says)


def _histograms(told: Told) -> Iterator[Figure]:
    """Of the knee, and of the first step that broke."""
    if not told.steps:
        return
    knee, beyond = told.knee, told.beyond
    shown = [(knee, "the knee" if beyond else "the last step"), (beyond, "beyond it" if knee else "the fewest")]
    for step, where in shown:
        if step is None:
            continue
        title = f"First words at {step.users:,} people, {where}"
        yield Figure(title, columns(step, title), f"{step.answers:,} answers.")


def _measures(step: Step) -> Iterator[tuple[str, Sequence[Agreement]]]:
    """The agreements of one step, by measure."""
    for measure in dict.fromkeys(each.measure for each in step.agreements):
        yield measure, [each for each in step.agreements if each.measure == measure]
