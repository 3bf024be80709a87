"""The steps of a load: how many people, what was measured of them, and which promise broke."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, TypeAlias

from tests.bench.measuring import percentile
from tests.load.agreeing import Agreement
from tests.load.listening import PROPER, Heard

FIRST_P95 = 1.0
"""Seconds from a question to the first words for 95 of 100, the model's own time counted."""
GAP_P99 = 0.5
"""Seconds: the longest pause within an answer, for 99 of 100. Words are ahead of the voice by more than that."""
ERRORS = 0.001
"""Of the answers: those that failed, were refused, or were an apology."""
LATE = 50.0
"""Milliseconds that the generator, or the scripted model, may be late (99 %) before it is the limit itself."""
BUSY = 0.9
"""Of a core, that the generator may use before it is the limit."""
EDGES = (*(number / 20 for number in range(1, 21)), 1.5, 2.0, 3.0)
"""Seconds; the columns of the histogram of first words. The last column has what is beyond."""
QUOTED = 20
"""Of what was not proper."""
Kind: TypeAlias = Literal["question", "greeting", "version"]


class Spread(NamedTuple):
    """Percentiles of one measure, in seconds; not a number where there was none."""

    p50: float
    p95: float
    p99: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        return cls(*(percentile(values, share) for share in (0.5, 0.95, 0.99)))

    @classmethod
    def read(cls, saved: Mapping[str, float | None]) -> "Spread":
        """What `as_json` made of it."""
        given = (saved[name] for name in cls._fields)
        return cls(*(math.nan if value is None else value for value in given))

    def as_json(self) -> dict[str, float | None]:
        """For the saved file: JSON has no word for what is not a number."""
        return {name: None if math.isnan(value) else value for name, value in self._asdict().items()}


@dataclass(slots=True)
class Window:
    """What callers heard between two moments; each request counts where it ended."""

    firsts: list[float] = field(default_factory=list)
    """Seconds to the first words of answers to questions."""
    gaps: list[float] = field(default_factory=list)
    wholes: list[float] = field(default_factory=list)
    """Seconds to the end of answers to questions that were heard to their end."""
    all_firsts: list[float] = field(default_factory=list)
    """Of every request that was given words, as a server counts them."""
    all_wholes: list[float] = field(default_factory=list)
    """Of every request that reached a server."""
    endings: dict[str, int] = field(default_factory=dict)
    kinds: dict[str, int] = field(default_factory=dict)
    failed: int = 0
    wrong: list[str] = field(default_factory=list)
    """The first of what was not proper or not answered, in words."""
    improper: int = 0
    late: list[float] = field(default_factory=list)
    """Seconds that the generator's own timers were late."""

    def note(self, kind: Kind, heard: Heard) -> None:
        """A request has ended."""
        self.kinds[kind] = self.kinds.get(kind, 0) + 1
        self.endings[heard.ending] = self.endings.get(heard.ending, 0) + 1
        if heard.text:
            self.all_firsts.append(heard.first)
        if heard.ending != "unreachable":
            self.all_wholes.append(heard.seconds)
        if kind == "question" and heard.text:
            self.firsts.append(heard.first)
            self.gaps.append(heard.gap)
            if heard.ending == "finish":
                self.wholes.append(heard.seconds)
        if fault := faulty(heard):
            self.failed += 1
            self.improper += heard.ending not in PROPER
            if len(self.wrong) < QUOTED:
                self.wrong.append(f"{kind}: {fault}")


def faulty(heard: Heard) -> str:
    """What was wrong with an answer, in words; empty where nothing was. To hang up is a caller's right."""
    if heard.ending == "gone" or (heard.ending == "finish" and not heard.incomplete):
        return ""
    what = f"the apology, {heard.finish}" if heard.ending == "finish" else f"{heard.ending} {heard.code}".strip()
    return f"{what}, status {heard.status}, after {heard.seconds:.1f} s {heard.why}".strip()[:200]


