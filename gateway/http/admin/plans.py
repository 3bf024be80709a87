"""`/admin/agents` at Simli: what is to be done, done; whose an agent is."""

import logging
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field, with_config
from starlette.requests import Request
from starlette.responses import Response

from gateway.errors import SimliError
from gateway.http.admin.bodies import BODY, answered
from gateway.http.admin.operation import Nothing
from gateway.http.state import State
from gateway.settings.build import NAME

_KINDS = {kind.code: kind for kind in SimliError.__subclasses__()}
logger = logging.getLogger("gateway.admin")


@with_config(BODY)
@dataclass(frozen=True, slots=True)
class PlanAsked:
    """Which changes are meant."""

    prune: bool = False
    """Delete those of ours that no file describes, too."""


@with_config(BODY)
@dataclass(frozen=True, slots=True)
class AdoptionAsked:
    """Which agent of Simli's to take over."""

    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=200)]
    """Simli's id, as its dashboard shows it."""
    name: Annotated[str, Field(pattern=f"^({NAME})?$", max_length=60)] = ""
    """Of the agent file; empty: one is made of its name at Simli."""


async def planned(request: Request[State], asked: PlanAsked) -> Response:
    """Compare the agent files with Simli's agents. With `faults`, nothing would be applied."""
    return answered(await request.state["administration"].desk.agents.plan(asked.prune))


async def applied(request: Request[State], asked: PlanAsked) -> Response:
    """Make Simli's agents what the files say. Asked again it does what is left."""
    done = await request.state["administration"].desk.agents.apply(asked.prune)
    for change in done.changes:
        logger.info("request %s: %s of agent %s at Simli", request.state["request_id"], change.action, change.agent)
    if done.error:
        count = len(done.changes)
        raise _KINDS.get(done.code, SimliError)(
            f"{done.error} {count} change{'' if count == 1 else 's'} made, {done.left} left: apply again to go on."
        )
    return answered(done)


async def adopted(request: Request[State], asked: AdoptionAsked) -> Response:
    """Write a file from an agent that was made at Simli, and take it over."""
    done = await request.state["administration"].desk.agents.adopt(asked.id, asked.name)
    logger.info("request %s: agent %s is adopted from Simli", request.state["request_id"], done.agent)
    return answered(done, 201)


async def deleted(request: Request[State], _: Nothing) -> Response:
    """Delete an agent of ours at Simli; its file stays."""
    done = await request.state["administration"].desk.agents.delete(request.path_params["agent"])
    logger.info("request %s: agent %s is deleted at Simli", request.state["request_id"], done.agent)
    return answered(done)
