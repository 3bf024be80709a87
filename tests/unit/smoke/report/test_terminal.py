"""The table on the terminal."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from rich.cells import cell_len

from gateway.smoke.report import table
from gateway.types.smoke import Finding, Smoke
from tests.unit.smoke.report import runs


@pytest.mark.parametrize("make", runs.RUNS.values(), ids=runs.RUNS.keys())
def test_it_fits_a_terminal_and_steers_none(make: Callable[[], Smoke]) -> None:
    """No line has more than 80 columns, an end of spaces, a character that steers, or a None."""
    for line in table(make()):
        assert cell_len(line) <= 80
        assert line == line.rstrip()
        assert line.isprintable()
        assert "None" not in line


def test_a_good_run_says_what_was_asked_heard_and_waited_for() -> None:
    """The verdict first; then each question with its wait, its word errors, its verdict and what was heard."""
    found = table(runs.passed())
    assert found[0].startswith("Passed: 2 questions were answered aloud")
    assert " 2  When does the last tide bell ri…    1.1 s      14%/0%  its facts were heard" in found
    assert '    heard "Dogs are welcome on a lead and"' in found
    assert "    silent after 212 ms, upstream cancelled" in found
    assert not [line for line in found if line.startswith("What did not hold")]


def test_a_bad_run_ends_with_what_to_do() -> None:
    """Each finding with the part at fault, its code, its turn, and its remedy below it."""
    found = table(runs.silent())
    at = found.index("What did not hold")
    assert found[at + 1].startswith("1. voice provider (tts_refused, turn 1): The gateway answered")
    assert found[at + 3].startswith("   What to do: Look at the voice provider's key")
    assert found[-1] == "   What to do: Listen to the film."
    assert "    heard nothing" in found
    assert "    not heard: ninety minutes, high water" in found


def test_sound_without_words_is_not_silence() -> None:
    """Where an answer was heard and no word recognised, it does not say that nothing was heard."""
    smoke = runs.passed()
    assert "    heard something, and no word was recognised" in table(runs.run(replace(smoke.turns[1], heard="")))


def test_a_failed_step_that_nobody_explained_is_shown() -> None:
    """Without a finding the steps are told instead, and the run has failed."""
    smoke = runs.empty()
    unexplained = Smoke(smoke.mode, "nora", smoke.began, 2.0, "", "", steps=smoke.steps)
    assert not unexplained.passed
    assert table(unexplained)[-1] == "failed   sandbox: The sandbox at http://127.0.0.1:8765 does not answer."


def test_a_word_longer_than_the_terminal_is_broken() -> None:
    """Nothing of it is lost."""
    smoke = runs.silent()
    long = "Q" * 300
    finding = Finding("code", "model", long, long)
    text = "\n".join(table(Smoke(smoke.mode, "nora", 0.0, 1.0, "", "", findings=(finding,))))
    assert text.count("Q") == 900
