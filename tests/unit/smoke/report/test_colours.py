"""The page's colours can be told apart, by day and by night."""

import re
from itertools import product

import pytest

from gateway.smoke.report.page import TEMPLATES

STYLE = (TEMPLATES / "page.css").read_text("utf-8")
TEXT = (
    *product(("ink", "faint", "accent", "good", "bad", "odd"), ("ground", "card")),
    ("good", "good-ground"),
    ("bad", "bad-ground"),
    ("odd", "odd-ground"),
    ("ink", "bad-ground"),
    ("card", "s2"),
)
"""What is written on what."""
SHAPES = (*product((f"s{number}" for number in range(7)), ("ground", "card")), ("accent", "ground"), ("bad", "ground"))
"""What is drawn on what."""


def themes() -> list[dict[str, str]]:
    """The colours by name, by day and by night."""
    found = [
        dict(re.findall(r"--([\w-]+): (#\w+)", block)) for block in re.findall(r":root \{(.*?)\}", STYLE, re.DOTALL)
    ]
    assert len(found) == 2
    return found


def contrast(one: str, other: str) -> float:
    """As WCAG 2 defines it: from 1 to 21."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(each * 2 for each in colour[1:])
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("theme", themes(), ids=["light", "dark"])
def test_text_can_be_read(theme: dict[str, str]) -> None:
    """4.5 to 1 at least for whatever is written, on whatever it is written."""
    assert {pair: ratio for pair in TEXT if (ratio := contrast(*(theme[name] for name in pair))) < 4.5} == {}


@pytest.mark.parametrize("theme", themes(), ids=["light", "dark"])
def test_bars_can_be_seen(theme: dict[str, str]) -> None:
    """3 to 1 at least for bars and waves."""
    assert {pair: ratio for pair in SHAPES if (ratio := contrast(*(theme[name] for name in pair))) < 3} == {}
