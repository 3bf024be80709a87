"""`/sandbox/agents`: agents made, changed and deleted by hand, as people do in Simli's dashboard. No key is asked."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from gateway.sandbox import calls
from gateway.sandbox.accounts import Accounts
from gateway.sandbox.api import agents
from gateway.sandbox.api.asking import against, document
from gateway.sandbox.api.refusals import detail


def routes(accounts: Accounts) -> list[BaseRoute]:
    """What the page does to agents."""

    async def create(request: Request) -> Response:
        agent = agents.make(accounts, _values(await document(request), required=True))
        return JSONResponse(calls.hidden(agent), 201)

    async def update(request: Request) -> Response:
        agent = _found(accounts, request)
        agents.change(agent, _values(await document(request), required=False))
        return JSONResponse(calls.hidden(agent))

    async def delete(request: Request) -> Response:
        del accounts.agents[_found(accounts, request)["id"]]
        return Response(status_code=204)

    return [
        Route("/sandbox/agents", create, methods=["POST"]),
        Route("/sandbox/agents/{id}", update, methods=["PUT"]),
        Route("/sandbox/agents/{id}", delete, methods=["DELETE"]),
    ]


def _found(accounts: Accounts, request: Request) -> dict[str, Any]:
    agent = accounts.agents.get(request.path_params["id"])
    if agent is None:
        raise detail(404, "There is no such agent")
    return agent


def _values(raw: dict[str, Any], *, required: bool) -> dict[str, Any]:
    asked = against(raw, agents.FIELDS)
    for fault in asked.faults:
        if required or fault["type"] != "missing":
            raise detail(422, f"{fault['loc'][-1]}: {fault['msg']}")
    if asked.unknown:
        raise detail(422, f"{asked.unknown[0]}: agents have no such field")
    return asked.values if required else {name: asked.values[name] for name in asked.given}
