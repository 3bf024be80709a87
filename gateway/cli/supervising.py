"""`gateway serve` with several workers: what their supervisor has for all of them, and what it makes of signals.

It loads none of the libraries that serve, so that it is small.
"""

import asyncio
import logging
import sys
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from importlib import import_module
from signal import SIGINT
from socket import socket
from typing import Any

from gateway.cli.announcing import announce, reached
from gateway.cli.asked import Asked, by_signals
from gateway.settings import Settings
from gateway.store import embedded
from gateway.types import Agent
from gateway.workers import NotServing, Plan, Supervisor, folder, words

logger = logging.getLogger("gateway.workers")

BACKLOG = 2048
"""Connections that may wait to be accepted by one of the workers."""
TUNNELLING = "gateway.cli.tunnelling"
"""Loaded where there is a tunnel: it brings the client of Simli."""


def supervise(settings: Settings, agents: Mapping[str, Agent], sockets: Sequence[socket], option: str) -> int:
    """Serve with `server.workers` workers until SIGTERM or Ctrl-C; the exit status.

    A worker is the very command that runs here, with `option` behind it and behind that what the worker is handed.
    Raises ChildError, ConfigurationError where the tunnel cannot be opened, or nothing can be written under `var`.
    """
    with folder(settings.var) as shared:
        argv = [sys.executable, *sys.orig_argv[1:], option]
        plan = Plan(argv, settings.environ, sockets, shared, settings.server.workers)
        try:
            return asyncio.run(_supervised(plan, settings, agents))
        except NotServing as error:
            logger.error("%s: nothing serves", error.message)  # noqa: TRY400  (no stack: the worker has said why)
            return max(error.status, 1)


async def _supervised(plan: Plan, settings: Settings, agents: Mapping[str, Agent]) -> int:
    asked = Asked(asyncio.Event())
    supervisor = Supervisor(plan)
    by_signals(asked, supervisor.roll)
    for each in plan.sockets:
        each.listen(BACKLOG)
    async with AsyncExitStack() as stack:
        if not settings.redis_url:
            await stack.enter_async_context(embedded.running(settings.var / "store"))
        await stack.enter_async_context(_beside(_reloads(asked.again, supervisor)))
        ending = await stack.enter_async_context(_beside(asked.end.wait()))
        starting = await stack.enter_async_context(_beside(supervisor.start()))
        try:
            await asyncio.wait({starting, ending}, return_when=asyncio.FIRST_COMPLETED)
            if starting.done():
                starting.result()
                announce(reached(plan.sockets[0]), settings, agents)
                # What runs comes through the tunnel to its end: it is left last.
                failed = await stack.enter_async_context(_tunnel(settings, plan.sockets[0]))
                await asyncio.wait({failed, ending}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            if not asked.end.is_set():
                asked.ended(SIGINT)
            for each in plan.sockets:  # as long as one process has them open, callers are kept waiting
                each.close()
            starting.cancel()
            await asyncio.wait({starting})
            proper = await supervisor.end(words.LEAVE if asked.number == SIGINT else words.END, asked.hurry)
        return 0 if proper else 1


@asynccontextmanager
async def _beside(running: Coroutine[Any, Any, Any]) -> AsyncIterator[asyncio.Task[Any]]:
    """Run it beside the block, at the end of which it is cancelled."""
    task = asyncio.create_task(running)
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait({task})


async def _reloads(again: asyncio.Event, supervisor: Supervisor) -> None:
    while True:
        await again.wait()
        again.clear()
        supervisor.reload()


@asynccontextmanager
async def _tunnel(settings: Settings, listener: socket) -> AsyncIterator[asyncio.Future[None]]:
    """Keep the tunnel, where there is one, for the length of the block; what it yields is done where it has failed."""
    if not settings.tunnel:
        yield asyncio.get_running_loop().create_future()
        return
    tunnelling = import_module(TUNNELLING)
    port = listener.getsockname()[1]
    async with tunnelling.opened(tunnelling.made(settings), settings, port) as failed:
        yield failed
