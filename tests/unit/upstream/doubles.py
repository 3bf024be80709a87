"""Targets of a route without a socket: what they say is data, and they count."""

import asyncio
import random
from collections.abc import Callable, Sequence
from typing import Any

from gateway.errors import GatewayError
from gateway.settings import Breaker as Rule
from gateway.types import Agent, Ask, Attempted, Chunk, Chunks, Complete, Prompt
from gateway.upstream.breaker import Breaker
from gateway.upstream.candidate import Candidate, Health, Plan
from gateway.upstream.completing import completing
from gateway.upstream.mending import Learned
from gateway.upstream.pace import Pace

ROUTE = Prompt([{"role": "user", "content": "?"}])
AGENT = Prompt(ROUTE.messages, agent=Agent("nora", "persona"))
HI = (Chunk(), Chunk("hi"), Chunk(finish_reason="stop"))


class Clock:
    """A clock that goes when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Target:
    """Says these chunks, waits where a number stands, raises an error.

    `turns` are said one after another, the last one for ever; what else is given belongs to its candidate.
    """

    def __init__(self, *steps: Chunk | float | GatewayError, turns: Sequence[Sequence[Any]] = (), **more: Any) -> None:
        self.turns = [*turns] or [steps]
        self.more = more
        self.asked = 0
        self.closed = 0
        self.prompts: list[Prompt] = []

    def ask(self) -> Ask:
        async def chunks(prompt: Prompt) -> Chunks:
            steps = self.turns[min(self.asked, len(self.turns) - 1)]
            self.asked += 1
            self.prompts.append(prompt)
            try:
                for step in steps:
                    if isinstance(step, GatewayError):
                        raise step
                    if isinstance(step, Chunk):
                        yield step
                    else:
                        await asyncio.sleep(step)
            finally:
                self.closed += 1

        return chunks


def candidate(
    name: str, target: Target, *, rule: Rule | None = None, clock: Callable[[], float] | None = None, **more: Any
) -> Candidate:
    """A candidate that never failed before. By default its breaker stays out of the way."""
    clock = clock or asyncio.get_running_loop().time
    health = Health(Breaker(rule or Rule(failures=1000), clock), Pace(), Learned())
    return Candidate(name, "m", target.ask(), health, **{"first_token": 0.05, **more, **target.more})


class Line:
    """A route of some targets, and what its turns noted."""

    def __init__(self, *targets: Target, plan: dict[str, Any] | None = None, **more: Any) -> None:
        self.targets = targets
        self.candidates = tuple(candidate(f"t{number}", target, **more) for number, target in enumerate(targets))
        self.plan = Plan(self.candidates, **(plan or {}))
        self.noted: list[Attempted] = []

    def complete(self, **more: Any) -> Complete:
        clock = asyncio.get_running_loop().time
        return completing({"r": self.plan}, chance=random.Random(1), clock=clock, **more)

    async def said(self, prompt: Prompt = AGENT, **more: Any) -> tuple[str, list[Chunk]]:
        """One turn: who spoke, and all that was said."""
        opened = await self.complete(**more)("r", prompt, self.noted.append)
        return opened.target, [chunk async for chunk in opened.chunks]

    @property
    def notes(self) -> list[tuple[str, str, str]]:
        """Target, kind and code of each attempt."""
        return [(each.target.removesuffix("/m"), each.kind, each.code) for each in self.noted]
