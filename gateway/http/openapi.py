"""`/openapi.json`: what the gateway serves, in OpenAPI 3.1, generated from what serves it.

The admin API's part is made from `admin/operations.py`, bodies from their dataclasses, errors from the tree in
`gateway/errors`: https://spec.openapis.org/oas/v3.1.1
"""

import asyncio
import re
from collections.abc import Iterator
from functools import cache
from importlib.metadata import version
from typing import Any

import orjson
from pydantic import TypeAdapter
from starlette.requests import Request
from starlette.responses import Response

from gateway.errors import (
    AuthenticationError,
    Draining,
    Fault,
    GatewayError,
    InsufficientScope,
    InvalidJSON,
    InvalidName,
    InvalidType,
    InvalidValue,
    MissingParameter,
    RateLimited,
    RequestTimeout,
    TooLarge,
    UnsupportedMediaType,
)
from gateway.http import described
from gateway.http.admin.bodies import BODY, HEADERS
from gateway.http.admin.operation import PARAMETERS, Nothing, Operation
from gateway.http.admin.operations import OPERATIONS
from gateway.http.state import State

Schema = dict[str, Any]
ERRORS = "gateway.errors."
REFERENCE = "#/components/schemas/{model}"
KEYS: tuple[dict[str, list[str]], ...] = ({"bearer": []}, {"x-api-key": []}, {"api-key": []})
ALWAYS: tuple[type[GatewayError], ...] = (AuthenticationError, InsufficientScope, RateLimited)
WITH_BODY: tuple[type[GatewayError], ...] = (
    InvalidJSON,
    InvalidValue,
    MissingParameter,
    RequestTimeout,
    TooLarge,
    UnsupportedMediaType,
)


async def openapi(_: Request[State]) -> Response:
    """The description. It is made once, off the loop: describing takes longer than a word may."""
    return Response(await asyncio.to_thread(_text), headers=HEADERS, media_type="application/json")


@cache
def _text() -> bytes:
    return orjson.dumps(document())


def document() -> Schema:
    """The whole description."""
    types = [each.gives for each in OPERATIONS]
    types += [each.takes for each in OPERATIONS if each.takes is not Nothing and not each.queried]
    every: Any = tuple[*dict.fromkeys([*types, Fault])]  # type: ignore[misc]  # a type made of data
    made: TypeAdapter[Any] = TypeAdapter(every, config=BODY)
    schemas = made.json_schema(ref_template=REFERENCE)["$defs"]
    paths = described.paths()
    for path, item in paths.items():
        if parameters := list(_parameters(path)):
            item["parameters"] = parameters
        if path.endswith(("/chat/completions", "/models", "/models/{model}")):
            item["servers"] = [{"url": "/"}, _CAPABILITY]
    for operation in OPERATIONS:
        item = paths.setdefault(operation.path, {})
        item[operation.method.lower()] = _described(operation)
        if parameters := list(_parameters(operation.path)):
            item["parameters"] = parameters
    paths["/openapi.json"] = {"get": _answering({"type": "object"}, "This description")}
    return {
        "openapi": "3.1.1",
        "info": {
            "title": "Simli Gateway",
            "version": version("simli-gateway"),
            "description": "OpenAI-compatible chat completions for agents, and their administration.",
            "license": {"name": "Apache 2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [*KEYS, {}],
        "paths": paths,
        "components": {"schemas": schemas | described.schemas() | {"Error": _error()}, "securitySchemes": _SCHEMES},
    }


_SCHEMES: Schema = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "A key of `gateway keys create`."},
    "x-api-key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
    "api-key": {"type": "apiKey", "in": "header", "name": "api-key"},
}
_CAPABILITY: Schema = {
    "url": "/k/{capability}",
    "description": "For callers that can send no header: the path itself is the key, for one agent.",
    "variables": {"capability": {"default": "CAPABILITY", "description": "`gateway agents show NAME --url` says it."}},
}


def errors(root: type[GatewayError] = GatewayError) -> Iterator[type[GatewayError]]:
    """The tree, the root first; classes of other modules than `gateway.errors` end no request."""
    yield root
    for kind in root.__subclasses__():
        if kind.__module__.startswith(ERRORS):
            yield from errors(kind)


