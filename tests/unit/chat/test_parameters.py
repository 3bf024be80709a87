"""Which parameters go upstream, and which values are refused."""

from typing import Any

import orjson
import pytest

from gateway.chat.request import ChatRequest, parse
from gateway.errors import InvalidType, InvalidValue, MissingParameter, RequestError
from gateway.settings import Limits


def body(**fields: Any) -> bytes:
    """A body with a message and these fields."""
    return orjson.dumps({"messages": [{"role": "user", "content": "Hello"}], **fields})


def asked(**fields: Any) -> ChatRequest:
    """The request of such a body."""
    return parse(body(**fields), Limits())


def refused(text: bytes) -> RequestError:
    """The error of a body that must be refused."""
    with pytest.raises(RequestError) as caught:
        parse(text, Limits())
    return caught.value


TOOL = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("temperature", 0),
        ("top_p", 1),
        ("max_tokens", 1),
        ("max_completion_tokens", 1_000_000),
        ("stop", "\n"),
        ("stop", ["a", "b"]),
        ("presence_penalty", -2),
        ("frequency_penalty", 1.5),
        ("seed", -1),
        ("tools", [TOOL, {"type": "custom", "custom": {}}]),
        ("tool_choice", "auto"),
        ("tool_choice", {"type": "function", "function": {"name": "look_up"}}),
        ("functions", [{"name": "f"}]),
        ("function_call", "none"),
        ("function_call", {"name": "f"}),
        ("parallel_tool_calls", False),
        ("response_format", {"type": "json_schema", "json_schema": {"name": "x"}}),
        ("logit_bias", {"50256": -100}),
        ("logprobs", True),
        ("top_logprobs", 20),
        ("reasoning_effort", "minimal"),
        ("verbosity", "low"),
        ("prediction", {"type": "content", "content": "x"}),
        ("user", "u-1"),
        ("safety_identifier", "s"),
        ("prompt_cache_key", "k"),
    ],
)
def test_parameters_go_upstream(name: str, value: object) -> None:
    """What decides about the answer's words is passed on as it came."""
    assert asked(**{name: value}).parameters == {name: value}


@pytest.mark.parametrize(
    ("name", "value", "kind", "param"),
    [
        ("model", 3, InvalidType, "model"),
        ("model", "m" * 257, InvalidValue, "model"),
        ("stream", "maybe", InvalidType, "stream"),
        ("stream", 1, InvalidValue, "stream"),
        ("stream_options", True, InvalidType, "stream_options"),
        ("stream_options", {"include_usage": "perhaps"}, InvalidType, "stream_options.include_usage"),
        ("n", 2, InvalidValue, "n"),
        ("n", 128, InvalidValue, "n"),
        ("n", 0, InvalidValue, "n"),
        ("n", "1", InvalidType, "n"),
        ("n", True, InvalidType, "n"),
        ("temperature", 2.1, InvalidValue, "temperature"),
        ("temperature", "hot", InvalidType, "temperature"),
        ("temperature", True, InvalidType, "temperature"),
        ("max_tokens", 10**9, InvalidValue, "max_tokens"),
        ("max_tokens", 0, InvalidValue, "max_tokens"),
        ("max_tokens", 1.5, InvalidType, "max_tokens"),
        ("logprobs", 10**6, InvalidValue, "logprobs"),
        ("top_logprobs", 21, InvalidValue, "top_logprobs"),
        ("stop", 3, InvalidType, "stop"),
        ("stop", ["a"] * 5, InvalidValue, "stop"),
        ("stop", ["a", 1], InvalidType, "stop[1]"),
        ("tools", {}, InvalidType, "tools"),
        ("tools", [TOOL] * 129, InvalidValue, "tools"),
        ("tools", [3], InvalidType, "tools[0]"),
        ("tools", [{}], MissingParameter, "tools[0].type"),
        ("tools", [TOOL, {"type": "function"}], MissingParameter, "tools[1].function"),
        (
            "tools",
            [{"type": "function", "function": {"name": "a b"}}],
            InvalidValue,
            "tools[0].function.name",
        ),
        ("tool_choice", "maybe", InvalidValue, "tool_choice"),
        ("tool_choice", 3, InvalidType, "tool_choice"),
        ("functions", [{}], InvalidValue, "functions[0].name"),
        ("response_format", "json", InvalidType, "response_format"),
        ("logit_bias", {"the": 1}, InvalidValue, "logit_bias"),
        ("logit_bias", {"1": 101}, InvalidValue, "logit_bias.1"),
        ("logit_bias", {str(i): 1 for i in range(1025)}, InvalidValue, "logit_bias"),
        ("user", "u" * 513, InvalidValue, "user"),
        ("reasoning_effort", 3, InvalidType, "reasoning_effort"),
    ],
)
def test_an_absurd_value_is_named(name: str, value: object, kind: type[RequestError], param: str) -> None:
    """Wrong types and impossible values are refused with the parameter's name, before anything is asked."""
    error = refused(body(**{name: value}))
    assert (type(error), error.param) == (kind, param)
    assert f"`{param}`" in error.message


def test_the_caller_does_not_decide_where_requests_go() -> None:
    """Fields that some SDKs read as addresses, keys or headers never go upstream; neither do unknown ones."""
    for name in (
        "api_base",
        "base_url",
        "api_key",
        "extra_headers",
        "extra_query",
        "extra_body",
        "organization",
    ):
        assert asked(**{name: "https://evil.example"}).parameters == {}
    assert asked(timeout=1, store=True, metadata={"a": "b"}, service_tier="priority", odd=1).parameters == {}


def test_the_newer_name_of_a_limit_wins() -> None:
    """Upstreams refuse both names of one limit together."""
    assert asked(max_tokens=1, max_completion_tokens=2).parameters == {"max_completion_tokens": 2}
