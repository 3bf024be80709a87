"""`/metrics`: what Prometheus scrapes, for administrators and for keys of scope `metrics`."""

from starlette.requests import Request
from starlette.responses import Response

from gateway.http.admin.bodies import HEADERS
from gateway.http.state import State


async def metrics(request: Request[State]) -> Response:
    """All metrics, of this process or of all workers. Written off the loop: that takes longer than a word may."""
    text, media_type = await request.state["metrics"](request.headers.get("accept", ""))
    return Response(text, headers={**HEADERS, "Content-Type": media_type})
