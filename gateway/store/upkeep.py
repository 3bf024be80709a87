"""Tasks that run beside the rest for as long as something is open."""

import asyncio
import logging
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any

logger = logging.getLogger("gateway.store")


@asynccontextmanager
async def kept_up(*parts: Coroutine[Any, Any, None], patience: float = 0.05) -> AsyncIterator[None]:
    """Run the parts, which never end by themselves, for the length of the block. One that fails is told.

    `patience`: seconds that a part may take for its end before it is cancelled again.
    """
    tasks = [asyncio.create_task(part) for part in parts]
    for task in tasks:
        task.add_done_callback(_told)
    try:
        yield
    finally:
        # More than once: `asyncio.wait_for` of Python 3.11, which redis-py uses, loses a cancellation that comes
        # together with what is waited for (https://github.com/python/cpython/issues/86296).
        while tasks:
            for task in tasks:
                task.cancel()
            _, left = await asyncio.wait(tasks, timeout=patience)
            tasks = list(left)


async def happened(event: asyncio.Event, within: float) -> bool:
    """Wait for the event, so many seconds at most; whether it has happened. Loses no cancellation."""
    with suppress(TimeoutError):
        async with asyncio.timeout(within):
            await event.wait()
    return event.is_set()


def _told(task: "asyncio.Task[None]") -> None:
    if not task.cancelled() and task.exception() is not None:
        logger.error("a part of the store's upkeep has failed", exc_info=task.exception())
