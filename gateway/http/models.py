"""`GET /v1/models`: agents and routes, in OpenAI's shape. SDKs ask it to warm a connection up."""

from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from gateway.errors import ModelNotFound
from gateway.http.auth import chatting
from gateway.http.state import State


def _models(request: Request[State]) -> dict[str, dict[str, Any]]:
    """What there is for this caller, by name. Raises ModelNotFound where the path names an agent that is none."""
    state = request.state
    brain = chatting(request).sees(state["brain"]())
    agent = request.path_params.get("agent")
    if agent is not None and agent not in brain.agents:
        raise ModelNotFound(f"There is no agent {agent[:80]!r}.")
    owners = dict.fromkeys(brain.routes, "route") | dict.fromkeys(brain.agents, "agent")
    return {
        name: {"id": name, "object": "model", "created": state["started"], "owned_by": owner}
        for name, owner in sorted(owners.items(), key=lambda item: (item[1], item[0]))
    }


async def models(request: Request[State]) -> Response:
    """List everything that a request's `model` can name, but for the models behind a route; by a key, what it opens."""
    listed = {"object": "list", "data": list(_models(request).values())}
    return Response(orjson.dumps(listed), media_type="application/json")


async def model(request: Request[State]) -> Response:
    """Return one of them; `ROUTE/NAME` exists where the route does."""
    asked = request.path_params["model"]
    listed = _models(request)
    route, slash, name = asked.partition("/")
    of_route = slash and name and listed.get(route, {}).get("owned_by") == "route"
    if asked not in listed and not of_route:
        raise ModelNotFound(f"There is no model {asked!r}. GET /v1/models lists all that answers.", param="model")
    found = listed.get(asked) or {**listed[route], "id": asked}
    return Response(orjson.dumps(found), media_type="application/json")
