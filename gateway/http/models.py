"""`GET /v1/models`: agents and routes, in OpenAI's shape. SDKs ask it to warm a connection up."""

from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from gateway.chat.answer import Brain
from gateway.errors import ModelNotFound
from gateway.http.auth import chatting
from gateway.http.state import State


def _models(state: State, brain: Brain) -> dict[str, dict[str, Any]]:
    owners = dict.fromkeys(brain.routes, "route") | dict.fromkeys(brain.agents, "agent")
    return {
        name: {"id": name, "object": "model", "created": state["started"], "owned_by": owner}
        for name, owner in sorted(owners.items(), key=lambda item: (item[1], item[0]))
    }


async def models(request: Request[State]) -> Response:
    """List everything that a request's `model` can name, but for the models behind a route; by a key, what it opens."""
    state = request.state
    listed = {"object": "list", "data": list(_models(state, chatting(request).sees(state["brain"]())).values())}
    return Response(orjson.dumps(listed), media_type="application/json")


async def model(request: Request[State]) -> Response:
    """Return one of them; `ROUTE/NAME` exists where the route does."""
    asked = request.path_params["model"]
    brain = chatting(request).sees(request.state["brain"]())
    listed = _models(request.state, brain)
    route, slash, name = asked.partition("/")
    if asked not in listed and not (slash and name and route in brain.routes):
        raise ModelNotFound(f"There is no model {asked!r}. GET /v1/models lists all that answers.", param="model")
    found = listed.get(asked) or {**listed[route], "id": asked}
    return Response(orjson.dumps(found), media_type="application/json")
