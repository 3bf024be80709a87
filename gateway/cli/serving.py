"""One process that serves, alone or as one of several: uvicorn, from the start of the application to its end."""

import asyncio
import faulthandler
import gc
import logging
import os
import signal
import socket
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import uvicorn

from gateway import checks, public
from gateway.app import create_app
from gateway.cli import tunnelling
from gateway.cli.announcing import announce, reached
from gateway.cli.asked import Asked, by_signals, by_supervisor
from gateway.cli.ending import Uvicorn, drained
from gateway.drain import Drain
from gateway.http.protocol import Wire
from gateway.settings import Settings
from gateway.tunnel import MISSING, Looking, Tunnel
from gateway.types import Agent, Worker
from gateway.watching import Sources
from gateway.workers import Handed, words

logger = logging.getLogger("gateway")

BACKLOG = 2048
"""Connections that may wait to be accepted."""
ACCEPTED, SHARED = 8, 2
"""Connections that one process accepts in one turn of its event loop, alone and as a worker. libuv accepts one for each
socket that it listens on, and the loop of a full core turns some tens of times a second: callers with new connections
(whoever has hung up makes one) waited in the queue for seconds, which no clock of ours saw. Workers take few at a time,
since what one takes the others do not have."""
POLL = 0.05
"""Seconds between two looks whether uvicorn has started: it has no other sign of it."""


def alone(settings: Settings, agents: Mapping[str, Agent], sources: Sources, sockets: Sequence[socket.socket]) -> int:
    """Serve until SIGTERM or Ctrl-C; the exit status. The tunnel is this process's own."""
    way = tunnelling.made(settings)
    server = made(settings, agents, sources, way.missing)

    async def serve() -> int:
        asked = Asked(sources.asked)
        by_signals(asked)

        def up() -> None:
            announce(reached(sockets[0]), settings, agents)

        taking, remarks = accepting(sockets, ACCEPTED), partial(remarked, settings, agents)
        return await served(server, taking, settings, asked, up, way=way, remarks=remarks)

    return _run(server, serve())


def worker(settings: Settings, agents: Mapping[str, Agent], sources: Sources, handed: Handed) -> int:
    """Serve until the supervisor says that it is enough, or is gone; the exit status. It opens no tunnel."""
    faulthandler.enable()  # a supervisor that kills this worker asks it by SIGABRT where it stands
    for descriptor in (*handed.sockets, handed.link, *handed.kept):
        os.set_inheritable(descriptor, False)
    sockets = accepting([socket.socket(fileno=descriptor) for descriptor in handed.sockets], SHARED)
    way = Looking("" if settings.tunnel else settings.public_url)

    def missing() -> Iterable[str]:
        return [MISSING] if settings.tunnel and not public.tunnelled(settings.var) else way.missing()

    server = made(settings, agents, sources, missing, handed.worker)

    async def serve() -> int:
        asked = Asked(sources.asked)
        with by_supervisor(asked, handed) as link:
            remarks = partial(remarked, settings, agents) if handed.first else None
            return await served(
                server, sockets, settings, asked, lambda: link.say(words.READY), way=way, remarks=remarks
            )

    return _run(server, serve())


def made(
    settings: Settings,
    agents: Mapping[str, Agent],
    sources: Sources,
    missing: Callable[[], Iterable[str]],
    worker: Worker | None = None,
) -> Uvicorn:
    """The server and its application. uvicorn's own log lines are off."""
    drain = Drain()
    config = uvicorn.Config(
        create_app(settings, agents, drain, sources=sources, missing=missing, worker=worker),
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="on",
        ws="none",
        http=Wire,
        proxy_headers=False,  # http/auth.py knows whom to trust
        loop="auto",
        backlog=BACKLOG,
        timeout_keep_alive=75,  # above the 60 s that load balancers keep a connection
    )
    return Uvicorn(config, drain)


def _run(server: Uvicorn, serving: Coroutine[Any, Any, int]) -> int:
    with asyncio.Runner(loop_factory=server.config.get_loop_factory()) as runner:
        return runner.run(serving)


async def served(
    server: Uvicorn,
    sockets: Sequence[socket.socket],
    settings: Settings,
    asked: Asked,
    up: Callable[[], None],
    *,
    way: Tunnel | Looking,
    remarks: Callable[[], Coroutine[Any, Any, None]] | None,
) -> int:
    """Run uvicorn until it is asked to end, or its tunnel cannot be opened, and then to its end.

    `up` is called when it serves; `remarks` run beside it from then on.
    """
    # A start that failed for a reason of ours is told by __main__, in a sentence, and one that is given up is no
    # failure: no stack of uvicorn's for either.
    logging.getLogger("uvicorn.error").addFilter(
        lambda _: server.started or not (server.drain.failed or asked.end.is_set())
    )
    serving = asyncio.create_task(_serve(server, sockets))
    while not serving.done() and not server.started and not asked.end.is_set():
        await asyncio.wait({serving}, timeout=POLL)
    if server.started:
        settle()
        up()
        beside = [asyncio.create_task(remarks())] if remarks else []
        wishes = [asyncio.create_task(each.wait()) for each in (asked.end, asked.retire)]
        # What runs comes through the tunnel to its end: it is left last.
        async with tunnelling.opened(way, settings, sockets[0].getsockname()[1]) as failed:
            ends: set[asyncio.Future[Any]] = {serving, failed, *wishes}
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            for each in (*wishes, *beside):
                each.cancel()
            if failed.done():
                asked.ended(signal.SIGINT)
            await drained(server, serving, asked, settings.server)
    elif not serving.done():
        serving.cancel()  # still opening: there is nothing to drain
        await asyncio.wait({serving})
    if server.drain.failed:
        raise server.drain.failed
    return 0 if serving.cancelled() else serving.result()


def accepting(sockets: Sequence[socket.socket], count: int) -> list[socket.socket]:
    """These, each `count` times in all. Whoever closes what is returned has closed what was given.

    None of them blocks, not for a moment: that is a property of the listener, which other workers accept on just now.
    Where it blocks, one that came too late for a caller stands still until the next one comes.
    """
    for each in sockets:
        each.setblocking(False)  # or its duplicates would set it to what this one is said to be, and that is blocking
    return [one for each in sockets for one in (each, *(each.dup() for _ in range(count - 1)))]


async def _serve(server: uvicorn.Server, sockets: Sequence[socket.socket]) -> int:
    """uvicorn leaves a failed start by SystemExit, which a task throws at the loop itself."""
    try:
        await server.serve(sockets=list(sockets))
    except SystemExit as error:
        return int(error.code or 0)
    return 0


async def remarked(settings: Settings, agents: Mapping[str, Agent]) -> None:
    """Log what is not as it should be and kept nothing from starting, with what to do. `gateway check` shows all."""
    for one in await checks.remarks(settings, agents):
        logger.warning("%s: %s; %s", one.what, one.says, one.remedy)


def settle() -> None:
    """Take what was loaded out of the garbage collector's sight, and let it look less often.

    A turn makes hundreds of small objects and hardly a cycle: at its defaults the collector walks the whole of the
    loaded libraries several times a second, which was 6 % of a busy gateway's time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
