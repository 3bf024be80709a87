"""Numbers as a person reads them. What was not seen says so; it is never a nought."""

from datetime import UTC, datetime
from unicodedata import bidirectional, category

NOT_SEEN = "not seen"
SHOWN = "\N{REPLACEMENT CHARACTER}"
TURNING = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
"""Characters that turn the direction of what follows, beyond their own text."""


def ms(value: float | None) -> str:
    """Milliseconds; from ten seconds on, seconds."""
    if value is None:
        return NOT_SEEN
    return f"{value / 1000:.1f} s" if abs(value) >= 10_000 else f"{value:.0f} ms".replace("-0 ms", "0 ms")


def brief(value_ms: float | None) -> str:
    """Milliseconds for a sentence: `812 ms`, `1.2 s`."""
    return ms(value_ms) if value_ms is None or abs(value_ms) < 999.5 else f"{value_ms / 1000:.1f} s"


def percent(share: float | None) -> str:
    """A share of 1."""
    return NOT_SEEN if share is None else f"{share * 100:.0f} %"


def seconds(value: float) -> str:
    """How long something took."""
    return f"{value:.1f} s" if value < 60 else f"{int(value) // 60} min {int(value) % 60} s"


def clock(at: float) -> str:
    """A moment of the run, as a player shows it, with tenths of a second."""
    sign, tenths = "-" if round(at * 10) < 0 else "", abs(round(at * 10))
    return f"{sign}{tenths // 600}:{tenths // 10 % 60:02}.{tenths % 10}"


def day(epoch: float) -> str:
    """Seconds since the epoch as a date and a time."""
    at = datetime.fromtimestamp(epoch, UTC)
    return f"{at.day} {at:%B %Y, %H:%M:%S} UTC"


def counted(number: int, noun: str) -> str:
    """With its plural: `1 freeze`, `2 freezes`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def readable(text: str) -> str:
    """Without what steers a terminal or a page, or is no character; line breaks and tabs stay."""
    return "".join(SHOWN if _steers(each) else each for each in text.replace("\r\n", "\n"))


def _steers(each: str) -> bool:
    return each not in "\n\t" and (category(each) in {"Cc", "Cs"} or bidirectional(each) in TURNING)
