"""How a process begins to serve, and takes connections from the queue of those that wait."""

import asyncio
import logging
import os
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager

import pytest
import uvicorn
import uvloop
from starlette.applications import Starlette

from gateway.cli.asked import Asked
from gateway.cli.ending import Uvicorn
from gateway.cli.serving import ACCEPTED, SHARED, accepting, served
from gateway.drain import Drain
from gateway.http.protocol import listening
from gateway.settings import Settings
from gateway.tunnel import Looking

CALLERS = 64


class Counting(asyncio.Protocol):
    """Counts the connections that were made."""

    made = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """One more."""
        Counting.made += 1
        transport.close()


async def turns() -> int:
    """How often the loop turns until CALLERS, who wait already, are accepted."""
    Counting.made = 0
    loop = asyncio.get_running_loop()
    with ExitStack() as stack:
        listener = listening()
        listener.bind(("127.0.0.1", 0))
        listener.listen(CALLERS)
        for _ in range(CALLERS):
            stack.enter_context(socket.create_connection(listener.getsockname()))
        for each in accepting([listener], ACCEPTED):
            stack.callback((await loop.create_server(Counting, sock=each, backlog=CALLERS)).close)
        count = 0
        while Counting.made < CALLERS and count < 10 * CALLERS:
            count += 1
            await asyncio.sleep(0)
        return count


def test_one_turn_of_the_loop_accepts_several_callers() -> None:
    """Who waits for a busy process is taken by the handful: a busy loop turns seldom."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(turns()) <= 2 * CALLERS / ACCEPTED


def test_a_worker_that_starts_makes_no_other_wait_for_a_caller() -> None:
    """The listener that another worker accepts on never blocks, whatever is made of the one that was inherited."""
    with listening() as listener:
        listener.setblocking(False)
        for each in accepting([socket.socket(fileno=os.dup(listener.fileno()))], SHARED):
            assert not os.get_blocking(listener.fileno())
            each.close()


@asynccontextmanager
async def opening(_: Starlette) -> AsyncIterator[None]:
    """What takes for ever."""
    await asyncio.Event().wait()
    yield


async def given_up() -> int:
    """Begin to serve that, and ask for the end of it."""
    config = uvicorn.Config(Starlette(lifespan=opening), lifespan="on", ws="none", log_config=None, access_log=False)
    server, asked = Uvicorn(config, Drain()), Asked(asyncio.Event())
    asyncio.get_running_loop().call_later(0.1, asked.ended, signal.SIGTERM)
    async with asyncio.timeout(5):
        return await served(
            server, [], Settings(), asked, lambda: pytest.fail("it does not serve"), way=Looking(""), remarks=None
        )


def test_a_start_that_is_given_up_is_no_failure(caplog: pytest.LogCaptureFixture) -> None:
    """Who is asked to end while it still opens does so with 0, and the log has no stack."""
    with asyncio.Runner() as runner:
        assert runner.run(given_up()) == 0
    assert [record.message for record in caplog.records if record.levelno >= logging.WARNING] == []
