"""Waiting in time, and no longer than there is something to wait for."""

import asyncio
from collections.abc import Awaitable
from typing import Any, TypeVar

from gateway.errors import PeerError
from gateway.peer.words import as_error
from gateway.types.peer import Ending

Got = TypeVar("Got")


async def soon(awaited: Awaitable[Got], seconds: float, late: PeerError, over: "asyncio.Future[Ending]") -> Got:
    """What is awaited, within so many seconds and before it is over. Raises `late`, or what it is over with."""
    task = asyncio.ensure_future(awaited)
    waits: set[asyncio.Future[Any]] = {task, over}
    try:
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        raise as_error(over.result()) if over.done() else late
    finally:
        if not task.done():
            task.cancel()
