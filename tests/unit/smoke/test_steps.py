"""What a run does, as it is told and kept: also what fails, what is broken off, and what is left out."""

import asyncio
from itertools import count

import pytest

from gateway.errors import NoStart
from gateway.smoke.steps import Steps
from gateway.types.smoke import Step


def test_a_step_is_told_as_it_happens_and_kept() -> None:
    """Its beginning, then its end with what it found and how long it took."""
    ticks = count()
    told: list[object] = []
    steps = Steps(lambda: float(next(ticks)), lambda name, says: told.append((name, says)), told.append)

    async def run() -> None:
        async with steps.step("session", "a token") as step:
            step.says = "face tmp9i8bbq7c"
        steps.skipped("interruption", "nobody interrupts")

    asyncio.run(run())
    done = Step("session", "passed", "face tmp9i8bbq7c", 0.0, 1.0)
    left = Step("interruption", "skipped", "nobody interrupts", 2.0, 0.0)
    assert told == [("session", "a token"), done, left] and steps.taken == [done, left]


def test_an_error_fails_its_step_with_its_own_words() -> None:
    """And goes on, since the run has to end by it."""
    steps = Steps(lambda: 0.0)

    async def run() -> None:
        async with steps.step("face", "START"):
            raise NoStart("START did not come.")

    with pytest.raises(NoStart):
        asyncio.run(run())
    assert [(one.verdict, one.says) for one in steps.taken] == [("failed", "START did not come.")]


@pytest.mark.parametrize(("verdict", "says"), [("passed", "broken off: asking"), ("failed", "asking")])
def test_a_step_that_is_broken_off_is_no_pass(verdict: str, says: str) -> None:
    """Whoever is cancelled in the middle of it says so; what had failed before keeps its own words."""
    steps = Steps(lambda: 0.0)

    async def run() -> None:
        async with steps.step("question 1", "asking") as step:
            step.verdict = "failed" if verdict == "failed" else "passed"
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(run())
    assert [(one.verdict, one.says) for one in steps.taken] == [("failed", says)]
