"""`/admin/sessions`: started, shown, ended, and what was said in them."""

import logging
import time
from dataclasses import dataclass, field
from typing import Annotated

from pydantic import Field, with_config
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from gateway.http.admin.bodies import BODY, HEADERS, answered
from gateway.http.admin.operation import Nothing
from gateway.http.state import State
from gateway.settings.build import NAME
from gateway.types.orchestration import Flow, Launched, Session, SessionState

logger = logging.getLogger("gateway.admin")

Name = Annotated[str, Field(pattern=f"^({NAME})$", max_length=200, examples=["nora"])]
Origin = Annotated[str, Field(pattern=r"^https?://[^\s/?#@]+$", max_length=300, examples=["https://www.example.org"])]


@with_config(BODY)
@dataclass(frozen=True, slots=True)
class SessionAsked:
    """A session to be started now: Simli bills it from then on."""

    agent: Name
    by_agent: bool = False
    """By its agent at Simli, as `apply` left it; else with all its fields."""


@with_config(BODY)
@dataclass(frozen=True, slots=True)
class LinkAsked:
    """A link with which a browser may start one."""

    agent: Name
    origins: Annotated[list[Origin], Field(max_length=50)] = field(default_factory=list)
    """Of the pages that may: `https://www.example.org`. Empty: those of the agent's file."""


@dataclass(frozen=True, slots=True)
class SessionShown:
    """One conversation of one person with one agent."""

    id: str
    agent: str
    flow: Flow
    state: SessionState
    """`expired`: its key opens nothing any more, and Simli has ended it by itself."""
    key: str
    """Id of the key that Simli was given for it; the key itself is shown to nobody."""
    started: float
    """Seconds since the epoch, like the next two."""
    expires: float
    ended: float | None
    simli_id: str
    """Simli's id of the session; empty where it named none."""
    simli_agent: str
    """Simli's id of the agent, where the session is one of its agents'."""
    room_url: str
    transcript: bool
    """Simli was asked to write down what is said."""
    idle: int
    """Seconds of silence after which Simli ends it."""
    unsure: bool
    """Nobody knows whether Simli has started it: its answer did not come."""
    note: str
    """What became of it, where that is not the usual: why it was not started."""


@dataclass(frozen=True, slots=True)
class SessionsListed:
    """Sessions, those that have ended too, for as long as they are kept."""

    sessions: list[SessionShown]
    """Newest first."""


@dataclass(frozen=True, slots=True)
class SessionLaunched:
    """All that a browser needs, and no key."""

    session: SessionShown
    room_url: str
    """Where a person joins; empty for a link."""
    token: str
    """Of a link: starts it, from the allowed origins only. A secret of the person's."""
    start_url: str
    """Of a link: the address that the browser asks; that starts a session, and bills it."""
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SessionClosed:
    """A session whose key opens nothing any more."""

    session: SessionShown
    billed_until: float
    """Seconds since the epoch: Simli has no call that ends a session, so until its own limits it may bill."""
    says: str


def _shown(one: Session) -> SessionShown:
    return SessionShown(
        one.id, one.agent, one.flow, one.state(time.time()), one.key, one.started, one.expires, one.ended,
        one.simli_id, one.simli_agent, one.room_url, one.transcript, one.idle, one.unsure, one.note,
    )  # fmt: skip


def _launched(done: Launched) -> Response:
    shown = _shown(done.session)
    return answered(SessionLaunched(shown, done.room_url, done.token, done.start_url, done.warnings), 201)


async def started(request: Request[State], asked: SessionAsked) -> Response:
    """Start one, after a real turn went through the public URL."""
    done = await request.state["administration"].desk.sessions.start(asked.agent, asked.by_agent)
    logger.info("request %s: session %s of agent %s", request.state["request_id"], done.session.id, asked.agent)
    return _launched(done)


async def linked(request: Request[State], asked: LinkAsked) -> Response:
    """Make a link; nothing is started yet."""
    done = await request.state["administration"].desk.sessions.link(asked.agent, asked.origins)
    logger.info("request %s: session %s of agent %s, a link", request.state["request_id"], done.session.id, asked.agent)
    return _launched(done)


async def listed(request: Request[State], _: Nothing) -> Response:
    """List the sessions."""
    found = await request.state["administration"].desk.sessions.listed()
    return answered(SessionsListed([_shown(one) for one in found]))


async def shown(request: Request[State], _: Nothing) -> Response:
    """Show one."""
    return answered(_shown(await request.state["administration"].desk.sessions.shown(request.path_params["session"])))


async def ended(request: Request[State], _: Nothing) -> Response:
    """Revoke its key. Asked again it says the same."""
    done = await request.state["administration"].desk.sessions.end(request.path_params["session"])
    logger.info("request %s: session %s is ended", request.state["request_id"], done.session.id)
    return answered(SessionClosed(_shown(done.session), done.billed_until, done.says))


async def transcript(request: Request[State], _: Nothing) -> Response:
    """What was said: JSON, or text for people."""
    found = await request.state["administration"].desk.sessions.transcript(request.path_params["session"])
    if "text/plain" in request.headers.get("accept", ""):
        return PlainTextResponse(found.text, headers=HEADERS)
    return answered(found)
