"""The body of a chat completion to a `ChatRequest`, or an error that names the parameter.

Strict where JSON is JSON: duplicate keys, NaN, lone surrogates, broken UTF-8 and bottomless nesting are
refused. Liberal where callers differ (openai-python, Simli, Pipecat and others): `model` and `stream` may be
absent, `stream` may be text, roles may be misspelt, unknown fields are ignored. An escaped NUL (`\\u0000`) is
taken out of every text: it means nothing, and databases and tokenizers behind us choke on it.

What goes upstream beside the messages is an allow-list (`parameters.py`): whatever else a body holds, the
caller decides neither where a request goes nor with which key.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import lru_cache
from json import JSONDecoder
from re import compile as pattern
from typing import Any

import orjson

from gateway.chat.parameters import boolean, noun, parameters
from gateway.errors import InvalidJSON, InvalidType, InvalidValue, MissingParameter
from gateway.settings import Limits
from gateway.types import Message

logger = logging.getLogger("gateway.chat")

ROLES = ("system", "developer", "user", "assistant", "tool", "function")
_NUL = pattern(rb"(?<!\\)((?:\\\\)*)\\u0000")
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """What a caller asks, checked."""

    model: str
    """As it was asked for; empty where it was absent."""
    messages: tuple[Message, ...]
    stream: bool | None = None
    """None: absent, so that whoever answers decides."""
    include_usage: bool = False
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """Sampling parameters and tools, as they go upstream."""


def parse(body: bytes, limits: Limits) -> ChatRequest:
    """The request in this body. Raises nothing but RequestError.

    The messages are the caller's own but for misspelt roles and NULs: a bare route passes them on, and
    `history.py` repairs them for an agent. An empty list is allowed here: an agent can answer it.
    """
    fields = json_object(body)
    _one_choice(fields.get("n"))
    options = fields.get("stream_options")
    if options is not None and not isinstance(options, dict):
        raise _wrong("stream_options", "an object", options)
    include_usage = boolean("stream_options.include_usage", (options or {}).get("include_usage"))
    counted = {"stream_options": {"include_usage": True}} if include_usage else {}
    return ChatRequest(
        model=_model(fields.get("model")),
        messages=_messages(fields, limits),
        stream=boolean("stream", fields.get("stream")),
        include_usage=bool(include_usage),
        parameters=parameters(fields) | counted,
    )


def json_object(body: bytes) -> dict[str, Any]:
    """The body's JSON object. orjson is strict in all but duplicate keys, of which it keeps the last.

    It writes no deeper than 254 levels, and what cannot be written cannot be passed on either.
    """
    text = body.removeprefix(_BOM)
    if not text.strip():
        raise InvalidJSON("The body is empty; send a JSON object.")
    try:
        fields = orjson.loads(text)
        if b"\\u0000" in text:
            text = _NUL.sub(rb"\1", text)
            fields = orjson.loads(text)
        # A text that comes out as it went in has every key once; only what does not is read again.
        if orjson.dumps(fields) != text:
            _STRICT.decode(text.decode())
    except (ValueError, TypeError, RecursionError) as error:
        raise InvalidJSON(f"The body is no valid JSON: {str(error)[:200]}.") from error
    if not isinstance(fields, dict):
        raise InvalidType(f"The body must be a JSON object, not {noun(fields)}.")
    return fields


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("an object has a key twice")
    return found


_STRICT = JSONDecoder(object_pairs_hook=_unique)


def _wrong(param: str, wanted: str, value: object) -> InvalidType:
    return InvalidType(f"`{param}` must be {wanted}, not {noun(value)}.", param=param)


def _model(value: object) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise _wrong("model", "a string", value)
    if len(value) > 256:
        raise InvalidValue("`model` must be 256 characters at most.", param="model")
    return value.strip()


def _one_choice(value: object) -> None:
    """One answer is spoken; several at once cannot be."""
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int):
        raise _wrong("n", "a whole number", value)
    if value != 1:
        raise InvalidValue("`n` must be 1: this gateway gives one choice.", param="n")


def _messages(fields: Mapping[str, Any], limits: Limits) -> tuple[Message, ...]:
    messages = fields.get("messages")
    if messages is None:
        raise MissingParameter("`messages` is missing.", param="messages")
    if not isinstance(messages, list):
        raise _wrong("messages", "an array", messages)
    if len(messages) > limits.messages:
        problem = f"`messages` must have {limits.messages} entries at most, not {len(messages)}."
        raise InvalidValue(problem, param="messages")
    # The commonest message by far is checked here, without a call.
    return tuple(
        message
        if type(message) is dict and len(message) == 2 and message.get("role") in _PLAIN and _is_text(message)
        else _message(message, index)
        for index, message in enumerate(messages)
    )


_PLAIN = ("system", "user", "assistant")


def _is_text(message: Message) -> bool:
    return type(message.get("content")) is str


def _message(message: object, index: int) -> Message:
    """The message, with its role set right where it was misspelt."""
    at = f"messages[{index}]"
    if not isinstance(message, dict):
        raise _wrong(at, "an object", message)
    role = _role(message.get("role"), f"{at}.role")
    _content(message.get("content"), f"{at}.content")
    for name in ("name", "tool_call_id", "refusal"):
        if not isinstance(message.get(name), str | None):
            raise _wrong(f"{at}.{name}", "a string", message[name])
    _tool_calls(message.get("tool_calls"), f"{at}.tool_calls")
    if (call := message.get("function_call")) is not None:
        _function(call, f"{at}.function_call")
    return message if role == message["role"] else {**message, "role": role}


def _role(value: object, at: str) -> str:
    if value is None:
        raise MissingParameter(f"`{at}` is missing; one of {', '.join(ROLES)}.", param=at)
    if not isinstance(value, str):
        raise _wrong(at, "a string", value)
    role = value if value in ROLES else _meant(value[:40].strip().lower())
    if not role:
        problem = f"`{at}` must be one of {', '.join(ROLES)}, not {value[:40]!r}."
        raise InvalidValue(problem, param=at)
    return role


@lru_cache(maxsize=256)
def _meant(role: str) -> str:
    """The role that was meant: Simli's own documents write `asssistant`. Empty where none is close.

    Each misspelling is said in the log once: the cache remembers it.
    """
    meant = next(iter(get_close_matches(role, ROLES, n=1, cutoff=0.8)), "")
    if meant:
        logger.warning("a caller writes the role %r; %r is taken", role, meant)
    return meant


def _content(content: object, at: str) -> None:
    """Text, null, or parts; what kinds of parts there are is for the model to say."""
    if content is None or isinstance(content, str):
        return
    if not isinstance(content, list):
        raise _wrong(at, "a string or an array of parts", content)
    for index, part in enumerate(content):
        here = f"{at}[{index}]"
        if isinstance(part, str):
            continue
        if not isinstance(part, dict):
            raise _wrong(here, "an object", part)
        kind = part.get("type")
        if not isinstance(kind, str):
            raise _absent_or_wrong(f"{here}.type", "a string", kind)
        if kind == "text" and not isinstance(part.get("text"), str):
            raise _absent_or_wrong(f"{here}.text", "a string", part.get("text"))


def _tool_calls(calls: object, at: str) -> None:
    if calls is None:
        return
    if not isinstance(calls, list):
        raise _wrong(at, "an array", calls)
    for index, call in enumerate(calls):
        here = f"{at}[{index}]"
        if not isinstance(call, dict):
            raise _wrong(here, "an object", call)
        if not isinstance(call.get("id"), str):
            raise _absent_or_wrong(f"{here}.id", "a string", call.get("id"))
        if "function" in call or call.get("type", "function") == "function":
            _function(call.get("function"), f"{here}.function")


def _function(function: object, at: str) -> None:
    """A call of a function: its name, and its arguments as text."""
    if not isinstance(function, dict):
        raise _absent_or_wrong(at, "an object", function)
    if not isinstance(function.get("name"), str):
        raise _absent_or_wrong(f"{at}.name", "a string", function.get("name"))
    if not isinstance(function.get("arguments"), str | None):
        raise _wrong(f"{at}.arguments", "a string", function["arguments"])


def _absent_or_wrong(at: str, wanted: str, value: object) -> MissingParameter | InvalidType:
    return MissingParameter(f"`{at}` is missing.", param=at) if value is None else _wrong(at, wanted, value)
