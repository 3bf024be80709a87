"""The film's sound drawn: where the avatar is heard, in which answer, and where the person speaks."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Literal, NamedTuple, TypeAlias

import numpy as np

from gateway.smoke.report.film import PER_SECOND, Levels
from gateway.types.smoke import SmokeTurn

BINS = 600
"""Points along the whole film."""
FLOOR = 0.004
"""Below this root mean square (-48 dBFS) nobody hears anything; nor below a thirtieth of the loudest."""
JOINED_S = 0.5
"""A pause that is shorter belongs to what is said."""
CLICK_S = 0.1
"""Sound that is shorter is no speech."""
EARLY_S = 0.3
"""A stretch may begin so long before its turn's first sound: the two are measured by different means."""
STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800)


Whose: TypeAlias = Literal["answer", "greeting", "nobody"]
"""An answer; what was said before the first question; sound that nobody had asked for."""


class Stretch(NamedTuple):
    """Sound without a pause, in seconds of the film."""

    begin: float
    end: float
    whose: Whose
    turn: int | None
    """That it answers."""


class Part(NamedTuple):
    """A stretch as the outline of an SVG path in a box of 1000 by 100."""

    path: str
    x: float
    """Where it begins, in per cent."""
    whose: Whose
    turn: int | None


class Band(NamedTuple):
    """Where the person speaks, in per cent of the width."""

    x: float
    width: float
    turn: int


class Tick(NamedTuple):
    """A mark of the time."""

    x: float
    seconds: int


class Wave(NamedTuple):
    """Everything that is drawn."""

    seconds: float
    stretches: tuple[Stretch, ...]
    parts: tuple[Part, ...]
    bands: tuple[Band, ...]
    ticks: tuple[Tick, ...]


def wave(levels: Levels, seconds: float, turns: Sequence[SmokeTurn], film_at: float) -> Wave:
    """The sound of a film of so many seconds that began at a moment of the run."""
    whole = max(seconds, levels.size / PER_SECOND, 0.1)
    found = tuple(_stretches(levels, turns, film_at))
    loudest = float(levels.max(initial=FLOOR))
    parts = tuple(_part(levels / loudest, stretch, whole) for stretch in found)
    step = next((each for each in STEPS if whole / each <= 7), STEPS[-1])
    ticks = tuple(Tick(round(at / whole * 100, 2), at) for at in range(0, int(whole) + 1, step))
    return Wave(whole, found, parts, tuple(_bands(turns, film_at, whole)), ticks)


def _stretches(levels: Levels, turns: Sequence[SmokeTurn], film_at: float) -> Iterator[Stretch]:
    heard = np.flatnonzero(levels > max(FLOOR, float(levels.max(initial=0.0)) / 30))
    if not heard.size:
        return
    breaks = np.flatnonzero(np.diff(heard) > JOINED_S * PER_SECOND)
    firsts, lasts = heard[np.r_[0, breaks + 1]], heard[np.r_[breaks, heard.size - 1]]
    for first, last in zip(firsts, lasts, strict=True):
        begin, end = float(first) / PER_SECOND, float(last + 1) / PER_SECOND
        if end - begin >= CLICK_S:
            yield Stretch(begin, end, *_owner(begin + film_at, end + film_at, turns))


def _owner(begin: float, end: float, turns: Sequence[SmokeTurn]) -> tuple[Whose, int | None]:
    """The turn whose answer covers most of it; where there is none, whoever else it can be."""
    shares = []
    for number, turn in enumerate(turns):
        first = turn.moments.first_sound
        if first is not None:
            last = turn.moments.end if turn.moments.end is not None else end
            shares.append((min(end, last + EARLY_S) - max(begin, first - EARLY_S), number))
    share, number = max(shares, default=(0.0, 0), key=lambda each: each[0])
    if share > 0:
        return ("answer", number) if turns[number].question else ("greeting", number)
    asked = [turn.moments.asked for turn in turns if turn.question and turn.moments.asked is not None]
    return ("greeting" if begin < min(asked, default=end) else "nobody"), None


def _part(levels: Levels, stretch: Stretch, whole: float) -> Part:
    return Part(_outline(levels, stretch, whole), round(stretch.begin / whole * 100, 2), stretch.whose, stretch.turn)


def _outline(levels: Levels, stretch: Stretch, whole: float) -> str:
    """There along the upper edge, and back along the lower one."""
    first, last = int(stretch.begin * PER_SECOND), round(stretch.end * PER_SECOND)
    per_bin = max(1.0, whole * PER_SECOND / BINS)
    edges = np.unique(np.append(np.arange(first, last, per_bin).astype(int), last))
    upper, lower = [], []
    for begin, end in pairwise(edges):
        x = (begin + end) / 2 / PER_SECOND / whole * 1000
        high = max(1.0, float(levels[begin:end].max(initial=0.0)) ** 0.7 * 48)
        upper.append(f"{x:.1f} {50 - high:.0f}")
        lower.append(f"{x:.1f} {50 + high:.0f}")
    return f"M{'L'.join([*upper, *reversed(lower)])}Z"


def _bands(turns: Sequence[SmokeTurn], film_at: float, whole: float) -> Iterator[Band]:
    for number, turn in enumerate(turns):
        if turn.moments.asked is None:
            continue
        begin = turn.moments.asked - film_at
        end = turn.moments.asked_end - film_at if turn.moments.asked_end is not None else begin
        if end < 0 or begin > whole:
            continue
        x = max(0.0, begin / whole * 100)
        yield Band(round(x, 2), round(max(0.5, min(100.0, end / whole * 100) - x), 2), number)
