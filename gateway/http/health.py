"""`/livez`: the process is up. `/readyz`: it can answer now, and what it does without."""

import orjson
from starlette.requests import Request
from starlette.responses import Response

from gateway.http.state import State


async def livez(_: Request[State]) -> Response:
    """Always 200 while the process can answer at all."""
    return Response(b'{"status":"ok"}', media_type="application/json")


async def readyz(request: Request[State]) -> Response:
    """200 `ok` or `degraded` with what is missing; 503 `draining` from the moment that the process is to stop.

    There is no 503 while it starts: nothing listens before everything is open, so connections are refused. To a load
    balancer that is the same answer, and a caller that comes too early tries the next process at once.
    """
    if request.state["draining"]():
        return Response(b'{"status":"draining","missing":[]}', 503, media_type="application/json")
    missing = list(request.state["missing"]())
    body = {"status": "degraded" if missing else "ok", "missing": missing}
    return Response(orjson.dumps(body), media_type="application/json")
