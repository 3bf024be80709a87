"""In which order the targets of a route are asked."""

import random
from collections.abc import Sequence

from gateway.types import Strategy
from gateway.upstream.candidate import Candidate


def ordered(
    candidates: Sequence[Candidate], strategy: Strategy, now: float, chance: random.Random
) -> Sequence[Candidate]:
    """All of them, whether or not they are asked at the moment. `now` is on the clock of their paces."""
    if strategy == "weighted":
        return _weighted(candidates, chance)
    if strategy == "fastest":
        return sorted(candidates, key=lambda each: (not each.health.pace.unknown(now), each.health.pace.usual))
    return candidates


def _weighted(candidates: Sequence[Candidate], chance: random.Random) -> Sequence[Candidate]:
    """Drawn one after another by their weights; those without a weight come last, as they are written.

    So what a target does not take is shared by the others as their weights say, and does not fall on one of them.
    """
    left = [each for each in candidates if each.weight]
    drawn = []
    while left:
        (one,) = chance.choices(left, weights=[each.weight for each in left])
        left.remove(one)
        drawn.append(one)
    return [*drawn, *(each for each in candidates if not each.weight)]
