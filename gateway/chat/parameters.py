"""Which parameters of a body go upstream, and what each may be.

The list is OpenAI's reference for chat completions
(https://platform.openai.com/docs/api-reference/chat/create) without what is not about the answer's words:
where a request goes and with which key (`api_base`, `extra_headers`, `timeout`: not OpenAI's fields, but
some SDKs read them), what the operator's account stores or pays for (`store`, `metadata`, `service_tier`,
`web_search_options`), and other media than text (`modalities`, `audio`). Those and all unknown fields are
ignored. null is the same as absent.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from gateway.errors import InvalidType, InvalidValue, MissingParameter

Check: TypeAlias = Callable[[str, Any], Any]
"""From a parameter's name and value to the value that goes upstream. Raises RequestError."""

_NOUNS: Mapping[type, str] = {
    str: "a string",
    bool: "a boolean",
    int: "a number",
    float: "a number",
    list: "an array",
    dict: "an object",
    type(None): "null",
}
_FUNCTION_NAME = re.compile(r"[A-Za-z0-9_.:-]{1,128}")


def noun(value: object) -> str:
    """What JSON calls a value."""
    return _NOUNS.get(type(value), "something else")


def parameters(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The checked parameters of a body."""
    found = {name: CHECKS[name](name, value) for name, value in fields.items() if value is not None and name in CHECKS}
    if "max_completion_tokens" in found:  # the newer name of the same thing; upstreams refuse both together
        found.pop("max_tokens", None)
    return found


def boolean(param: str, value: object) -> bool | None:
    """true, false, or None for null; also as text, as some callers send it."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().lower() in ("true", "false"):
        return value.strip().lower() == "true"
    if isinstance(value, int | float):  # `logprobs: 5` is right in OpenAI's older API: a value, not a type, is wrong
        raise InvalidValue(f"`{param}` must be true or false, not {value!r:.40}.", param=param)
    raise InvalidType(f"`{param}` must be a boolean, not {noun(value)}.", param=param)


def _number(least: float, most: float, *, whole: bool = False) -> Check:
    def check(param: str, value: Any) -> Any:
        if isinstance(value, bool) or not isinstance(value, int | float):
            wanted = "a whole number" if whole else "a number"
            raise InvalidType(f"`{param}` must be {wanted}, not {noun(value)}.", param=param)
        if not least <= value <= most:
            raise InvalidValue(f"`{param}` must be from {least} to {most}, not {value!r:.40}.", param=param)
        if whole and value != int(value):
            raise InvalidType(f"`{param}` must be a whole number, not {value!r:.40}.", param=param)
        return int(value) if whole else value

    return check


def _text(longest: int, *choices: str) -> Check:
    def check(param: str, value: Any) -> Any:
        if not isinstance(value, str):
            raise InvalidType(f"`{param}` must be a string, not {noun(value)}.", param=param)
        if len(value) > longest:
            raise InvalidValue(f"`{param}` must be {longest} characters at most.", param=param)
        if choices and value not in choices:
            raise InvalidValue(f"`{param}` must be one of {', '.join(choices)}, not {value!r:.40}.", param=param)
        return value

    return check


def _is_object(param: str, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise InvalidType(f"`{param}` must be an object, not {noun(value)}.", param=param)
    return value


def _typed(param: str, value: Any) -> Mapping[str, Any]:
    """An object with a `type`."""
    kind = _is_object(param, value).get("type")
    if not isinstance(kind, str):
        raise MissingParameter(f"`{param}.type` must be a string.", param=f"{param}.type")
    return value  # type: ignore[no-any-return]  # checked just above


def _text_or(check: Check, *choices: str) -> Check:
    """One of the words, or what `check` lets through."""

    def either(param: str, value: Any) -> Any:
        return _text(64, *choices)(param, value) if isinstance(value, str) else check(param, value)

    return either


def _array(param: str, value: Any, most: int) -> list[Any]:
    if not isinstance(value, list):
        raise InvalidType(f"`{param}` must be an array, not {noun(value)}.", param=param)
    if len(value) > most:
        raise InvalidValue(f"`{param}` must have {most} items at most, not {len(value)}.", param=param)
    return value


def _stop(param: str, value: Any) -> Any:
    if isinstance(value, str):
        return _text(1000)(param, value)
    for index, item in enumerate(_array(param, value, 4)):
        _text(1000)(f"{param}[{index}]", item)
    return value


def _logit_bias(param: str, value: Any) -> Any:
    biases = _is_object(param, value)
    if len(biases) > 1024:
        raise InvalidValue(f"`{param}` must have 1024 entries at most.", param=param)
    for token, bias in biases.items():
        if not re.fullmatch(r"[0-9]{1,9}", token):
            raise InvalidValue(f"`{param}` must have token ids as its keys, not {token[:40]!r}.", param=param)
        _number(-100, 100)(f"{param}.{token}", bias)
    return value


def _functions(param: str, value: Any) -> Any:
    for index, item in enumerate(_array(param, value, 128)):
        _named(f"{param}[{index}]", item)
    return value


def _tools(param: str, value: Any) -> Any:
    for index, tool in enumerate(_array(param, value, 128)):
        at = f"{param}[{index}]"
        if _typed(at, tool)["type"] == "function":
            _named(f"{at}.function", tool.get("function"))
    return value


def _named(param: str, value: Any) -> Any:
    """A function's description: an object with a name."""
    if value is None:
        raise MissingParameter(f"`{param}` is missing.", param=param)
    name = _is_object(param, value).get("name")
    if not isinstance(name, str) or not _FUNCTION_NAME.fullmatch(name):
        raise InvalidValue(f"`{param}.name` must be a function's name.", param=f"{param}.name")
    return value


_TOKENS = _number(1, 1_000_000, whole=True)
CHECKS: Mapping[str, Check] = {
    "frequency_penalty": _number(-2, 2),
    "function_call": _text_or(_named, "none", "auto"),
    "functions": _functions,
    "logit_bias": _logit_bias,
    "logprobs": boolean,
    "max_completion_tokens": _TOKENS,
    "max_tokens": _TOKENS,
    "parallel_tool_calls": boolean,
    "prediction": _typed,
    "presence_penalty": _number(-2, 2),
    "prompt_cache_key": _text(512),
    "reasoning_effort": _text(32),
    "response_format": _typed,
    "safety_identifier": _text(512),
    "seed": _number(-(2**63), 2**63 - 1, whole=True),
    "stop": _stop,
    "temperature": _number(0, 2),
    "tool_choice": _text_or(_typed, "none", "auto", "required"),
    "tools": _tools,
    "top_logprobs": _number(0, 20, whole=True),
    "top_p": _number(0, 1),
    "user": _text(512),
    "verbosity": _text(32),
}
