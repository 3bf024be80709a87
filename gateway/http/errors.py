"""One renderer for every error: OpenAI's envelope, the request's id, and what a client needs to behave well."""

import math
from http import HTTPStatus
from typing import Any

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from gateway.errors import GatewayError, MethodNotAllowed, NotFound, RequestError
from gateway.errors.redaction import Redact, enveloped, redacted

_BY_STATUS: dict[int, type[RequestError]] = {404: NotFound, 405: MethodNotAllowed}


def rendered(
    error: GatewayError, request_id: str, headers: dict[str, str] | None = None, redact: Redact = redacted
) -> Response:
    """The error as a response. The id stands in the message too: people copy the message, not the headers."""
    envelope = enveloped(error, redact)
    envelope["error"]["message"] += f" (request {request_id})"
    headers = {**error.headers, **(headers or {})}
    if error.retry_after is not None:
        headers["Retry-After"] = str(math.ceil(error.retry_after))  # whole seconds: RFC 9110, 10.2.3
        headers["retry-after-ms"] = f"{error.retry_after * 1000:.0f}"
    return Response(orjson.dumps(envelope), error.status, headers, "application/json")


async def on_gateway_error(request: Request, error: Exception) -> Response:
    """A GatewayError that an endpoint raised."""
    assert isinstance(error, GatewayError)
    return rendered(error, request.state.request_id, redact=request.state.redact)


async def on_http_exception(request: Request, error: Exception) -> Response:
    """What Starlette's router raises: an unknown path, a wrong method."""
    assert isinstance(error, HTTPException)
    kind = _BY_STATUS.get(error.status_code, RequestError)
    ours = kind(f"{HTTPStatus(error.status_code).phrase}: {request.method} {request.url.path}.")
    ours.status = error.status_code
    headers: dict[str, Any] = dict(error.headers or {})
    return rendered(ours, request.state.request_id, headers)
