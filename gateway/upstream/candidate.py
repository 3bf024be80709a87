"""A target as a route sees it, and a route as the engine does."""

from dataclasses import dataclass, field
from typing import NamedTuple

from gateway.types import Ask, Strategy
from gateway.upstream.breaker import Breaker
from gateway.upstream.hedging import Hedging
from gateway.upstream.mending import Learned
from gateway.upstream.pace import Pace


class Health(NamedTuple):
    """What is known of a target. It is the same one in every route that has the target, and outlives a reload."""

    breaker: Breaker
    pace: Pace
    learned: Learned


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """One target of a route."""

    name: str
    model: str
    ask: Ask
    health: Health
    first_token: float = 3.0
    """Seconds until the first useful chunk."""
    retries: int = 0
    weight: int = 1
    continues: bool = False

    def named(self, model: str) -> str:
        """`route/model` where a request names a model, or not."""
        return f"{self.name}/{model or self.model}".rstrip("/")


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """One route."""

    candidates: tuple[Candidate, ...]
    strategy: Strategy = "fallback"
    first_token: float = 0.0
    """Seconds for all attempts together; 0: twice the longest of the candidates'."""
    hedging: Hedging | None = None
    continues: bool = field(init=False)
    """One of them goes on where another broke off."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "continues", any(each.continues for each in self.candidates))
        if not self.first_token:
            longest = max((each.first_token for each in self.candidates), default=0.0)
            object.__setattr__(self, "first_token", 2 * longest)
