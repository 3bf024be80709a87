"""Bodies of all kinds: read, or refused with the parameter's name."""

import json
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.chat.request import ROLES, ChatRequest, parse
from gateway.errors import (
    InvalidJSON,
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
    assert found == ChatRequest("nora", tuple(HELLO), True, True, {"temperature": 0.2, "max_tokens": 99})


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


@pytest.mark.parametrize(
    ("value", "stream"), [("true", True), ("False", False), (False, False), (None, None)]
)
def test_stream_may_be_text(value: object, stream: bool | None) -> None:
    """Some callers write their booleans as text."""
    assert asked(stream=value).stream is stream


@pytest.mark.parametrize("role", ROLES)
def test_roles_are_kept(role: str) -> None:
    """All of OpenAI's roles are served, and a right message is the very object that came."""
    assert said({"role": role, "content": "x", "name": "n"}).messages == (
        {"role": role, "content": "x", "name": "n"},
    )


@pytest.mark.parametrize(
    ("written", "role"),
    [
        ("asssistant", "assistant"),
        ("Assistant", "assistant"),
        (" USER ", "user"),
        ("assistent", "assistant"),
        ("sytem", "system"),
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


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"  \n",
        b"{",
        b"{'messages': []}",
        b'{"messages": [],}',
        b'{"messages": []} x',
        b'{"messages": [], "messages": []}',
        b'{"messages": [{"role": "user", "role": "system", "content": "x"}]}',
        b'{"messages":[],"a":{"b":1,"\\u0062":2}}',
        b'{"messages": [], "temperature": NaN}',
        b'{"messages": [], "temperature": Infinity}',
        b'{"messages": [{"role": "user", "content": "\xff\xfe"}]}',
        b'{"messages": [{"role": "user", "content": "\\ud800"}]}',
        b'{"messages": [{"role": "user", "content": "\xed\xa0\x80"}]}',
        b'{"messages": [{"role": "user", "content": "a\x00b"}]}',
        b'{"\\u0000": 1, "": 2, "messages": []}',
        b"{\\u0000}",
        "{}".encode("utf-16"),
        b"[" * 1_000_000,
        b'{"a":' * 100_000,
        b'{"a":' + b"[" * 300 + b"]" * 300 + b"}",
        b'{"messages": [], "seed": ' + b"9" * 5000 + b"}",
    ],
)
def test_what_is_no_json_is_refused(text: bytes) -> None:
    """Broken, ambiguous or bottomless bodies are a 400, never a crash."""
    error = refused(text)
    assert (type(error), error.status, error.code) == (InvalidJSON, 400, "invalid_json")
    assert len(error.message) < 300
    assert error.message.isprintable()


@pytest.mark.parametrize("text", [b"[]", b"null", b'"x"', b"3"])
def test_a_body_is_an_object(text: bytes) -> None:
    """JSON of another shape has the wrong type."""
    assert type(refused(text)) is InvalidType


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


def test_nul_is_taken_out() -> None:
    """An escaped NUL means nothing and is gone; a backslash before `u0000` is text and stays."""
    text = rb'{"messages": [{"role": "user", "content": "a\u0000b\\u0000c\\\u0000\u0000d"}]}'
    assert parse(text, LIMITS).messages[0]["content"] == "ab\\u0000c\\d"


def test_a_byte_order_mark_and_other_spelling_are_fine() -> None:
    """How the JSON is written does not matter: order mark, blanks, escapes, tiny and huge numbers."""
    text = (
        b'\xef\xbb\xbf {"messages":[{"content":"\\u00e9","role":"user"}] , "temperature": 1E-1,\n"odd": 1e40}'
    )
    found = parse(text, LIMITS)
    assert found.messages[0]["content"] == "é"
    assert found.parameters == {"temperature": 0.1}


@pytest.mark.parametrize("number", ["1e400", "-1e400", "123456789012345678901234567890"])
def test_numbers_beyond_all_bounds_are_refused(number: str) -> None:
    """A number that no machine holds is refused wherever it matters, and harmless elsewhere."""
    assert refused(f'{{"messages": [], "temperature": {number}}}'.encode()).status == 400
    assert refused(f'{{"messages": [], "seed": {number}}}'.encode()).status == 400


JSON = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=6), st.sampled_from(ROLES)
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(
            st.sampled_from(
                [
                    "role",
                    "content",
                    "type",
                    "text",
                    "name",
                    "tool_calls",
                    "function_call",
                    "function",
                    "id",
                    "arguments",
                    "tool_call_id",
                ]
            ),
            inner,
            max_size=5,
        ),
    ),
    max_leaves=12,
)
NAMES = st.sampled_from(
    [
        "model",
        "messages",
        "stream",
        "stream_options",
        "n",
        "temperature",
        "stop",
        "tools",
        "tool_choice",
        "functions",
        "logit_bias",
        "seed",
    ]
)


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(
        st.binary(),
        st.dictionaries(NAMES, JSON).map(lambda each: json.dumps(each).encode()),
        st.lists(JSON, max_size=3).map(lambda each: json.dumps({"messages": each}).encode()),
    )
)
def test_parse_raises_nothing_else(text: bytes) -> None:
    """Whatever comes, it is a request whose messages have roles, or a RequestError in one line."""
    try:
        found = parse(text, LIMITS).messages
    except RequestError as error:
        found = ()
        message = error.message
    else:
        message = ""
    assert all(each["role"] in ROLES for each in found)
    assert "\n" not in message
