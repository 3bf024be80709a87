"""The composition root: opens what the settings name, binds functions to it, and returns the application."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, contextmanager, suppress
from importlib.metadata import version
from typing import NamedTuple

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware

from gateway import administration, clients, fleet, observe
from gateway.drain import Drain
from gateway.errors import GatewayError, StoreUnavailable
from gateway.errors.redaction import Redact
from gateway.http.capability import Capabilities
from gateway.http.edge import Caught, Identified
from gateway.http.errors import on_gateway_error, on_http_exception
from gateway.http.limits import Load, WrongKeys
from gateway.http.state import Access, State
from gateway.http.urls import routes
from gateway.observe.exporting import exported
from gateway.observe.metrics import Known, Metrics
from gateway.observe.present import Reading
from gateway.observe.shared import Shared, shared
from gateway.reloading import Current, Found
from gateway.settings import Read, Settings
from gateway.store import Store
from gateway.types import Agent, Retrieve, Turn, Worker
from gateway.types.administration import Administration
from gateway.watching import Sources, followed

__all__ = ["Drain", "create_app"]

VERSION = version("simli-gateway")
SCRAPED = 0.5
"""Seconds that a scrape waits for the store."""
WRONG_KEY = "wrong key"
"""The signal of one."""
EXPOSED = ("x-request-id", "x-gateway-sources", "x-gateway-target", "Server-Timing")


def create_app(
    settings: Settings,
    agents: Mapping[str, Agent],
    drain: Drain | None = None,
    *,
    retrieve: Retrieve | None = None,
    access: Access | None = None,
    sources: Sources | None = None,
    administered: Administration | None = None,
    missing: Callable[[], Iterable[str]] = tuple,
    worker: Worker | None = None,
) -> Starlette:
    """Return the ASGI application. Nothing is opened before its lifespan begins.

    `retrieve` searches in place of the knowledge that the settings name; `access` says who may call, and how much, in
    place of the store. `sources` are followed: where their files change, or a reload is asked for, what they say is
    served. Without them a reload reads the agent files only. `administered` stands behind the admin API in place of
    what is opened. `missing` is what it does without beside what was opened here: a tunnel. `worker` is which of
    several processes this one is: its metrics are then those of all of them.
    """
    drain = drain or Drain()
    middleware = [Middleware(Identified), Middleware(Caught)]
    if settings.cors.origins:
        cors = Middleware(
            CORSMiddleware,
            allow_origins=settings.cors.origins,
            allow_methods=("GET", "POST"),
            allow_headers=("*",),
            expose_headers=EXPOSED,
        )
        middleware.insert(1, cors)
    return Starlette(
        routes=routes(),
        middleware=middleware,
        exception_handlers={GatewayError: on_gateway_error, HTTPException: on_http_exception},
        lifespan=_lifespan(settings, agents, drain, Given(retrieve, access, sources, administered, missing, worker)),
    )


class Given(NamedTuple):
    """What takes the place of what the settings name."""

    retrieve: Retrieve | None
    access: Access | None
    sources: Sources | None
    administered: Administration | None
    missing: Callable[[], Iterable[str]]
    """Nothing's place: said beside what is missing of those."""
    worker: Worker | None
    """Which of several processes this one is; None: the only one."""


def _lifespan(
    settings: Settings, agents: Mapping[str, Agent], drain: Drain, given: Given
) -> Callable[[Starlette], AbstractAsyncContextManager[State]]:
    load = Load(settings.limits)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[State]:
        async with AsyncExitStack() as stack:
            with _telling(drain):
                opened = await stack.enter_async_context(clients.opened(settings, agents, load.overloaded))
                place = await stack.enter_async_context(shared(given.worker))
            drain.streams = opened.end_streams
            await stack.enter_async_context(load.watched())
            if given.retrieve is not None:
                opened = opened._replace(retrieve=given.retrieve)
            current = Current(
                settings,
                agents,
                opened,
                drain.endable(opened.complete),
                _reader(settings, given.sources),
                drain.endable,
            )
            await current.warm()
            if given.sources is not None:
                await stack.enter_async_context(_beside(followed(settings, given.sources, current.reload)))
            metrics = _metrics(current, drain, load, given.missing, place)
            await stack.enter_async_context(_beside(metrics.noted()))
            traced = await stack.enter_async_context(exported(settings.otlp_endpoint, VERSION, current.redact))
            others = await stack.enter_async_context(fleet.opened(opened.store, current.reload, current.repoint))
            administered = await stack.enter_async_context(_administered(given, current, drain))
            yield State(
                settings=settings,
                brain=current.brain,
                ended=_recorder(opened.store, current.redact, metrics, traced),
                missing=lambda: [*opened.missing(), *given.missing()],
                draining=lambda: drain.begun,
                reload=others.reload,
                administration=administered,
                metrics=_scraped(metrics, opened.store),
                started=int(time.time()),
                access=given.access or _access(opened.store, current),
                load=load,
                wrong_keys=_wrong_keys(settings, opened.store),
                redact=current.redact,
            )

    return lifespan


