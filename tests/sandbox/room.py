"""A room as whoever is in it knows it: its events, kept as they come."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

from tests.sandboxed import caller

PATIENCE = 8.0
"""Seconds that anything may take before a test says so."""


@dataclass
class Followed:
    """What was told so far."""

    states: list[dict[str, Any]] = field(default_factory=list)
    turns: dict[int, dict[str, Any]] = field(default_factory=dict)
    """By number, each as it is now."""
    names: list[str] = field(default_factory=list)
    """Of all events, in their order."""
    over: bool = False

    def take(self, name: str, data: Any) -> None:
        self.names.append(name)
        if name == "state":
            self.states.append(data)
        else:
            self.turns[data["number"]] = data

    async def until(self, happened: Callable[[], bool], what: str) -> None:
        deadline = time.perf_counter() + PATIENCE
        while not happened():
            assert time.perf_counter() < deadline, f"{what} did not come; there came {self.states} {self.turns}"
            await asyncio.sleep(0.005)

    async def turn(self, number: int, **wanted: Any) -> dict[str, Any]:
        """A turn, once it is so."""

        def so() -> bool:
            turn = self.turns.get(number)
            return turn is not None and all(turn[name] == value for name, value in wanted.items())

        await self.until(so, f"turn {number} with {wanted}")
        return self.turns[number]


@contextlib.asynccontextmanager
async def following(room_url: str) -> AsyncIterator[Followed]:
    """The events of a room."""
    followed = Followed()

    async def read() -> None:
        async with caller(timeout=None) as http, http.stream("GET", f"{room_url}/events") as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            name = ""
            async for line in answer.aiter_lines():
                if line.startswith("event: "):
                    name = line[7:]
                elif line.startswith("data: "):
                    followed.take(name, json.loads(line[6:]))
        followed.over = True

    reading = asyncio.create_task(read())
    try:
        await followed.until(lambda: bool(followed.states), "the first state")
        yield followed
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
