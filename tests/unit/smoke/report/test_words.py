"""One text along another."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.smoke.report.figures import readable
from gateway.smoke.report.words import Run, compared


def marked(runs: tuple[Run, ...]) -> str:
    """Differences in brackets, what was cut off in braces."""
    marks = {"same": "{}", "other": "[{}]", "cut": "{{{}}}"}
    return "".join(marks[run.kind].format(run.text) for run in runs)


@pytest.mark.parametrize(
    ("said", "heard", "left", "right"),
    [
        ("The tide bell rings.", "the tide bell rings", "The tide bell rings.", "the tide bell rings"),
        ("The tide bell rings.", "The tied bell rings.", "The [tide] bell rings.", "The [tied] bell rings."),
        ("One two three", "One three", "One [two] three", "One three"),
        ("One three", "One two three", "One three", "One [two] three"),
        ("A key board", "A keyboard", "A key board", "A keyboard"),
        ("At ninety-five minutes", "At 95 minutes", "At ninety-five minutes", "At 95 minutes"),
        ("It's half past six.", "It is 6:30", "It's half past six.", "It is 6:30"),
        ("Yes", "", "[Yes]", ""),
        ("", "Yes", "", "[Yes]"),
        ("Yes ... no", "Yes no", "Yes ... no", "Yes no"),
        ("鐘は鳴る", "鐘が鳴る", "鐘[は]鳴る", "鐘[が]鳴る"),
    ],
)
def test_words_that_differ_are_marked(said: str, heard: str, left: str, right: str) -> None:
    """Words that the other side has not are marked; spaces, marks, capitals and ways to write a number do not count."""
    found = compared(said, heard)
    assert (marked(found.said), marked(found.heard)) == (left, right)
    assert found.differs == ("[" in left + right)


def test_what_was_broken_off_is_no_difference() -> None:
    """The end of an answer that somebody spoke over is cut; what was misheard before it is still marked."""
    found = compared("Dogs are welcome on a lead, and prams stay.", "Docks are welcome on", broken_off=True)
    assert marked(found.said) == "[Dogs] are welcome on {a lead, and prams stay.}"
    assert marked(found.heard) == "[Docks] are welcome on"
    assert marked(compared("Dogs are.", "", broken_off=True).said) == "{Dogs are.}"


@settings(max_examples=50)
@given(st.text(max_size=60), st.text(max_size=60), st.booleans())
def test_no_character_is_lost(said: str, heard: str, broken_off: bool) -> None:
    """Whatever is compared, both texts are there as they were, but for characters that are none."""
    found = compared(said, heard, broken_off=broken_off)
    assert "".join(run.text for run in found.said) == readable(said)
    assert "".join(run.text for run in found.heard) == readable(heard)
