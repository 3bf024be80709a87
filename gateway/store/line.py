"""One connection for any number of callers: commands that wait together go in one write."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeAlias

from gateway.errors import StoreUnavailable

Command: TypeAlias = tuple[str | int | float, ...]
Send: TypeAlias = Callable[[Sequence[Command]], Awaitable[list[Any]]]
"""Send the commands; their answers, an exception where one was refused. Raises StoreUnavailable for all of them."""

AT_ONCE = 256
"""Commands in one write."""


class Line:
    """What is asked while a write is under way waits for the next one, a fraction of a millisecond.

    A pool with a connection a caller would open as many as there are turns at once, and close one with every caller
    that hangs up. Here a caller that goes away leaves nothing half read.
    """

    def __init__(self, send: Send) -> None:
        self._send = send
        self._waiting: list[tuple[Command, asyncio.Future[Any]]] = []
        self._asked = asyncio.Event()

    async def ask(self, command: Command) -> Any:
        """The command's answer, or the exception that the server answered with. Raises StoreUnavailable."""
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting.append((command, answer))
        self._asked.set()
        return await answer

    async def run(self) -> None:
        """Send what is asked, until cancelled."""
        while True:
            await self._asked.wait()
            self._asked.clear()
            while self._waiting:
                batch, self._waiting = self._waiting[:AT_ONCE], self._waiting[AT_ONCE:]
                await self._answer(batch)

    async def _answer(self, batch: Sequence[tuple[Command, "asyncio.Future[Any]"]]) -> None:
        failure: StoreUnavailable | None = None
        answers: list[Any] = []
        try:
            answers = await self._send([command for command, _ in batch])
        except StoreUnavailable as error:
            failure = error
        except asyncio.CancelledError:
            _break([answer for _, answer in batch] + [answer for _, answer in self._waiting])
            raise
        for index, (_, answer) in enumerate(batch):
            if answer.done():
                continue  # its caller is gone
            if failure is not None:
                answer.set_exception(StoreUnavailable(failure.message))
            else:
                answer.set_result(answers[index])


def _break(answers: Sequence["asyncio.Future[Any]"]) -> None:
    for answer in answers:
        if not answer.done():
            answer.set_exception(StoreUnavailable("The store is being closed."))
