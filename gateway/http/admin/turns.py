"""`/admin/turns`: the last turns, answered and refused."""

import re
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, with_config
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from gateway.errors import NotFound
from gateway.http.admin.bodies import BODY, answered
from gateway.http.admin.feed import followed
from gateway.http.admin.operation import PARAMETERS, Nothing
from gateway.http.state import State
from gateway.settings.build import NAME
from gateway.types import Outcome, TurnRecord, WantedTurns


def _whole(text: Any) -> Any:
    """A number as it stands in a query; what is none stays text, which is refused."""
    return int(text) if isinstance(text, str) and re.fullmatch(r"[0-9]{1,9}", text) else text


@with_config(BODY)
@dataclass(frozen=True, slots=True)
class TurnsAsked:
    """Which turns: those for which everything holds that is said."""

    session: Annotated[str, Field(pattern=f"^({PARAMETERS['session'].pattern})?$", max_length=68)] = ""
    """Id of their session."""
    agent: Annotated[str, Field(pattern=f"^({NAME})?$", max_length=200)] = ""
    """Who was asked."""
    outcome: Outcome | Literal[""] = ""
    """How they ended."""
    request: Annotated[str, Field(pattern=r"^[A-Za-z0-9._:-]*$", max_length=64)] = ""
    """Id of a request: several turns have the same where their caller chose it so."""
    limit: Annotated[int, Field(ge=1, le=1000), BeforeValidator(_whole)] = 50
    """So many at most."""


@dataclass(frozen=True, slots=True)
class TurnsListed:
    """The last turns."""

    turns: list[TurnRecord]
    """Newest first."""
    whole: bool
    """They are those of all processes; false: the store is away, and they are those of the process that was asked."""


async def listed(request: Request[State], asked: TurnsAsked) -> Response | ASGIApp:
    """List the turns that are asked for, or feed them as they end."""
    state = request.state
    wanted = WantedTurns(asked.session, asked.agent, asked.outcome, asked.request, asked.limit)
    if "text/event-stream" in request.headers.get("accept", ""):
        told = state["administration"].told(wanted)
        await anext(told)
        return followed(told, state["draining"], state["settings"].server.write_timeout)
    found = await state["administration"].turns(wanted)
    return answered(TurnsListed(list(found.turns), found.whole))


async def shown(request: Request[State], _: Nothing) -> Response:
    """Show the last turn of a request's id."""
    id_ = request.path_params["request"]
    found = await request.state["administration"].turns(WantedTurns(request=id_, limit=1))
    if not found.turns:
        raise NotFound(f"There is no turn of request {id_!r}, or none any more.")
    return answered(found.turns[0])
