"""Scenarios, and one measurement of one target in one of them."""

import asyncio
import statistics
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tests.bench.load import Heard, Load, Question, heard
from tests.bench.targets import Target, cpu_seconds, resident_megabytes
from tests.upstream.__main__ import words

CHUNKS = 64


@dataclass(frozen=True, slots=True)
class Scenario:
    """How callers come and how the upstream speaks."""

    name: str
    title: str
    callers: int
    first: float = 0.0
    """Seconds to the upstream's first chunk."""
    gap: float = 0.0
    """Seconds between two of its chunks."""
    streams: int = 10**9
    """Of a caller at most."""
    seconds: float = 2.0
    quick: float = 0.7
    """Seconds and, in proportion, streams of a quick run."""

    @property
    def live(self) -> bool:
        """Whether the upstream takes its time."""
        return self.gap > 0

    def load(self, *, quick: bool) -> Load:
        """What is put on a target. Live callers do not start all at once, but within one stream's time."""
        seconds = self.quick if quick else self.seconds
        streams = max(1, round(self.streams * self.quick / self.seconds)) if quick else self.streams
        return Load(self.callers, seconds, streams, self.first + CHUNKS * self.gap, 10.0 if quick else 15.0)


SCENARIOS = (
    Scenario("1", "1 caller, no delay", 1, streams=200, seconds=20.0, quick=8.0),
    Scenario("16", "16 callers, no delay", 16),
    Scenario("128", "128 callers, no delay", 128),
    Scenario("live100", "100 live streams", 100, 0.05, 0.01, seconds=2.8, quick=1.4),
    Scenario("live500", "500 live streams", 500, 0.05, 0.01, seconds=2.8, quick=0.7),
)


@dataclass(frozen=True, slots=True)
class Measured:
    """The figures of one target in one scenario."""

    first_p50: float
    """Milliseconds to the first content, like the next."""
    first_p99: float
    chunks_per_second: float
    cpu_per_chunk: float
    """Microseconds of the target's processes; 0 for none."""
    resident: float
    """Megabytes after it."""
    streams: int
    failures: dict[str, int]

    def as_json(self) -> dict[str, Any]:
        """For the saved file."""
        return asdict(self)


def percentile(values: Sequence[float], share: float) -> float:
    """The value that so large a share of the values does not exceed; not a number where there are none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")


def within(values: Sequence[float], limit: float) -> bool:
    """Whether 99 of 100 are within the limit; of ten to a hundred, all but one: that may be the machine's own pause."""
    late = sum(value > limit for value in values)
    return late <= max(len(values) // 100, len(values) >= 10)


def pace(upstream: str, chunks: int, first: float, gap: float) -> None:
    """Tell the scripted upstream how to speak from now on."""
    base = upstream.removesuffix("/v1")
    with urllib.request.urlopen(f"{base}/pace?chunks={chunks}&first={first}&gap={gap}", timeout=10):
        pass


def question(target: Target, chunks: int) -> Question:
    """What the target is asked and has to say."""
    return Question(target.url, target.bodies, "".join(words(chunks)).encode())


async def measured(target: Target, scenario: Scenario, upstream: str, *, quick: bool) -> Measured:
    """Warm the target up with as many callers, then measure."""
    await asyncio.to_thread(pace, upstream, 2, 0.05 if scenario.live else 0.0, 0.0)
    warm = 20 if scenario.callers == 1 else 1
    await heard(question(target, 2), Load(scenario.callers, 3.0, warm))
    await asyncio.to_thread(pace, upstream, CHUNKS, scenario.first, scenario.gap)
    began = cpu_seconds(target.pid) if target.pid else 0.0
    result = await heard(question(target, CHUNKS), scenario.load(quick=quick))
    used = cpu_seconds(target.pid) - began if target.pid else 0.0
    return figures(result, used, resident_megabytes(target.pid) if target.pid else 0.0)


def figures(result: Heard, used: float, resident: float) -> Measured:
    """Sum one load up."""
    chunks = result.good * CHUNKS
    return Measured(
        percentile(result.first_tokens, 0.5) * 1000,
        percentile(result.first_tokens, 0.99) * 1000,
        chunks / result.seconds,
        used * 1e6 / chunks if chunks else float("nan"),
        resident,
        result.good,
        result.failures,
    )


def medians(rounds: Sequence[Measured]) -> Measured:
    """The median of each figure over the rounds; streams and failures are summed."""

    def middle(figure: Callable[[Measured], float]) -> float:
        return statistics.median(map(figure, rounds))

    failures: dict[str, int] = {}
    for one in rounds:
        for why, count in one.failures.items():
            failures[why] = failures.get(why, 0) + count
    return Measured(
        middle(lambda one: one.first_p50),
        middle(lambda one: one.first_p99),
        middle(lambda one: one.chunks_per_second),
        middle(lambda one: one.cpu_per_chunk),
        middle(lambda one: one.resident),
        sum(one.streams for one in rounds),
        failures,
    )