@asynccontextmanager
async def _administered(given: Given, current: Current, drain: Drain) -> AsyncIterator[Administration]:
    """What is behind the admin API."""
    if given.administered is not None:
        yield given.administered
        return
    elsewhere = fleet.elsewhere(current.opened.store, lambda: drain.begun)
    async with administration.opened(current, elsewhere) as opened:
        yield opened


@contextmanager
def _telling(drain: Drain) -> Iterator[None]:
    """Whoever runs the server is to know why nothing could be opened."""
    try:
        yield
    except GatewayError as error:
        drain.failed = error
        raise


def _metrics(
    current: Current, drain: Drain, load: Load, missing: Callable[[], Iterable[str]], place: Shared | None
) -> Metrics:
    """The metrics of this process, or of all workers: what is configured now may stand in a label."""
    opened = current.opened

    def reading() -> Reading:
        return Reading(
            streams=load.turns,
            lag=load.lag,
            draining=drain.begun,
            missing=[*opened.missing(), *missing()],
            breakers=opened.breakers(),
            knowledge={name: opened.knowledge.served(name)[0] for name in clients.languages(current.agents)},
        )

    known = Known(lambda: current.agents, lambda: current.settings.routes, opened.targets)
    return Metrics(known, reading, VERSION, place)


def _scraped(metrics: Metrics, store: Store) -> Callable[[str], Awaitable[tuple[bytes, str]]]:
    """What a scraper gets: it waits for the store a moment at most, and does without what that would have said."""

    async def scraped(accept: str) -> tuple[bytes, str]:
        sessions: int | None = None
        with suppress(StoreUnavailable, TimeoutError):
            async with asyncio.timeout(SCRAPED):
                sessions = await store.sessions.taken()
        return await asyncio.to_thread(metrics.exposed, accept, sessions)

    return scraped


def _recorder(store: Store, redact: Redact, metrics: Metrics, traced: Callable[[Turn], None]) -> Callable[[Turn], None]:
    """What becomes of a turn's record: it is counted; a line in the log; spans of its trace, where somebody collects
    them; in the store one of the recent turns, and a session's words, which neither log nor trace has."""

    def ended(turn: Turn) -> None:
        metrics.turned(turn)
        observe.turn_ended(turn)
        traced(turn)
        store.turns.turned(turn, redact)
        if turn.outcome != "refused" or turn.said is not None:  # who is refused at the door holds no session open
            store.sessions.turned(turn)

    return ended


def _wrong_keys(settings: Settings, store: Store) -> WrongKeys:
    """Those of every process count: each tells the others."""
    counted = WrongKeys(settings.limits.wrong_keys, lambda address: store.publish(WRONG_KEY, {"address": address}))
    store.subscribe(WRONG_KEY, lambda told: counted.heard(str(told["address"])), own=False)
    return counted


def _access(store: Store, current: Current) -> Access:
    """Who may call, as the store knows it; capabilities are those of the agents that are served now."""
    made = Capabilities(store.secret, lambda: current.agents, store.generations.current, current.settings.simli.id)
    return Access(store.keys.recognise, store.admit, made.agent_of)


def _reader(settings: Settings, sources: Sources | None) -> Callable[[], Found]:
    """What a reload reads: all that the sources say; without them, the agent files."""

    def read() -> Found:
        now, faults = sources.read() if sources else Read(settings)
        agents = clients.checked(now, faults)
        assert now is not None  # or there would have been faults
        return now, agents

    return read


@asynccontextmanager
async def _beside(running: Coroutine[None, None, None]) -> AsyncIterator[None]:
    """Run it beside what is served; it ends first."""
    task = asyncio.create_task(running)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
