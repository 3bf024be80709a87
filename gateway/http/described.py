"""The faces that are not administration, described: chat, models, health. The rest of `/openapi.json` is generated.

What a chat request may hold is asked of the checks themselves (`chat/parameters.py`), so that the description cannot
name a parameter that is ignored. Shapes are OpenAI's: https://platform.openai.com/docs/api-reference/chat
"""

from collections.abc import Mapping
from typing import Any

from gateway.chat.parameters import CHECKS
from gateway.chat.request import ROLES
from gateway.errors import InvalidType, InvalidValue, MissingParameter, RequestError

Schema = dict[str, Any]

_PROBES: Mapping[str, tuple[Any, ...]] = {
    "boolean": (True,),
    "number": (0.5,),
    "integer": (1, 0),
    "string": ("a", ""),
    "array": ([], ["a"]),
    "object": ({}, {"type": "a"}),
}
"""Values of each kind of JSON; where a check takes one of a kind, it takes the kind."""


def kinds(name: str) -> list[str]:
    """What JSON calls the values that a parameter may have, as its check says."""
    found = [kind for kind, values in _PROBES.items() if any(_taken(name, kind, value) for value in values)]
    return [kind for kind in found if kind != "integer" or "number" not in found]


def _taken(name: str, kind: str, value: Any) -> bool:
    try:
        CHECKS[name](name, value)
    except InvalidType:
        return False
    except (InvalidValue, MissingParameter):
        return kind in ("string", "object")  # of the right kind, and another text or another field is wanted
    except RequestError:
        return False
    return True


def _object(properties: Schema, *required: str, says: str = "", closed: bool = False) -> Schema:
    made: Schema = {"type": "object", "properties": properties, "required": list(required)}
    if says:
        made["description"] = says
    if closed:
        made["additionalProperties"] = False
    return made


def _kind(*names: str, **more: Any) -> Schema:
    return {"type": names[0] if len(names) == 1 else list(names), **more}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _array(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _request() -> Schema:
    parameters = {name: _kind(*kinds(name), "null") for name in CHECKS}
    content = {"anyOf": [_kind("string", "null"), _array({"type": ["object", "string"]})]}
    message = _object({"role": _kind("string", description=f"{', '.join(ROLES)}."), "content": content}, "role")
    return _object(
        {
            "model": _kind("string", "null", maxLength=256, description="An agent, a route, or ROUTE/MODEL."),
            "messages": _array(message),
            "stream": _kind("boolean", "string", "null", description="Absent: an agent streams, a route does not."),
            "stream_options": _kind("object", "null", properties={"include_usage": _kind("boolean", "null")}),
            "n": _kind("integer", "null", enum=[1, None]),
            **parameters,
        },
        "messages",
        says="OpenAI's chat completion request. A field that is not named here is ignored.",
    )


def _gateway() -> Schema:
    return _kind("object", description="What is not OpenAI's: `incomplete`, where the answer broke off.")


def _answer() -> Schema:
    message = _object({"role": {"const": "assistant"}, "content": _kind("string", "null")}, "role")
    choice = _object(
        {"index": _kind("integer"), "message": message, "finish_reason": _kind("string")}, "index", "message"
    )
    return _object(
        {
            "id": _kind("string"),
            "object": {"const": "chat.completion"},
            "created": _kind("integer"),
            "model": _kind("string"),
            "choices": _array(choice),
            "usage": _kind("object", "null"),
            "x_gateway": _gateway(),
        },
        "id", "object", "created", "model", "choices",
    )  # fmt: skip


def _chunk() -> Schema:
    delta = _kind("object", properties={"role": _kind("string"), "content": _kind("string", "null")})
    choice = _object(
        {"index": _kind("integer"), "delta": delta, "finish_reason": _kind("string", "null")}, "index", "delta"
    )
    return _object(
        {
            "id": _kind("string"),
            "object": {"const": "chat.completion.chunk"},
            "created": _kind("integer"),
            "model": _kind("string"),
            "choices": _array(choice),
            "usage": _kind("object", "null"),
            "x_gateway": _gateway(),
        },
        "id", "object", "created", "model", "choices",
    )  # fmt: skip


def _model() -> Schema:
    return _object(
        {
            "id": _kind("string"),
            "object": {"const": "model"},
            "created": _kind("integer"),
            "owned_by": _kind("string", enum=["agent", "route"]),
        },
        "id", "object", "created", "owned_by",
    )  # fmt: skip


def schemas() -> dict[str, Schema]:
    """The components that `paths` refers to."""
    health = {"status": _kind("string", enum=["ok", "degraded", "draining"]), "missing": _array(_kind("string"))}
    return {
        "ChatCompletionRequest": _request(),
        "ChatCompletion": _answer(),
        "ChatCompletionChunk": _chunk(),
        "Model": _model(),
        "Models": _object({"object": {"const": "list"}, "data": _array(_ref("Model"))}, "object", "data"),
        "Live": _object({"status": {"const": "ok"}}, "status", closed=True),
        "Ready": _object(health, "status", "missing", closed=True),
    }


def _json(name: str, says: str) -> Schema:
    return {"description": says, "content": {"application/json": {"schema": _ref(name)}}}


def _chat() -> Schema:
    answer = _json("ChatCompletion", "The answer: an object, or server-sent events where it is streamed.")
    answer["content"]["text/event-stream"] = {
        "schema": {"description": "`data: ` and a ChatCompletionChunk, or an Error; `data: [DONE]` at the end."},
        "x-event-schema": {"anyOf": [_ref("ChatCompletionChunk"), _ref("Error")]},
    }
    known = ("x-gateway-sources", "Ids of the passages, percent-encoded."), ("x-gateway-target", "Who answered.")
    answer["headers"] = {name: {"description": says, "schema": _kind("string")} for name, says in known}
    return {
        "summary": "Answer a conversation",
        "requestBody": {
            "required": True,
            "description": "JSON, whatever the content type is called.",
            "content": {"application/json": {"schema": _ref("ChatCompletionRequest")}},
        },
        "responses": {"200": answer, "default": _json("Error", "An error.")},
    }


def _listing(name: str, summary: str) -> Schema:
    error = _json("Error", "An error.")
    return {"get": {"summary": summary, "responses": {"200": _json(name, summary), "default": error}}}


def _health(name: str, summary: str, **others: Schema) -> Schema:
    return {"get": {"summary": summary, "security": [], "responses": {"200": _json(name, summary), **others}}}


def _metrics() -> Schema:
    says = "Metrics as Prometheus reads them; an `Accept` of OpenMetrics gets that."
    answer = {"description": says, "content": {"text/plain": {"schema": _kind("string")}}}
    return {"get": {"summary": "Metrics", "responses": {"200": answer, "default": _json("Error", "An error.")}}}


def paths() -> dict[str, Schema]:
    """Paths of the chat and of health. `/v1` is served beside every path without it, whether it stands here or not."""
    chat: dict[str, Schema] = {}
    for prefix in ("", "/v1", "/agents/{agent}", "/agents/{agent}/v1"):
        chat[f"{prefix}/chat/completions"] = {"post": _chat()}
        chat[f"{prefix}/models"] = _listing("Models", "Everything that `model` can name, but for the models of a route")
        chat[f"{prefix}/models/{{model}}"] = _listing("Model", "One of them")
    draining = _json("Ready", "The process is about to stop, or still starting.")
    return chat | {
        "/livez": _health("Live", "The process is up"),
        "/metrics": _metrics(),
        "/readyz": _health("Ready", "It can answer; what it does without is named", **{"503": draining}),
    }
