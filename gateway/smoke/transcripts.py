"""Whether those who wrote down what was said agree: who said what, in order. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from gateway.audio.agreement import normal, word_error
from gateway.smoke.causes import found
from gateway.types.smoke import Finding, SmokeLine

APART = 0.5
"""Share of words in which one line may differ from the other: a recogniser spells names as it likes."""
SHORT = 6
"""Words: of fewer, one that is misheard is too large a share to say anything."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the conversation as it was held."""

    role: str
    text: str
    cut: bool = False
    """It was broken off: others may have more or less of its end."""


def joined(lines: Iterable[SmokeLine]) -> list[SmokeLine]:
    """What one says without the other in between is one line."""
    return [
        SmokeLine("user" if role == "user" else "assistant", " ".join(line.text for line in same))
        for role, same in groupby(lines, key=lambda line: line.role)
    ]


def disagreements(held: Sequence[Line], written: Mapping[str, Sequence[SmokeLine]]) -> Iterator[Finding]:
    """One finding for each who differs from the conversation as it was held."""
    for who, lines in written.items():
        if says := _difference(held, joined(lines)):
            yield found("transcripts_differ", f"The transcript of {who} differs: {says}.")


def _difference(held: Sequence[Line], lines: Sequence[SmokeLine]) -> str:
    """What differs first; empty: nothing. What is said before the first question may be in either alone."""
    wanted, has = _from_question(held), _from_question(lines)
    for at, (one, other) in enumerate(zip(wanted, has, strict=False), 1):
        if one.role != other.role:
            return f"line {at} is the {other.role}'s, and it was the {one.role} who spoke"
        if not same(one.text, other.text, cut=isinstance(one, Line) and one.cut):
            return f"line {at} is {other.text[:60]!r}, and said was {one.text[:60]!r}"
    if len(wanted) != len(has):
        return f"it has {len(has)} lines, and {len(wanted)} were spoken"
    return ""


def same(one: str, other: str, *, cut: bool = False) -> bool:
    """Whether two texts are the same speech; of one that was cut, as far as the shorter goes."""
    first, second = normal(one), normal(other)
    if cut:
        least = min(len(first), len(second))
        first, second = first[:least], second[:least]
    if not first or not second:
        return cut or first == second
    allowed = APART if max(len(first), len(second)) >= SHORT else 1.0 - 1e-9
    return min(word_error(" ".join(first), " ".join(second)), 1.0) <= allowed


def _from_question(lines: Sequence[Line | SmokeLine]) -> list[Line | SmokeLine]:
    at = next((at for at, line in enumerate(lines) if line.role == "user"), len(lines))
    return list(lines[at:])
