"""The sandbox's application: every path of Simli's that a client is known to use, in both generations."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from gateway.audio.voice import voice
from gateway.sandbox import stun
from gateway.sandbox.accounts import Accounts
from gateway.sandbox.api import agents, auto, compose, edge, faces, refusals, videos
from gateway.sandbox.faces import Faces
from gateway.sandbox.films.studio import Studio
from gateway.sandbox.options import Options
from gateway.sandbox.page import control, dashboard, pages
from gateway.sandbox.room import routes as room
from gateway.sandbox.signalling import routes as signalling
from gateway.sandbox.signalling.patience import Patience
from gateway.sandbox.signalling.rest import Rest
from gateway.sandbox.talk.senses import Senses, senses
from gateway.sandbox.talk.talks import Talks

LARGEST = 32 * 1024 * 1024
"""Bytes of a body: an image, or audio as Base64."""


def create_app(options: Options, hears: Senses | None = None) -> ASGIApp:
    """Return the application. It keeps all its state, so one application is one sandbox.

    `hears`: what rooms hear with, where it is not what is installed; the application closes it.
    """
    accounts = Accounts(options)
    speaker = voice(options.voice)
    hears = hears or senses()
    talks = Talks(accounts, speaker, hears)
    rest = Rest(accounts, Patience())
    studio = Studio(options.directory)
    made = Faces()

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with stun.responding(options.host) as accounts.stun_port:
            yield
            await talks.close()
            await rest.close()
            await asyncio.gather(studio.close(), asyncio.to_thread(speaker.close), asyncio.to_thread(hears.ears.close))

    app = Starlette(
        routes=[
            Route("/ping", ping, name="ping"),
            *agents.routes(accounts),
            *auto.routes(accounts, talks),
            *compose.routes(accounts),
            *signalling.routes(accounts, rest),
            *faces.routes(accounts, made),
            *videos.routes(accounts, studio, speaker),
            *room.routes(talks),
            *control.routes(accounts, talks, made),
            *dashboard.routes(accounts),
            *pages.routes(),
        ],
        exception_handlers={refusals.Refused: refusals.refused, HTTPException: refusals.unserved},
        lifespan=lifespan,
        max_body_size=LARGEST,
    )
    return edge.guarded(app, accounts)


async def ping(_: Request) -> JSONResponse:
    """Say that it is there."""
    return JSONResponse({"message": "pong"})
