"""A crowd: callers that ask, listen, take a breath and ask again, until everybody goes home."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

from tests.load.listening import Heard

BREATH = 0.2
"""Seconds between an answer and the next question."""


class Crowd:
    """Callers that are asking. What each hears is told to `note` when it has heard it."""

    def __init__(self, ask: Callable[[int], Awaitable[Heard]], note: Callable[[Heard], None]) -> None:
        self._ask = ask
        self._note = note
        self._leaving = False
        self._discouraged = False
        self.listening = 0
        """Callers that are in the middle of a request."""

    async def caller(self, number: int, delay: float) -> None:
        """One of them."""
        await asyncio.sleep(delay)
        while not self._leaving:
            self.listening += 1
            heard = await self._ask(number)
            self.listening -= 1
            self._note(heard)
            if self._discouraged and heard.ending in {"refused", "unreachable"}:
                return
            await asyncio.sleep(BREATH)

    def leave_when_refused(self) -> None:
        """Who is refused from now on does not ask again."""
        self._discouraged = True

    def leave(self) -> None:
        """Nobody asks again; who listens, listens to the end."""
        self._leaving = True


@contextlib.asynccontextmanager
async def crowd(
    count: int,
    ask: Callable[[int], Awaitable[Heard]],
    note: Callable[[Heard], None],
    *,
    spread: float = 1.0,
    patience: float = 30.0,
) -> AsyncIterator[Crowd]:
    """So many callers, the first question of each within `spread` seconds. Leaving waits until all have heard."""
    gathered = Crowd(ask, note)
    callers = [asyncio.create_task(gathered.caller(number, number / count * spread)) for number in range(count)]
    try:
        yield gathered
        gathered.leave()
        await asyncio.wait_for(asyncio.gather(*callers), patience)
    finally:
        for caller in callers:
            caller.cancel()
        await asyncio.gather(*callers, return_exceptions=True)
