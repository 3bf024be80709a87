"""Where the bars of the waterfalls stand: all turns of a run on one scale, so that they can be compared by eye."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from gateway.smoke.report.waits import STAGES, Named, Stage, middle, stages, waited_ms
from gateway.types.smoke import SmokeTurn

LEAST = 0.4
"""Per cent of the width that the thinnest bar has, so that it can be seen."""


class Bar(NamedTuple):
    """A stage's bar in per cent of the width; None: the stage was not seen."""

    stage: Stage
    number: int
    """Of its colour."""
    x: float | None
    width: float | None


class Row(NamedTuple):
    """A turn among the others."""

    label: str
    bars: tuple[Bar, ...]
    waited_ms: float | None


class Comparison(NamedTuple):
    """All turns, and what is usual."""

    named: tuple[Named, ...]
    rows: tuple[Row, ...]
    took_ms: tuple[float | None, ...]
    """The median of each stage."""
    waited_ms: float | None


def scale_ms(turns: Iterable[SmokeTurn]) -> float:
    """The longest way of all from a question to a moving mouth: the whole width."""
    ends = [stage.at_ms for turn in turns for stage in stages(turn.moments) if stage.at_ms is not None]
    return max([*ends, 1.0])


def bars(turn: SmokeTurn, whole_ms: float) -> tuple[Bar, ...]:
    """One for each stage, in order. One that was over before the one before is a line where it was."""
    found = []
    for number, stage in enumerate(stages(turn.moments)):
        if stage.at_ms is None or stage.after_ms is None:
            found.append(Bar(stage, number, None, None))
            continue
        begin = _share(min(stage.after_ms, stage.at_ms) if stage.at_ms < stage.after_ms else stage.after_ms, whole_ms)
        end = _share(max(stage.after_ms, stage.at_ms), whole_ms)
        if stage.at_ms < stage.after_ms:
            end = begin
        width = max(LEAST, end - begin)
        found.append(Bar(stage, number, round(min(begin, 100 - width), 2), round(width, 2)))
    return tuple(found)


def comparison(turns: Sequence[SmokeTurn]) -> Comparison:
    """The turns that somebody asked: of the others nobody waited for an answer."""
    asked = [(number, turn) for number, turn in enumerate(turns) if turn.question]
    whole = scale_ms(turn for _, turn in asked)
    rows = tuple(Row(str(number + 1), bars(turn, whole), waited_ms(turn.moments)) for number, turn in asked)
    took = tuple(middle([row.bars[index].stage.took_ms for row in rows]) for index in range(len(STAGES)))
    return Comparison(STAGES, rows, took, middle([row.waited_ms for row in rows]))


def _share(at_ms: float, whole_ms: float) -> float:
    return min(100.0, max(0.0, at_ms / whole_ms * 100))
