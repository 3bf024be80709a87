"""One connection for any number of callers: commands that wait together go in one write."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeAlias

from gateway.errors import StoreUnavailable

Command: TypeAlias = tuple[str | int | float, ...]
Send: TypeAlias = Callable[[Sequence[Command]], Awaitable[list[Any]]]
"""Send the commands; their answers, an exception where one was refused. Raises StoreUnavailable for all of them."""

Asked: TypeAlias = tuple[Command, "asyncio.Future[Any]"]

CLOSED = "The store is being closed."
AT_ONCE = 256
"""Commands in one write."""


class Line:
    """What is asked while a write is under way waits for the next one, a fraction of a millisecond.

    A pool with a connection a caller would open as many as there are turns at once, and close one with every caller
    that hangs up. Here a caller that goes away leaves nothing half read.
    """

    def __init__(self, send: Send) -> None:
        self._send = send
        self._waiting: list[Asked] = []
        self._asked = asyncio.Event()
        self._over = False

    async def ask(self, command: Command) -> Any:
        """The command's answer, or the exception that the server answered with. Raises StoreUnavailable."""
        if self._over:
            raise StoreUnavailable(CLOSED)
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting.append((command, answer))
        self._asked.set()
        return await answer

    async def run(self) -> None:
        """Send what is asked, until cancelled. Whatever ends it, nobody is left waiting."""
        batch: list[Asked] = []
        try:
            while True:
                await self._asked.wait()
                self._asked.clear()
                while self._waiting:
                    batch, self._waiting = self._waiting[:AT_ONCE], self._waiting[AT_ONCE:]
                    await self._answer(batch)
        finally:
            self._over = True
            _failed(batch + self._waiting, CLOSED)

    async def _answer(self, batch: Sequence[Asked]) -> None:
        try:
            answers = await self._send([command for command, _ in batch])
        except StoreUnavailable as error:
            _failed(batch, error.message)
            return
        for (_, waiting), answer in zip(batch, answers, strict=True):
            if not waiting.done():  # else its caller is gone
                waiting.set_result(answer)


def _failed(batch: Sequence[Asked], why: str) -> None:
    for _, waiting in batch:
        if not waiting.done():
            waiting.set_exception(StoreUnavailable(why))
