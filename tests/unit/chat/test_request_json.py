"""Bodies as bytes: what is JSON, and what is refused as none."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.chat.request import ROLES, parse
from gateway.errors import InvalidJSON, InvalidType, RequestError
from gateway.settings import Limits

LIMITS = Limits()


def refused(text: bytes) -> RequestError:
    """The error of a body that must be refused."""
    with pytest.raises(RequestError) as caught:
        parse(text, LIMITS)
    return caught.value


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


def test_nul_is_taken_out() -> None:
    """An escaped NUL means nothing and is gone; a backslash before `u0000` is text and stays."""
    text = rb'{"messages": [{"role": "user", "content": "a\u0000b\\u0000c\\\u0000\u0000d"}]}'
    assert parse(text, LIMITS).messages[0]["content"] == "ab\\u0000c\\d"


def test_a_byte_order_mark_and_other_spelling_are_fine() -> None:
    """How the JSON is written does not matter: order mark, blanks, escapes, tiny and huge numbers."""
    text = b'\xef\xbb\xbf {"messages":[{"content":"\\u00e9","role":"user"}] , "temperature": 1E-1,\n"odd": 1e40}'
    found = parse(text, LIMITS)
    assert found.messages[0]["content"] == "é"
    assert found.parameters == {"temperature": 0.1}


@pytest.mark.parametrize("number", ["1e400", "-1e400", "123456789012345678901234567890"])
def test_numbers_beyond_all_bounds_are_refused(number: str) -> None:
    """A number that no machine holds is refused wherever it matters, and harmless elsewhere."""
    assert refused(f'{{"messages": [], "temperature": {number}}}'.encode()).status == 400
    assert refused(f'{{"messages": [], "seed": {number}}}'.encode()).status == 400


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=6), st.sampled_from(ROLES)),
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
