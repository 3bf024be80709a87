"""Bodies of all kinds: read, or refused with the parameter's name."""

from typing import Any

import orjson
import pytest

from gateway.chat.request import ROLES, ChatRequest, parse
from gateway.errors import (
    InvalidType,
    InvalidValue,
    MissingParameter,
    RequestError,
)
from gateway.settings import Limits

HELLO = [{"role": "user", "content": "Hello"}]
LIMITS = Limits()


def body(**fields: Any) -> bytes:
    """A body with a message and these fields."""
    return orjson.dumps({"messages": HELLO, **fields})


def asked(**fields: Any) -> ChatRequest:
    """The request of such a body."""
    return parse(body(**fields), LIMITS)


def said(message: Any) -> ChatRequest:
    """The request of one message."""
    return parse(orjson.dumps({"messages": [message]}), LIMITS)


def refused(text: bytes) -> RequestError:
    """The error of a body that must be refused."""
    with pytest.raises(RequestError) as caught:
        parse(text, LIMITS)
    return caught.value


def test_what_openai_python_sends() -> None:
    """A usual body is read whole."""
    options = {"include_usage": True}
    found = asked(model="nora", stream=True, stream_options=options, temperature=0.2, max_tokens=99)
    sent = {"temperature": 0.2, "max_tokens": 99, "stream_options": {"include_usage": True}}
    assert found == ChatRequest("nora", tuple(HELLO), True, True, sent)


def test_what_simli_documents() -> None:
    """Simli's own example, its JSON put right: no stream, a misspelt role."""
    found = parse(
        b'{"model":"my-AGI", "messages": [\n'
        b'{"role":"system", "content":"This is a sample system message (AKA base prompt)"},\n'
        b'{"role":"asssistant", "content":"This is a sample AI generated message"},\n'
        b'{"role":"user","content":"This is a sample user Input"}\n]}',
        LIMITS,
    )
    assert [each["role"] for each in found.messages] == ["system", "assistant", "user"]
    assert (found.model, found.stream, found.include_usage, found.parameters) == ("my-AGI", None, False, {})


def test_what_may_be_absent() -> None:
    """Neither model nor stream need be there, null is absence, and no messages are the agent's matter."""
    assert parse(b'{"messages": []}', LIMITS) == ChatRequest("", ())
    nothing = dict.fromkeys(("model", "stream", "stream_options", "n", "temperature", "tools", "stop"))
    assert asked(**nothing) == ChatRequest("", tuple(HELLO))


@pytest.mark.parametrize(("value", "stream"), [("true", True), ("False", False), (False, False), (None, None)])
def test_stream_may_be_text(value: object, stream: bool | None) -> None:
    """Some callers write their booleans as text."""
    assert asked(stream=value).stream is stream


@pytest.mark.parametrize("role", ROLES)
def test_roles_are_kept(role: str) -> None:
    """All of OpenAI's roles are served, and a right message is the very object that came."""
    assert said({"role": role, "content": "x", "name": "n"}).messages == ({"role": role, "content": "x", "name": "n"},)


@pytest.mark.parametrize(
    ("written", "role"),
    [
        ("asssistant", "assistant"),
        ("Assistant", "assistant"),
        (" USER ", "user"),
        ("assistantt", "assistant"),
        ("systemm", "system"),
    ],
)
def test_misspelt_roles_are_understood(written: str, role: str) -> None:
    """The closest role is meant."""
    assert said({"role": written, "content": "x"}).messages == ({"role": role, "content": "x"},)


PARTS = [
    {"type": "text", "text": "a"},
    {"type": "image_url", "image_url": {"url": "data:"}},
    "b",
    {"type": "new"},
]
CALLS = [
    {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}},
    {"id": "d", "type": "custom"},
]


