"""Bodies of the admin API: JSON into a frozen dataclass, or an error that names what is wrong; and answers."""

from collections.abc import Sequence
from dataclasses import fields, replace
from functools import cache
from typing import Any

import orjson
from pydantic import ConfigDict, TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.responses import Response

from gateway.chat.request import json_object
from gateway.errors import InvalidType, InvalidValue, MissingParameter, RequestError, UnsupportedMediaType
from gateway.http.hangup import body
from gateway.http.state import State

BODY = ConfigDict(extra="forbid", strict=True, use_attribute_docstrings=True)
"""Of every dataclass that is read: no field is ignored, none is guessed from another type."""
HEADERS = {"Cache-Control": "no-store"}
UPLOAD_BYTES = 10 * 1024 * 1024
"""Of an image, or of the audio of a video."""
UPLOAD_SECONDS = 60.0
"""It must have arrived after so long: a phone's line takes that for an image."""


@cache
def _adapter(takes: type) -> TypeAdapter[Any]:
    return TypeAdapter(takes)


async def received(request: Request[State], takes: type) -> Any:
    """What the body says, as a `takes`. An empty one is an empty object. Raises RequestError."""
    content = await body(request, request.state["settings"].limits)
    if not content.strip():
        return parsed(b"{}", takes)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise UnsupportedMediaType("The body must be JSON, with Content-Type: application/json.")
    return parsed(content, takes)


async def uploaded(request: Request[State], takes: type, kinds: Sequence[str]) -> tuple[bytes, Any]:
    """A body that is an image or audio, and what the query says, as a `takes`. Raises RequestError."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in kinds:
        raise UnsupportedMediaType(f"The body must be sent as it is, with Content-Type: {' or '.join(kinds)}.")
    asked = queried(request, takes)
    limits = request.state["settings"].limits
    content = await body(request, replace(limits, body_bytes=UPLOAD_BYTES, body_timeout=UPLOAD_SECONDS))
    if not content:
        raise MissingParameter("The body is empty.")
    return content, asked


def queried(request: Request[State], takes: type) -> Any:
    """What the query says, as a `takes`. Raises RequestError."""
    given = request.query_params.multi_items()
    if len(dict(given)) != len(given):
        raise InvalidValue("A parameter stands in the query more than once.")
    return parsed(orjson.dumps(dict(given)), takes)


def parsed(content: bytes, takes: type) -> Any:
    """The dataclass in a body. Raises RequestError with every fault in its message, the first as its `param`."""
    given = json_object(content)
    try:
        return _adapter(takes).validate_json(orjson.dumps(_whole(given)))
    except ValidationError as error:
        raise _refusal(error, takes) from error


def _whole(value: Any) -> Any:
    """With `3.0` as 3, which are one number in JSON (and to JSON Schema): a strict reader tells them apart."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    if isinstance(value, dict):
        return {name: _whole(inner) for name, inner in value.items()}
    return [_whole(inner) for inner in value] if isinstance(value, list) else value


def _refusal(error: ValidationError, takes: type) -> RequestError:
    found = [(_param(each["loc"]), each["type"], each["msg"]) for each in error.errors(include_url=False)]
    known = ", ".join(f"`{each.name}`" for each in fields(takes)) or "none"
    said = []
    for param, kind, message in found:
        if kind == "missing":
            said.append(f"`{param}` is missing")
        elif kind == "unexpected_keyword_argument":
            said.append(f"`{param}` is no field here; there are: {known}")
        else:
            said.append(f"`{param}`: {message[0].lower()}{message[1:]}")
    param, kind, _ = found[0]
    return _kind(kind)(f"{'; '.join(said)}."[:2000], param=param[:200])


def _kind(kind: str) -> type[RequestError]:
    if kind == "missing":
        return MissingParameter
    return InvalidType if kind.endswith(("_type", "_from_float")) else InvalidValue


def _param(place: tuple[int | str, ...]) -> str:
    """`rate.requests`, `names[0]`."""
    text = ""
    for part in place:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def answered(value: Any, status: int = 200) -> Response:
    """A dataclass as JSON; nothing of it is kept by whoever passes it on."""
    return Response(orjson.dumps(value), status, HEADERS, "application/json")
