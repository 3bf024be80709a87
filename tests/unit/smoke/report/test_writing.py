"""The files."""

import json
from dataclasses import fields, replace
from pathlib import Path

import pytest

from gateway.smoke.report import as_json, written
from gateway.types.smoke import Moments, Smoke, SmokeMedia, SmokeTurn
from tests.unit.smoke.report import runs


def test_both_files_are_written(tmp_path: Path) -> None:
    """The folder is made; the page is the path that comes back, and it names the other."""
    path = written(runs.empty(), tmp_path / "a" / "b")
    assert path == tmp_path / "a" / "b" / "report.html"
    assert 'href="report.json"' in path.read_text("utf-8")
    assert json.loads((path.parent / "report.json").read_text("utf-8"))["passed"] is False


def test_the_json_has_every_field() -> None:
    """By the names that the types have, at every depth, with null for what was not seen; and what follows from them."""
    found = json.loads(as_json(runs.passed()))
    assert set(found) == {field.name for field in fields(Smoke)} | {"passed", "median_wait_ms"}
    assert set(found["turns"][1]) == {field.name for field in fields(SmokeTurn)} | {"waited_ms"}
    assert set(found["turns"][1]["moments"]) == {field.name for field in fields(Moments)}
    assert set(found["media"]) == {field.name for field in fields(SmokeMedia)}
    assert found["passed"] is True
    assert found["median_wait_ms"] == pytest.approx(1160)
    assert found["turns"][0]["waited_ms"] is None
    assert found["said"]["recogniser"][2]["text"].startswith("The last tide bell rings 90")


def test_texts_of_any_script_are_themselves() -> None:
    """What is not ASCII is no escape in it, and what is hostile is a string."""
    assert "متى يدق جرس المد الأخير؟" in as_json(runs.right_to_left())
    assert json.loads(as_json(runs.hostile()))["agent"] == runs.HOSTILE.replace("\ud800", "?")


def test_a_screenshot_that_is_not_there_is_said(tmp_path: Path) -> None:
    """The report is written without it."""
    page = written(replace(runs.passed(), film=""), tmp_path).read_text("utf-8")
    assert "The room while the avatar speaks (room.png could not be read: No such file or directory)" in page
