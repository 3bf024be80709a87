"""The composition root: opens what the settings name, binds functions to it, and returns the application."""

import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware

from gateway import administration, clients, observe
from gateway.chat.answer import Brain
from gateway.errors import Draining, GatewayError
from gateway.http.edge import Caught, Identified
from gateway.http.errors import on_gateway_error, on_http_exception
from gateway.http.state import State
from gateway.http.urls import routes
from gateway.retrieval import jobs
from gateway.settings import Reloaded, Settings
from gateway.types import Agent, Retrieve
from gateway.types.administration import Administration

EXPOSED = ("x-request-id", "x-gateway-sources", "x-gateway-target", "Server-Timing")


@dataclass(slots=True)
class Drain:
    """Whether the process is about to stop; whoever runs the server says so."""

    begun: bool = False
    failed: GatewayError | None = None
    """Why nothing could be opened."""
    opened: clients.Clients | None = None

    def begin(self) -> None:
        """Readiness turns 503, and new requests are refused."""
        self.begun = True

    def end_streams(self) -> None:
        """End what still runs: agents with their apology and a finish, routes with an error event."""
        if self.opened is not None:
            self.opened.end_streams(Draining("The gateway is shutting down."))


def create_app(
    settings: Settings,
    agents: Mapping[str, Agent],
    drain: Drain | None = None,
    *,
    retrieve: Retrieve | None = None,
    administered: Administration | None = None,
) -> Starlette:
    """Return the ASGI application. Nothing is opened before its lifespan begins.

    `retrieve` searches in place of the knowledge that the settings name,
    `administered` stands behind the admin API in place of what is opened.
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
        lifespan=_lifespan(settings, agents, drain, retrieve, administered),
    )


def _lifespan(
    settings: Settings,
    agents: Mapping[str, Agent],
    drain: Drain,
    retrieve: Retrieve | None,
    administered: Administration | None,
) -> Callable[[Starlette], AbstractAsyncContextManager[State]]:
    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[State]:
        async with AsyncExitStack() as stack:
            try:
                opened = await stack.enter_async_context(clients.opened(settings, agents))
            except GatewayError as error:
                drain.failed = error
                raise
            drain.opened = opened
            given = opened if retrieve is None else opened._replace(retrieve=retrieve)
            now = brain(settings, agents, given)
            ingests = await stack.enter_async_context(jobs.opened(settings, opened.knowledge.reload))

            async def reload() -> Reloaded:
                return Reloaded()

            yield State(
                settings=settings,
                brain=lambda: now,
                ended=observe.turn_ended,
                missing=opened.missing,
                draining=lambda: drain.begun,
                reload=reload,
                administration=administered or administration.bound(settings, opened.knowledge, ingests),
                started=int(time.time()),
            )

    return lifespan


def brain(settings: Settings, agents: Mapping[str, Agent], opened: clients.Clients) -> Brain:
    """Bind the adapters' functions to the core."""
    lone = next(iter(agents)) if len(agents) == 1 else ""
    return Brain(
        agents=agents,
        routes={name: route.on_failure for name, route in settings.routes.items()},
        default_agent=settings.default_agent or lone,
        default_route=settings.default_route,
        limits=settings.limits,
        retrieve=opened.retrieve,
        complete=opened.complete,
        today=lambda: datetime.now(UTC).astimezone().date(),
        clock=time.perf_counter,
    )
