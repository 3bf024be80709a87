"""Charts as SVG: percentiles by the number of people, and columns of a histogram. Colours are the page's."""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from markupsafe import Markup, escape

from tests.load.steps import EDGES, FIRST_P95, Spread, Step

WIDE, HIGH = 440, 250
TALL = 370
"""The height of the chart that matters most."""
LEFT, RIGHT, TOP, BOTTOM = 54, 14, 18, 34
ROOM = 2.5
"""Times the promise that a chart shows; what is beyond is said at its edge."""
NAMES = ("p50", "p95", "p99")


class Axis(NamedTuple):
    """From 0 to `most`, in pixels from the bottom up."""

    most: float
    ticks: Sequence[float]
    high: int = HIGH
    """Of the chart."""

    @property
    def floor(self) -> int:
        return self.high - BOTTOM

    def at(self, value: float) -> float:
        return self.floor - min(value, self.most) / self.most * (self.floor - TOP)


def axis(values: Sequence[float], promise: float = 0.0, high: int = HIGH) -> Axis:
    """Four or five round ticks; with a promise it is always in sight, and what is far beyond is not."""
    seen = [value for value in values if not math.isnan(value)]
    most = max([*seen, promise * 1.15]) or 1.0
    if promise:
        most = min(most, promise * ROOM)
    size = 10 ** math.floor(math.log10(most / 4))
    step = next(size * each for each in (1, 2, 2.5, 5, 10) if size * each * 4.6 >= most)
    count = math.ceil(most / step)
    return Axis(step * count, [step * number for number in range(count + 1)], high)


def seconds(value: float) -> str:
    """`380 ms`, `1.25 s`."""
    return f"{value * 1000:.0f} ms" if value < 0.9995 else f"{value:.2f}".rstrip("0").rstrip(".") + " s"


def percentiles(
    steps: Sequence[Step],
    of: Callable[[Step], Spread],
    label: str,
    knee: Step | None,
    promise: float = 0.0,
    *,
    high: int = HIGH,
) -> Markup:
    """A line for each percentile, a dot for each step, the promise dashed, the knee a band."""
    scale = axis([value for step in steps for value in of(step)], promise, high)
    parts = [*_grid(scale), *_people(steps, knee, scale), *_promised(scale, promise), *_lines(steps, of, scale)]
    return _chart(label, parts, high)


def columns(step: Step, label: str) -> Markup:
    """How many answers came within which time; what is beyond the promise has another colour."""
    most = max([*step.histogram, 1])
    slot = (WIDE - LEFT - RIGHT) / len(step.histogram)
    scale = axis([float(most)])
    parts = list(_grid(scale, lambda value: f"{value:g}" if value == int(value) else ""))
    edges = [0.0, *EDGES, math.inf]
    for at, count in enumerate(step.histogram):
        least, upper = edges[at], edges[at + 1]
        kind = "late" if upper > FIRST_P95 else "good"
        top = scale.at(count)
        beyond = f"over {seconds(least)}" if math.isinf(upper) else f"{seconds(least)} to {seconds(upper)}"
        parts.append(
            f'<rect class="{kind}" x="{LEFT + at * slot + 1:.1f}" y="{top:.1f}" width="{slot - 2:.1f}" '
            f'height="{HIGH - BOTTOM - top:.1f}"><title>{beyond}: {count}</title></rect>'
        )
        if upper == EDGES[-1] or (upper <= 1 and round(upper * 20) % 4 == 0):
            parts.append(_text(LEFT + (at + 1) * slot, HIGH - BOTTOM + 15, f"{upper:g}", "middle"))
    parts.append(_text(WIDE - RIGHT, HIGH - 2, "seconds to the first words", "end"))
    parts += _marks(step, slot, edges)
    return _chart(label, parts)


def _chart(label: str, parts: Sequence[str], high: int = HIGH) -> Markup:
    """The parts are this module's own, all numbers and escaped words."""
    return Markup(f'<svg viewBox="0 0 {WIDE} {high}" role="img" aria-label="{escape(label)}">{"".join(parts)}</svg>')


def _text(x: float, y: float, words: str, anchor: str, kind: str = "") -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'


def _grid(scale: Axis, says: Callable[[float], str] = seconds) -> Iterator[str]:
    for value in scale.ticks:
        y = scale.at(value)
        yield f'<line class="grid" x1="{LEFT}" x2="{WIDE - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield _text(LEFT - 6, y + 4, says(value) if value else "0", "end")


def _x(at: int, count: int) -> float:
    """Steps are as far apart from one another, whatever their number of people."""
    return LEFT + (WIDE - LEFT - RIGHT) * (at + 0.5) / count


def _people(steps: Sequence[Step], knee: Step | None, scale: Axis) -> Iterator[str]:
    """The axis of people, with the knee."""
    slot = (WIDE - LEFT - RIGHT) / max(1, len(steps))
    for at, step in enumerate(steps):
        x = _x(at, len(steps))
        if step is knee:
            size = f'width="{slot:.1f}" height="{scale.floor - TOP}"'
            yield f'<rect class="knee" x="{x - slot / 2:.1f}" y="{TOP}" {size}/>'
        yield _text(x, scale.floor + 15, f"{step.users}", "middle", "held" if step is knee else "")
    yield _text(WIDE - RIGHT, scale.high - 2, "people at once", "end")


def _promised(scale: Axis, promise: float) -> Iterator[str]:
    if promise:
        y = scale.at(promise)
        yield f'<line class="promise" x1="{LEFT}" x2="{WIDE - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield _text(LEFT + 4, y - 5, f"promise: {seconds(promise)}", "start", "promised")


def _lines(steps: Sequence[Step], of: Callable[[Step], Spread], scale: Axis) -> Iterator[str]:
    for number, name in enumerate(NAMES):
        seen = [(_x(at, len(steps)), of(step)[number], step) for at, step in enumerate(steps)]
        seen = [(x, value, step) for x, value, step in seen if not math.isnan(value)]
        points = " ".join(f"{x:.1f},{scale.at(value):.1f}" for x, value, _ in seen)
        yield f'<polyline class="{name}" points="{points}"/>'
        for x, value, step in seen:
            y = scale.at(value)
            beyond = value > scale.most
            says = f"{step.users} people, {name}: {seconds(value)}"
            yield f'<circle class="{name}" cx="{x:.1f}" cy="{y:.1f}" r="{3.5}"><title>{says}</title></circle>'
            if beyond and name == NAMES[-1]:
                yield _text(x, TOP - 6, f"\N{UPWARDS ARROW} {seconds(value)}", "middle", "beyond")


def _marks(step: Step, slot: float, edges: Sequence[float]) -> Iterator[str]:
    """Where the median and the 95th percentile are among the columns."""
    for name, value in zip(NAMES[:2], step.first[:2], strict=True):
        at = next((at for at, edge in enumerate(edges[1:]) if value <= edge), None)
        if at is None:
            continue
        least, upper = edges[at], edges[at + 1]
        part = 0.5 if math.isinf(upper) else (value - least) / (upper - least)
        x = LEFT + (at + part) * slot
        yield f'<line class="mark" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{HIGH - BOTTOM}"/>'
        side = "end" if name == "p50" or x > WIDE * 0.8 else "start"
        yield _text(
            x - 3 if side == "end" else x + 3, TOP - 6 if name == "p95" else TOP + 8, f"{name} {seconds(value)}", side
        )
