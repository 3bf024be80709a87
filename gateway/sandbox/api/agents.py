"""Agents: `/agent`, `/agents` and the same under `/auto`. All is answered by Simli's other program."""

import time
import uuid
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from gateway.sandbox import calls
from gateway.sandbox.accounts import Accounts
from gateway.sandbox.api import keys, refusals
from gateway.sandbox.api.asking import Asked, Field, document, integer, noted
from gateway.sandbox.sessions import stamp

FIELDS = (
    Field("face_id", required=True),
    Field("name", required=True),
    Field("first_message", default=""),
    Field("prompt", default=""),
    Field("voice_provider", default="", choices=("elevenlabs", "cartesia", "")),
    Field("voice_id", default=""),
    Field("voice_model", default=""),
    Field("language", default="en"),
    Field("llm_provider", default="", choices=("openai", "google", "user", "")),
    Field("llm_model", default=""),
    Field("llm_endpoint", default=""),
    Field("emotion", default=""),
    Field("simli_version", default=""),
    Field("max_idle_time", integer, default=300),
    Field("max_session_length", integer, default=3600),
)
ASSIGNED = ("id", "owner_id", "created_at", "updated_at")
"""Simli's own: what a client writes there is ignored."""


def routes(accounts: Accounts) -> list[BaseRoute]:
    """Both families; `GET /agent` lists, too, for some clients ask there."""
    made: list[BaseRoute] = []

    async def create(request: Request) -> Response:
        keys.other_side(accounts, request)
        asked = await _asked(request, required=True)
        return JSONResponse(make(accounts, asked.values), 201)

    async def every(request: Request) -> Response:
        keys.other_side(accounts, request)
        return JSONResponse(list(accounts.agents.values()))

    async def read(request: Request) -> Response:
        keys.other_side(accounts, request)
        return JSONResponse(_found(accounts, request))

    async def update(request: Request) -> Response:
        keys.other_side(accounts, request)
        agent = _found(accounts, request)
        asked = await _asked(request, required=False)
        change(agent, {name: asked.values[name] for name in asked.given})
        return JSONResponse(agent)

    async def delete(request: Request) -> Response:
        keys.other_side(accounts, request)
        del accounts.agents[_found(accounts, request)["id"]]
        return Response(status_code=204)

    for base in ("", "/auto"):
        made += [
            Route(f"{base}/agent", create, methods=["POST"], name="agents.create"),
            Route(f"{base}/agent", every, methods=["GET"], name="agents.list"),
            Route(f"{base}/agents", every, methods=["GET"], name="agents.list"),
            Route(f"{base}/agent/{{id}}", read, methods=["GET"], name="agents.read"),
            Route(f"{base}/agent/{{id}}", update, methods=["PUT"], name="agents.update"),
            Route(f"{base}/agent/{{id}}", delete, methods=["DELETE"], name="agents.delete"),
        ]
    return made


def make(accounts: Accounts, values: Mapping[str, Any]) -> dict[str, Any]:
    """A new agent of the account."""
    now = stamp(time.time())
    own = {"id": str(uuid.uuid4()), "owner_id": accounts.owner, "created_at": now, "updated_at": now}
    agent = {**own, **values}
    accounts.agents[agent["id"]] = agent
    return agent


def change(agent: dict[str, Any], values: Mapping[str, Any]) -> None:
    """Write these fields."""
    agent.update(values)
    agent["updated_at"] = stamp(time.time())


def _found(accounts: Accounts, request: Request) -> dict[str, Any]:
    agent = accounts.agents.get(request.path_params["id"])
    if agent is None:
        raise refusals.error(404, "Agent not found", "AGENT_NOT_FOUND")
    return agent


async def _asked(request: Request, *, required: bool) -> Asked:
    """The body; this program has one sentence for what is wrong with it, and takes null for empty."""
    raw = await _object(request)
    call = calls.of(request.scope)
    call.assigned += [name for name in raw if name in ASSIGNED]
    asked = noted(request, {name: value for name, value in raw.items() if name not in ASSIGNED}, FIELDS)
    wrong = [one for one in asked.faults if required or one["type"] != "missing"]
    if wrong:
        name, words = wrong[0]["loc"][-1], wrong[0]["msg"]
        raise refusals.error(400, f"{name}: {words}", "INVALID_REQUEST")
    return asked


async def _object(request: Request) -> dict[str, Any]:
    try:
        return await document(request)
    except refusals.Refused:
        raise refusals.error(400, "The body is no JSON object", "INVALID_REQUEST") from None