@pytest.mark.parametrize(
    "message",
    [
        {"role": "user", "content": None},
        {"role": "assistant"},
        {"role": "user", "content": PARTS},
        {"role": "user", "content": ""},
        {"role": "assistant", "content": None, "tool_calls": CALLS},
        {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}},
        {"role": "tool", "content": "x", "tool_call_id": "c"},
        {"role": "user", "content": "x", "created_at": 1, "odd": {"a": [1]}},
    ],
)
def test_messages_of_all_shapes_are_passed_on(message: dict[str, Any]) -> None:
    """Parts, null content, calls, results and unknown fields are kept for whoever asks upstream."""
    assert said(message).messages == (message,)


@pytest.mark.parametrize(
    ("message", "kind", "param"),
    [
        ("hi", InvalidType, "messages[0]"),
        (None, InvalidType, "messages[0]"),
        ({"content": "x"}, MissingParameter, "messages[0].role"),
        ({"role": 3, "content": "x"}, InvalidType, "messages[0].role"),
        ({"role": [], "content": "x"}, InvalidType, "messages[0].role"),
        ({"role": {}, "content": []}, InvalidType, "messages[0].role"),
        ({"role": "wizard", "content": "x"}, InvalidValue, "messages[0].role"),
        ({"role": "", "content": "x"}, InvalidValue, "messages[0].role"),
        ({"role": "user", "content": 3}, InvalidType, "messages[0].content"),
        ({"role": "user", "content": {"type": "text"}}, InvalidType, "messages[0].content"),
        ({"role": "user", "content": [3]}, InvalidType, "messages[0].content[0]"),
        ({"role": "user", "content": [{}]}, MissingParameter, "messages[0].content[0].type"),
        (
            {"role": "user", "content": ["a", {"type": "text"}]},
            MissingParameter,
            "messages[0].content[1].text",
        ),
        (
            {"role": "user", "content": [{"type": "text", "text": 1}]},
            InvalidType,
            "messages[0].content[0].text",
        ),
        ({"role": "user", "content": "x", "name": 1}, InvalidType, "messages[0].name"),
        ({"role": "tool", "content": "x", "tool_call_id": 1}, InvalidType, "messages[0].tool_call_id"),
        ({"role": "assistant", "tool_calls": {}}, InvalidType, "messages[0].tool_calls"),
        ({"role": "assistant", "tool_calls": [1]}, InvalidType, "messages[0].tool_calls[0]"),
        ({"role": "assistant", "tool_calls": [{}]}, MissingParameter, "messages[0].tool_calls[0].id"),
        (
            {"role": "assistant", "tool_calls": [{"id": "a"}]},
            MissingParameter,
            "messages[0].tool_calls[0].function",
        ),
        (
            {"role": "assistant", "tool_calls": [{"id": "a", "function": {"name": "f", "arguments": {}}}]},
            InvalidType,
            "messages[0].tool_calls[0].function.arguments",
        ),
        ({"role": "assistant", "function_call": {}}, MissingParameter, "messages[0].function_call.name"),
    ],
)
def test_a_wrong_message_is_named(message: Any, kind: type[RequestError], param: str) -> None:
    """The error says which message and what of it."""
    error = refused(orjson.dumps({"messages": [message]}))
    assert (type(error), error.param, error.status) == (kind, param, 400)


def test_messages_are_required() -> None:
    """Without messages there is nothing to answer, and they are an array."""
    assert (refused(b"{}").code, refused(b"{}").param) == ("missing_required_parameter", "messages")
    assert type(refused(b'{"messages": null}')) is MissingParameter
    assert (type(refused(b'{"messages": {}}')), refused(b'{"messages": "x"}').param) == (
        InvalidType,
        "messages",
    )


def test_too_many_messages_are_refused() -> None:
    """The limit is exact."""
    limits = Limits(messages=3)
    assert len(parse(orjson.dumps({"messages": HELLO * 3}), limits).messages) == 3
    with pytest.raises(InvalidValue) as caught:
        parse(orjson.dumps({"messages": HELLO * 4}), limits)
    assert caught.value.param == "messages"