def _error() -> Schema:
    """OpenAI's error envelope, with every code that there is."""
    tree = list(errors())
    codes = sorted({kind.code for kind in tree})
    inner: Schema = {
        "type": "object",
        "properties": {
            "message": {"type": "string"},
            "type": {"type": "string", "enum": sorted({kind.type for kind in tree})},
            "param": {"type": ["string", "null"], "description": "What of the request is wrong."},
            "code": {
                "anyOf": [
                    {"type": "string", "enum": codes},
                    {"type": "string", "description": "An upstream's own, where it refused what the caller asked."},
                ]
            },
        },
        "required": ["message", "type", "param", "code"],
        "additionalProperties": False,
    }
    simli: Schema = {
        "type": "object",
        "description": "What Simli itself said; null: nothing.",
        "properties": {"code": {"type": ["string", "null"]}, "status": {"type": ["integer", "null"]}},
        "required": ["code", "status"],
        "additionalProperties": False,
    }
    faults = {"type": "array", "items": {"$ref": REFERENCE.format(model="Fault")}}
    return {
        "type": "object",
        "properties": {
            "error": inner,
            "x_gateway": {
                "type": "object",
                "properties": {"faults": faults, "simli": simli},
                "additionalProperties": False,
            },
        },
        "required": ["error"],
        "additionalProperties": False,
    }


def _parameters(path: str) -> Iterator[Schema]:
    for name in re.findall(r"{(\w+)}", path):
        known = PARAMETERS[name]
        schema = {"type": "string", "pattern": f"^({known.pattern})$", "maxLength": known.longest}
        shown = {"example": known.example} if known.example else {}
        yield {"name": name, "in": "path", "required": True, "description": known.says, "schema": schema, **shown}


def _answering(schema: Schema, summary: str, status: int = 200) -> Schema:
    answer = {"description": summary, "content": {"application/json": {"schema": schema}}}
    return {"summary": summary, "tags": ["admin"], "security": [*KEYS, {}], "responses": {str(status): answer}}


def _described(operation: Operation) -> Schema:
    reference = {"$ref": REFERENCE.format(model=operation.gives.__name__)}
    made = _answering(reference, operation.summary, operation.status)
    responses = made["responses"]
    if operation.feed:
        event = {"$ref": REFERENCE.format(model=operation.feed.gives.__name__)}
        feed = {"schema": {"description": operation.feed.says}, "x-event-schema": event}
        answer = responses.setdefault("200", {"description": operation.summary, "content": {}})
        answer["content"]["text/event-stream"] = feed
        made["description"] = f"With `Accept: text/event-stream`: {operation.feed.says}"
    if operation.text:
        made["responses"]["200"]["content"]["text/plain"] = {"schema": {"type": "string"}}
        made["description"] = "With `Accept: text/plain`: text for people."
    made |= _taken(operation)
    if links := dict(_links(operation)):
        responses[str(operation.status)]["links"] = links
    for kind in _kinds(operation):
        answer = responses.setdefault(str(kind.status), {"description": "", "content": _ENVELOPE})
        said = f"`{kind.code}`"
        if said not in answer["description"]:
            answer["description"] = ", ".join(filter(None, [answer["description"], said]))
    return made


def _taken(operation: Operation) -> Schema:
    if operation.uploads:
        body: Schema = {"required": True, "content": {kind: {"schema": _BYTES} for kind in operation.uploads}}
        return {"requestBody": body, "parameters": list(_query(operation.takes))}
    if operation.takes is Nothing:
        return {}
    if operation.queried:
        return {"parameters": list(_query(operation.takes))}
    body = {"content": {"application/json": {"schema": {"$ref": REFERENCE.format(model=operation.takes.__name__)}}}}
    if _schema(operation.takes).get("required"):
        body["required"] = True
    return {"requestBody": body}


def _links(operation: Operation) -> Iterator[tuple[str, Schema]]:
    """Where what this one made can be asked for."""
    parameter, pointer = operation.leads
    for other in OPERATIONS:
        if parameter and f"{{{parameter}}}" in other.path:
            method, escaped = other.method.lower(), other.path.replace("/", "~1")
            name = re.sub(r"\W+", "_", f"{method}{other.path}").strip("_")
            at = {parameter: f"$response.body#{pointer}"}
            yield name, {"operationRef": f"#/paths/{escaped}/{method}", "parameters": at}


def _kinds(operation: Operation) -> Iterator[type[GatewayError]]:
    yield from ALWAYS
    if operation.method == "POST":
        yield from WITH_BODY
    elif operation.takes is not Nothing:
        yield from (InvalidValue, InvalidType)
    if "{" in operation.path:
        yield InvalidName
    if operation.begins:
        yield Draining
    yield from operation.errors


def _query(takes: type) -> Iterator[Schema]:
    """What stands in the query."""
    described = _schema(takes)
    for name, schema in described["properties"].items():
        says = schema.pop("description", name)
        required = name in described.get("required", ())
        yield {"name": name, "in": "query", "required": required, "description": says, "schema": schema}


def _schema(takes: type) -> Schema:
    return TypeAdapter(takes).json_schema()


_BYTES: Schema = {"type": "string", "format": "binary", "minLength": 1}
_ENVELOPE: Schema = {"application/json": {"schema": {"$ref": REFERENCE.format(model="Error")}}}
