"""How long somebody waited, and for what."""

from dataclasses import replace

import pytest

from gateway.smoke.report.waits import median_wait_ms, misheard, stages, waited_ms
from gateway.smoke.report.waterfall import bars, comparison, scale_ms
from gateway.types.smoke import Moments, SmokeTurn
from tests.unit.smoke.report.runs import ASKED, GREETING


def test_a_stage_lasts_from_the_one_before() -> None:
    """Seven stages, each from the end of the one before, in milliseconds since the person fell silent."""
    found = stages(ASKED[0].moments)
    names = ["recognised", "requested", "retrieved", "first_token", "first_clause", "first_sound", "first_mouth"]
    assert [stage.named.moment for stage in found] == names
    assert [stage.at_ms for stage in found] == pytest.approx([520, 560, 610, 730, 850, 1110, 1190])
    assert [stage.took_ms for stage in found] == pytest.approx([520, 40, 50, 120, 120, 260, 80])


def test_a_stage_that_was_not_seen_belongs_to_the_next() -> None:
    """It has no time of its own, and the next one lasts from the last that was seen."""
    token = stages(ASKED[2].moments)[3]
    assert stages(ASKED[2].moments)[2].took_ms is None
    assert token.took_ms == pytest.approx(290)


def test_the_wait_is_for_the_first_sound() -> None:
    """From the end of the question, or from the sending of a text, to the first sound; unseen where one is unseen."""
    assert waited_ms(ASKED[0].moments) == pytest.approx(1110)
    assert waited_ms(Moments(asked=1.0, first_sound=1.5)) == pytest.approx(500)
    assert waited_ms(Moments(asked=1.0, asked_end=2.0)) is None
    assert waited_ms(GREETING.moments) is None


def test_the_median_is_of_what_was_seen() -> None:
    """Turns without a wait neither lower nor raise it."""
    turns = (GREETING, *ASKED, SmokeTurn("?", moments=Moments(asked=1.0)))
    assert median_wait_ms(turns) == pytest.approx(1160)
    assert median_wait_ms(turns[:1]) is None
    assert misheard(turns, "question_error") == pytest.approx(1 / 21)
    assert misheard((), "answer_error") is None


def test_the_word_that_was_cut_is_nobodys_fault() -> None:
    """An answer that was broken off does not count among the misheard; its question does."""
    turns = (SmokeTurn("?", answer_error=0.1, question_error=0.0), SmokeTurn("?", answer_error=0.5, question_error=0.2))
    assert misheard(turns, "answer_error") == pytest.approx(0.3)
    broken = (turns[0], replace(turns[1], interrupted=True))
    assert misheard(broken, "answer_error") == pytest.approx(0.1)
    assert misheard(broken, "question_error") == pytest.approx(0.1)


def test_bars_stand_end_to_end() -> None:
    """The longest way is the whole width; each bar begins where the one before ends; all turns are on one scale."""
    whole = scale_ms(ASKED)
    assert whole == pytest.approx(1400)
    drawn = bars(ASKED[0], whole)
    assert [bar.x for bar in drawn] == [0, 37.14, 40, 43.57, 52.14, 60.71, 79.29]
    assert [bar.width for bar in drawn] == [37.14, 2.86, 3.57, 8.57, 8.57, 18.57, 5.71]
    unseen = bars(ASKED[2], whole)[2]
    assert (unseen.x, unseen.width) == (None, None)


def test_what_was_over_before_is_a_line_where_it_was() -> None:
    """A mouth that moves before the sound has a thin bar before the sound's end, and took less than nothing."""
    early = bars(SmokeTurn("?", moments=Moments(asked_end=1.0, first_sound=2.0, first_mouth=1.9)), 1000.0)[-1]
    assert (early.x, early.width) == (90.0, 0.4)
    assert early.stage.took_ms == pytest.approx(-100)
    assert bars(SmokeTurn("?", moments=Moments(asked_end=1.0, recognised=0.9)), 1000.0)[0].x == 0


def test_turns_are_compared_with_their_median() -> None:
    """A row for each question under its number; below them the median of each stage, and of the wait."""
    found = comparison((GREETING, *ASKED))
    assert [row.label for row in found.rows] == ["2", "3", "4"]
    assert list(found.took_ms) == pytest.approx([500, 40, 65, 220, 120, 260, 80])
    assert found.waited_ms == pytest.approx(1160)
    assert comparison((GREETING,)).rows == ()
