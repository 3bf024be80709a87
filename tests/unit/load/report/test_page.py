"""The report of a load shows what was measured, and needs nothing but itself."""

import json
import math
import re
from dataclasses import replace
from typing import Any

import pytest
from markupsafe import escape

from tests.load.agreeing import Agreement, Bucket
from tests.load.listening import Heard
from tests.load.plan import Plan
from tests.load.report import Told, page, saved
from tests.load.report.drawing import axis
from tests.load.steps import Step, Window, measured, read
from tests.load.traffic import HABITS, SHARES

AROUND = {
    "at": "2026-01-02T03:04:05+00:00",
    "processor": "a <fast> one",
    "cores": 2,
    "python": "3.11",
    "load_before": 0.25,
    "commit": "abc1234",
}
PLAN = Plan("http://127.0.0.1:1/v1", [("nora", "en")], [100, 200, 400], 20.0, 6.0, "", key="sk-planted")
AGREED = Agreement("first words", 0.5, 0.4, Bucket(0.3, 0.4), (101, 102))
OPEN = Agreement("whole turn", 0.99, 99.0, Bucket(81.92, math.inf), (103, 104))


def step(users: int, first: float = 0.412, *, wrong: str = "") -> Step:
    """A step in which all waited so long for the first words."""
    window = Window(late=[0.003])
    for _ in range(100):
        window.note("question", Heard("finish", 200, "Yes.", first=first, seconds=first + 1, gap=0.037))
    if wrong:
        window.note("version", Heard("bare", 200, why=wrong))
    return replace(measured(users, 20.0, window, 0.234, 1.0), agreements=[AGREED, OPEN])


def told(*steps: Step, **given: Any) -> Told:
    """A run of these steps."""
    return Told(PLAN, **{"target": "a gateway", "alone": True, "steps": steps, "around": AROUND, "took": 99.0, **given})


def test_nothing_is_loaded() -> None:
    """No script, no style, picture or font from elsewhere; links lead to the two files beside it."""
    text = page(told(step(100), step(200, 7.0)))
    assert "<script" not in text and "@import" not in text and "url(" not in text
    assert set(re.findall(r'(?:src|href)="([^"]*)"', text)) == {"report.json", "locust.html"}
    assert "default-src 'none'" in text and "prefers-color-scheme: dark" in text


def test_what_was_measured_is_shown() -> None:
    """The knee, the promise that broke, percentiles, agreement, endings, habits, machine, commit."""
    text = page(told(step(100), step(200, 7.0)))
    assert "It bears 100 people" in text and "first words p95 7.00 s" in text
    for figure in (
        "412 ms",
        "37 ms",
        "0 of 100",
        "3 ms",
        "23 %",
        "101, 102",
        "103, 104",
        "beyond",
        "finish 100",
        "abc1234",
    ):
        assert figure in text, figure
    assert all(escape(each.name) in text and escape(each.source) in text for each in (*HABITS, *SHARES))
    assert text.count("<svg") == 5


def test_what_was_wrong_is_quoted() -> None:
    """A stream that was none fails the run, with its words; what came from elsewhere is escaped."""
    text = page(told(step(100, wrong="ValueError('<b>oops')")))
    assert ">failed<" in text and "&lt;b&gt;oops" in text and "<b>oops" not in text
    assert "a &lt;fast&gt; one" in text
    assert ">passed<" in page(told(step(100))) and "Nothing: each stream" in page(told(step(100)))


def test_the_knee_and_what_is_beyond_it_have_columns() -> None:
    """Of many steps those two are drawn, and not the last; of one that was too many it alone."""
    text = page(told(step(100), step(150), step(175, 7.0), step(200, 9.0)))
    assert "at 150 people, the knee" in text and "at 175 people, beyond it" in text and "at 200 people, " not in text
    assert "at 100 people, the last step" in page(told(step(50), step(100)))
    assert "at 100 people, the fewest" in page(told(step(100, 7.0)))


@pytest.mark.parametrize("alone", [True, False])
def test_without_metrics_it_is_said(alone: bool) -> None:
    """Where nothing could be held against /metrics the page says why."""
    without = replace(step(100), agreements=[], unmeasured="/metrics is not there for this key.")
    text = page(told(without, alone=alone))
    assert "/metrics is not there for this key." in text
    assert (">failed<" in text) is alone


def test_a_run_without_answers() -> None:
    """A step in which nobody was answered, and a run without a step, have a page too."""
    assert "none" in page(told(measured(100, 20.0, Window(), 0.1, 0.0)))
    assert "Nothing was measured." in page(told())


def test_the_saved_file_has_the_same_and_no_key() -> None:
    """Its steps are read back; the key is in neither file."""
    run = told(step(100), step(200, 7.0))
    text = json.dumps(saved(run))
    assert "sk-planted" not in text + page(run)
    again = json.loads(text)
    assert read(again) == list(run.steps) and again["knee"] == 100 and again["failed"] == []


@pytest.mark.parametrize(
    ("values", "promise", "most"),
    [([0.4, 0.62], 0.0, 0.8), ([0.4], 1.0, 1.25), ([0.4, 30.0], 1.0, 3.0), ([math.nan], 0.0, 1.0)],
)
def test_an_axis(values: list[float], promise: float, most: float) -> None:
    """Ticks are round, the promise is always in sight, and what is far beyond it is not."""
    scale = axis(values, promise)
    assert scale.most == pytest.approx(most) and scale.ticks[0] == 0 and scale.ticks[-1] == scale.most
    assert 3 <= len(scale.ticks) <= 7
