"""What a process holds over time, and whether it grows."""

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

BARS = "▁▂▃▄▅▆▇█"
PAGE = os.sysconf("SC_PAGE_SIZE")


class Sample(NamedTuple):
    """What a process holds at one moment."""

    at: float
    """Seconds."""
    megabytes: float
    """Resident."""
    descriptors: int
    threads: int


def sampled(pid: int, at: float) -> Sample:
    """Look at a process itself, without its children."""
    place = Path(f"/proc/{pid}")
    resident = int((place / "statm").read_text().split()[1]) * PAGE / 1e6
    descriptors = len(list((place / "fd").iterdir()))
    threads = len(list((place / "task").iterdir()))
    return Sample(at, resident, descriptors, threads)


class Slope(NamedTuple):
    """How fast something grows, a minute, and how sure that is."""

    value: float
    error: float
    """Standard error of the value; not a number where three points are not there."""

    def over(self, limit: float) -> bool:
        """Whether it surely grows faster: by more than two standard errors."""
        return self.value - 2 * (0.0 if math.isnan(self.error) else self.error) > limit

    def __str__(self) -> str:
        return f"{self.value:+.2f} ± {self.error:.2f} a minute"


def slope(points: Sequence[tuple[float, float]]) -> Slope:
    """The least-squares slope of (seconds, value), for a minute."""
    if len(points) < 2:
        return Slope(0.0, float("nan"))
    count = len(points)
    mean_at = sum(at for at, _ in points) / count
    mean = sum(value for _, value in points) / count
    spread = sum((at - mean_at) ** 2 for at, _ in points)
    steep = sum((at - mean_at) * (value - mean) for at, value in points) / spread
    left = sum((value - mean - steep * (at - mean_at)) ** 2 for at, value in points)
    error = math.sqrt(left / (count - 2) / spread) if count > 2 else float("nan")
    return Slope(steep * 60, error * 60)


@dataclass(slots=True)
class Watch:
    """The samples of a run."""

    warm_up: float
    """Seconds that are left out of the slope."""
    samples: list[Sample] = field(default_factory=list)
    before: int = 0
    """Descriptors of the idle process before the load."""
    after: int = 0
    """And after it."""

    @property
    def warm(self) -> list[Sample]:
        """The samples after the warm-up."""
        return [sample for sample in self.samples if sample.at >= self.warm_up]

    @property
    def memory(self) -> Slope:
        """Megabytes a minute."""
        return slope([(sample.at, sample.megabytes) for sample in self.warm])

    @property
    def descriptors(self) -> Slope:
        """Descriptors a minute."""
        return slope([(sample.at, sample.descriptors) for sample in self.warm])


def table(watch: Watch) -> str:
    """Both as rows of 80 columns: the first and the last after the warm-up, the most, the slope, and how it went."""
    lines = [f"{'':12}{'warm':>8}{'last':>8}{'most':>8}  {'a minute':<16}whole run"]
    for name, values, grown, warm in (
        ("memory, MB", [sample.megabytes for sample in watch.samples], watch.memory, watch.warm[0].megabytes),
        ("descriptors", [sample.descriptors for sample in watch.samples], watch.descriptors, watch.warm[0].descriptors),
    ):
        steep = f"{grown.value:+.2f} ± {grown.error:.2f}"
        lines.append(f"{name:12}{warm:8.0f}{values[-1]:8.0f}{max(values):8.0f}  {steep:<16}{sparkline(values)}")
    return "\n".join(lines)


def sparkline(values: Sequence[float], width: int = 26) -> str:
    """The means of so many equal parts, between the least and the greatest of them; of fewer values one each."""
    count = min(width, len(values))
    bounds = [round(at * len(values) / count) for at in range(count + 1)]
    means = [sum(values[begin:end]) / (end - begin) for begin, end in pairwise(bounds)]
    least, most = min(means), max(means)
    return "".join(
        BARS[round((mean - least) / (most - least) * (len(BARS) - 1)) if most > least else 0] for mean in means
    )
