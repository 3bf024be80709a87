"""Numbers as a person reads them."""

import pytest

from gateway.smoke.report import figures


@pytest.mark.parametrize(
    ("value", "exact", "short"),
    [
        (None, "not seen", "not seen"),
        (0.0, "0 ms", "0 ms"),
        (-0.2, "0 ms", "0 ms"),
        (811.7, "812 ms", "812 ms"),
        (999.7, "1000 ms", "1.0 s"),
        (1160.0, "1160 ms", "1.2 s"),
        (-100.0, "-100 ms", "-100 ms"),
        (12_340.0, "12.3 s", "12.3 s"),
    ],
)
def test_milliseconds(value: float | None, exact: str, short: str) -> None:
    """To the millisecond in a table, to a tenth of a second in a sentence; what was not seen is no nought."""
    assert (figures.ms(value), figures.brief(value)) == (exact, short)


@pytest.mark.parametrize(
    ("at", "shown"), [(0.0, "0:00.0"), (9.96, "0:10.0"), (75.25, "1:15.2"), (-0.4, "-0:00.4"), (-0.01, "0:00.0")]
)
def test_a_moment_is_shown_as_a_player_shows_it(at: float, shown: str) -> None:
    """Minutes, seconds and tenths; before the beginning it has a sign."""
    assert figures.clock(at) == shown


def test_the_rest() -> None:
    """Shares are per cent, long times have minutes, dates are of UTC, and nouns have their plural."""
    assert (figures.percent(0.045), figures.percent(None)) == ("4 %", "not seen")
    assert (figures.seconds(33.2), figures.seconds(125.0)) == ("33.2 s", "2 min 5 s")
    assert figures.day(0.0) == "1 January 1970, 00:00:00 UTC"
    assert (figures.counted(1, "freeze"), figures.counted(0, "freeze")) == ("1 freeze", "0 freezes")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\tb\nc", "a\tb\nc"),
        ("\x1b[31mred\x00", "�[31mred�"),
        ("a\u00a0b", "a\u00a0b"),
        ("\u202eabc", "�abc"),
        ("می\u200cروم", "می\u200cروم"),
        ("a\r\nb\x85\ud800", "a\nb��"),
    ],
)
def test_no_character_steers(text: str, shown: str) -> None:
    """Control characters and those that turn the direction of writing are shown as what they are not."""
    assert figures.readable(text) == shown
