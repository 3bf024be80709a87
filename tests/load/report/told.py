"""Everything that a report says of a run, and how it is saved for programs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.load.knee import beyond, conclusion, faults, knee
from tests.load.plan import Plan
from tests.load.steps import ERRORS, FIRST_P95, GAP_P99, Step
from tests.load.traffic import HABITS, SHARES


@dataclass(frozen=True, slots=True)
class Told:
    """A run that is over."""

    plan: Plan
    target: str
    """What it is, in a few words."""
    alone: bool
    """Nobody else asked it."""
    steps: Sequence[Step]
    """By their number of people."""
    around: Mapping[str, Any]
    """Machine, versions, date, commit."""
    took: float
    """Seconds, all in all."""

    @property
    def knee(self) -> Step | None:
        """The last step that kept its promises."""
        return knee(self.steps)

    @property
    def beyond(self) -> Step | None:
        """The first step that did not."""
        return beyond(self.steps)

    @property
    def conclusion(self) -> str:
        """Where the knee is, in a sentence."""
        return conclusion(self.steps)

    @property
    def faults(self) -> list[str]:
        """Why it has failed."""
        return faults(self.steps, alone=self.alone)

    @property
    def requests(self) -> int:
        """That were measured; those of the warming up are not among them."""
        return sum(step.requests for step in self.steps)


def saved(told: Told) -> dict[str, Any]:
    """For `report.json`. The key is not in it."""
    plan, held = told.plan, told.knee
    return {
        "conclusion": told.conclusion,
        "failed": told.faults,
        "knee": held.users if held else None,
        "target": {"url": plan.url, "says": told.target, "models": sorted({name for name, _ in plan.models})},
        "promises": {"first_p95_s": FIRST_P95, "gap_p99_s": GAP_P99, "failed_share": ERRORS},
        "plan": {
            "users": list(plan.users),
            "seconds": plan.seconds,
            "warm_up": plan.warm_up,
            "halvings": plan.halvings,
        },
        "steps": [step.as_json() for step in told.steps],
        "habits": [each._asdict() for each in HABITS],
        "shares": [each._asdict() for each in SHARES],
        "around": dict(told.around),
        "took_s": told.took,
    }
