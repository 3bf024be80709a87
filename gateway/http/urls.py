"""The map of the service. `edge.canonical` maps every tolerated spelling of a chat path to one of these."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp

from gateway.http.admin.operations import OPERATIONS
from gateway.http.admin.routing import routes as administrated
from gateway.http.auth import Endpoint, admin
from gateway.http.chat import chat_completions
from gateway.http.health import livez, readyz
from gateway.http.metrics import metrics
from gateway.http.models import model, models
from gateway.http.openapi import openapi


def served(method: str, path: str, endpoint: Endpoint) -> BaseRoute:
    """A route that answers `OPTIONS` too: 204 and what is allowed. Starlette adds HEAD to GET."""
    allowed = {"GET": "GET, HEAD, OPTIONS"}.get(method, f"{method}, OPTIONS")

    async def answered(request: Request[Any]) -> Response | ASGIApp:
        if request.method == "OPTIONS":
            return Response(status_code=204, headers={"Allow": allowed})
        return await endpoint(request)

    return Route(path, answered, methods=[method, "OPTIONS"], name=endpoint.__name__)


def routes() -> list[BaseRoute]:
    """Every path there is."""
    return [
        served("POST", "/chat/completions", chat_completions),
        served("POST", "/agents/{agent}/chat/completions", chat_completions),
        *(
            served("GET", prefix + path, endpoint)
            for prefix in ("", "/v1", "/agents/{agent}", "/agents/{agent}/v1")
            for path, endpoint in (("/models", models), ("/models/{model:path}", model))
        ),
        served("GET", "/livez", livez),
        served("GET", "/readyz", readyz),
        served("GET", "/metrics", admin(metrics, opens=frozenset({"admin", "metrics"}))),
        served("GET", "/openapi.json", admin(openapi)),
        *administrated(OPERATIONS, admin),
    ]