@dataclass(slots=True)
class Step:
    """What one step came to."""

    users: int
    seconds: float
    streams: float
    """Requests that were under way at once, on average."""
    requests: int
    answers: int
    """Answers to questions, also those that were broken off after the first words."""
    first: Spread
    gap: Spread
    whole: Spread
    histogram: Sequence[int]
    """Answers by `EDGES`."""
    endings: Mapping[str, int]
    kinds: Mapping[str, int]
    failed: int
    improper: int
    wrong: Sequence[str]
    late_ms: float
    """Of the generator, 99 %."""
    busy: float
    """Of a core, that the generator used."""
    model_late_ms: float = 0.0
    """Of the scripted model, 99 %."""
    agreements: Sequence[Agreement] = ()
    unmeasured: str = ""
    """Why nothing was held against /metrics."""

    @property
    def broken(self) -> list[str]:
        """The promises that were not kept."""
        if not self.answers:
            failed = f": {self.failed} of {self.requests} failed" if self.failed else ""
            return [f"nobody was answered{failed}"]
        share = self.failed / self.requests
        found = [
            (self.first.p95 <= FIRST_P95, f"first words p95 {self.first.p95:.2f} s"),
            (self.gap.p99 <= GAP_P99, f"gap p99 {self.gap.p99:.2f} s"),
            (share <= ERRORS, f"{self.failed} of {self.requests} failed"),
        ]
        return [says for kept, says in found if not kept]

    @property
    def apart(self) -> list[Agreement]:
        """Where callers and /metrics tell different things."""
        return [each for each in self.agreements if not each.agrees]

    @property
    def limit(self) -> str:
        """What was the limit beside the target; empty where nothing was."""
        if not self.requests:
            return "time"
        if self.late_ms > LATE or self.busy > BUSY:
            return "generator"
        return "model" if self.model_late_ms > LATE else ""

    @property
    def verdict(self) -> Literal["kept", "broken", "not judged"]:
        """A promise that is kept is kept, however late the generator was; one that broke may be its fault."""
        if not self.broken:
            return "kept"
        return "not judged" if self.limit and not self.failed else "broken"

    @property
    def says(self) -> str:
        """The verdict with its reason."""
        if self.verdict == "kept":
            return "kept"
        reasons = ", ".join(self.broken)
        return f"broken: {reasons}" if self.verdict == "broken" else f"the {self.limit} is the limit: {reasons}"

    def as_json(self) -> dict[str, Any]:
        """For the saved file."""
        return {
            **{name: getattr(self, name) for name in self.__slots__},
            "first": self.first.as_json(),
            "gap": self.gap.as_json(),
            "whole": self.whole.as_json(),
            "agreements": [each.as_json() for each in self.agreements],
            "verdict": self.verdict,
            "broken": self.broken,
            "limit": self.limit,
        }


def measured(users: int, seconds: float, window: Window, busy: float, model_late_ms: float) -> Step:
    """Sum a window up; nothing is held against /metrics yet."""
    return Step(
        users,
        seconds,
        sum(window.all_wholes) / seconds,
        sum(window.kinds.values()),
        len(window.firsts),
        Spread.of(window.firsts),
        Spread.of(window.gaps),
        Spread.of(window.wholes),
        histogram(window.firsts),
        window.endings,
        window.kinds,
        window.failed,
        window.improper,
        window.wrong,
        percentile(window.late, 0.99) * 1000 if window.late else 0.0,
        busy,
        model_late_ms,
    )


def histogram(values: Sequence[float]) -> list[int]:
    """How many are at most each edge and over the one before it; the last is what is over all."""
    counts = [0] * (len(EDGES) + 1)
    for value in values:
        counts[next((at for at, edge in enumerate(EDGES) if value <= edge), len(EDGES))] += 1
    return counts


def read(saved: Mapping[str, Any]) -> list[Step]:
    """The steps of what `as_json` made of them, by their number of people, in whatever order they were taken."""
    steps = []
    for each in saved["steps"]:
        fields = {name: each[name] for name in Step.__slots__}
        fields |= {name: Spread.read(each[name]) for name in ("first", "gap", "whole")}
        fields["agreements"] = [Agreement.read(one) for one in each["agreements"]]
        steps.append(Step(**fields))
    return sorted(steps, key=lambda step: step.users)
