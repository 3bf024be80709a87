"""One upstream event into one slim chunk: accept liberally what real servers send (docs of each rule beside it).

The tolerated shapes are those that were met in the wild; a test holds each of them.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import orjson

from gateway.errors import (
    UpstreamAuthFailed,
    UpstreamError,
    UpstreamLimited,
    UpstreamProtocolError,
    UpstreamUnavailable,
)
from gateway.types import Chunk, FinishReason

logger = logging.getLogger("gateway.upstream")

FINISH_REASONS: Final[Mapping[str, FinishReason]] = {
    "stop": "stop",
    "eos": "stop",
    "eos_token": "stop",
    "end_turn": "stop",
    "stop_sequence": "stop",
    "length": "length",
    "max_tokens": "length",
    "tool_calls": "tool_calls",
    "tool_use": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
    "safety": "content_filter",
}
"""What servers call their endings, to OpenAI's four."""


DONE: Final = b"[DONE]"


def chunks(events: Sequence[bytes]) -> Iterator[Chunk]:
    """Read the events of one read, up to `[DONE]`; all but the last are marked as followed by `more`."""
    last = len(events) - 1
    for number, event in enumerate(events):
        if event == DONE:
            return
        read = chunk(event)
        read.more = number < last
        yield read


def chunk(event: bytes) -> Chunk:
    """Read one event's data. Raises UpstreamError where it is an error, UpstreamProtocolError where it is nothing."""
    try:
        body = orjson.loads(event)
    except orjson.JSONDecodeError as error:
        raise UpstreamProtocolError("The upstream sent an event that is no JSON.") from error
    if not isinstance(body, dict):
        raise UpstreamProtocolError("The upstream sent an event that is no JSON object.")
    if body.get("error"):
        raise refusal(body["error"])
    choices = body.get("choices")
    if type(choices) is list and choices and not body.get("usage") and (text := _words(choices[0])) is not None:
        return Chunk(text)
    usage = body.get("usage")
    if not choices or not isinstance(choices, list) or not isinstance(choices[0], dict):
        # A usage chunk has no choices, and some servers send null or nothing; others use it as a heartbeat.
        return Chunk(usage=usage if isinstance(usage, dict) else None)
    read = _choice(choices[0])
    if isinstance(usage, dict):
        read.usage = usage
    return read


def _words(choice: object) -> str | None:
    """The text of a choice that holds nothing else: nearly every chunk. None for all others."""
    if type(choice) is not dict or choice.get("finish_reason") is not None or choice.get("logprobs") is not None:
        return None
    delta = choice.get("delta")
    if type(delta) is not dict or len(delta) != 1:
        return None
    content = delta.get("content")
    return content if type(content) is str else None


def _choice(choice: Mapping[str, Any]) -> Chunk:
    """Choice 0, whatever its `index` says: Simli's own sample server counts it up."""
    delta = choice.get("delta")
    if delta is None:
        delta = choice.get("message")
    if not isinstance(delta, dict):
        delta = {}
    content = delta.get("content")
    read = Chunk(content if isinstance(content, str) else _text(content))
    if len(delta) > 1 or (delta and "content" not in delta):
        read.delta = _rest(delta)
    if (reason := choice.get("finish_reason")) is not None:
        read.finish_reason = _finish(reason)
    if isinstance(logprobs := choice.get("logprobs"), dict):
        read.logprobs = logprobs
    return read


def completion(body: bytes) -> list[Chunk]:
    """A whole `chat.completion` that was sent although a stream was asked for: its text, then its finish."""
    read = chunk(body)
    reason, usage = read.finish_reason, read.usage
    if reason is None:
        raise UpstreamProtocolError("The upstream answered with JSON that is no chat completion.")
    read.finish_reason = read.usage = None
    return [read, Chunk(finish_reason=reason, usage=usage)]


def refusal(error: object) -> UpstreamError:
    """An error object of an upstream, in whatever form. Its text stays in our logs: it may quote keys and prompts."""
    fields: Mapping[str, Any] = error if isinstance(error, dict) else {"message": error}
    code = str(fields.get("code") or fields.get("type") or "")
    if "rate_limit" in code or code in {"429", "insufficient_quota"}:
        return UpstreamLimited("The upstream is at its rate limit.")
    if "auth" in code or code in {"401", "403", "invalid_api_key"}:
        return UpstreamAuthFailed("The upstream refused this gateway's key.")
    logger.warning("an upstream answered with an error event; its code: %r", code[:60])
    return UpstreamUnavailable("The upstream answered with an error.")


def _text(content: object) -> str:
    """Content as an array of parts, which some servers send in a delta."""
    if not isinstance(content, list):
        return ""
    parts = (part.get("text") for part in content if isinstance(part, dict))
    return "".join(part for part in parts if isinstance(part, str))


def _rest(delta: Mapping[str, Any]) -> Mapping[str, Any] | None:
    rest: dict[str, Any] = {}
    if isinstance(calls := delta.get("tool_calls"), list) and calls:
        rest["tool_calls"] = [call for call in calls if isinstance(call, dict)]
    if isinstance(refused := delta.get("refusal"), str) and refused:
        rest["refusal"] = refused
    # DeepSeek's and vLLM's name, then OpenRouter's and Groq's.
    reasoning = delta.get("reasoning_content") or delta.get("reasoning")
    if isinstance(reasoning, str) and reasoning:
        rest["reasoning_content"] = reasoning
    return rest or None


def _finish(reason: object) -> FinishReason | None:
    if reason == "error":
        raise UpstreamUnavailable("The upstream ended its answer with an error.")
    if not isinstance(reason, str) or not reason:
        return None  # Ollama once sent "" with every chunk
    return FINISH_REASONS.get(reason.lower(), "stop")
