"""Where the knee is: how many people the next step is of, and what a run comes to.

First there are more and more people, as the plan has it. Where a step breaks a promise, the next one is halfway between
the last that kept them and that one, and so on: so the answer is a fraction of a planned step wide.
"""

from collections.abc import Sequence

from tests.load.steps import Step

NEAR = 0.05
"""Of the people that were borne: steps that are closer together than that differ by chance."""


def knee(steps: Sequence[Step]) -> Step | None:
    """Of steps by their number of people the last before the first that was not kept; None where the first was not."""
    found = None
    for step in steps:
        if step.verdict != "kept":
            break
        found = step
    return found


def beyond(steps: Sequence[Step]) -> Step | None:
    """Of steps by their number of people the first that was not kept; None where each was."""
    return next((step for step in steps if step.verdict != "kept"), None)


def following(taken: Sequence[Step], users: Sequence[int], halvings: int) -> int | None:
    """How many people the next step is of, after these in whatever order; None where the knee has been found.

    `users` are those of the planned steps, ascending. Between two of them there are `halvings` more steps at most; none
    where nobody at all was answered, since then another number of people is no help.
    """
    steps = sorted(taken, key=lambda step: step.users)
    held, over = knee(steps), beyond(steps)
    borne = held.users if held else 0
    if over is None:
        return next((each for each in users if each > borne), None)
    between = sum(step.users not in users for step in steps)
    if between >= halvings or not over.answers or over.users - borne <= max(1.0, borne * NEAR):
        return None
    return (borne + over.users) // 2


def conclusion(steps: Sequence[Step]) -> str:
    """Where the knee is, in a sentence."""
    held, over = knee(steps), beyond(steps)
    if over is None:
        return (
            f"{held.users:,} people were no limit: every step kept its promises." if held else "Nothing was measured."
        )
    if over.verdict == "not judged":
        return f"{f'At least {held.users:,} people' if held else 'Nothing can be said'}: at {over.users:,} {over.says}."
    if held is None:
        return f"Already {over.users:,} people were too many: {over.says.removeprefix('broken: ')}."
    return f"It bears {held.users:,} people; at {over.users:,} a promise breaks: {over.says.removeprefix('broken: ')}."


def faults(steps: Sequence[Step], *, alone: bool) -> list[str]:
    """Why a run has failed; empty where it has not. A knee is no failure: that it is found is what a run is for.

    `alone`: nobody else asks the target, so that its /metrics have to be there and to count what callers count. Where a
    step broke a promise nothing has to agree: who is overloaded reads a request late, and begins to count when it does.
    """
    found = []
    if knee(steps) is None:
        found.append("No step kept its promises.")
    if improper := sum(step.improper for step in steps):
        found.append(f"{improper} streams were not what a stream has to be; the report quotes them.")
    for step in steps:
        if step.verdict != "kept" or step.limit:
            continue
        if step.apart:
            found.append(f"At {step.users} people /metrics and the callers disagree: {step.apart[0]}.")
        if step.unmeasured and alone:
            found.append(f"At {step.users} people: {step.unmeasured}")
    return found
