"""Chunks into server-sent events: strict output, whatever came in.

One template a stream, made once: `id`, `created` and `model` are the same in every event, as OpenAI's clients require
(openai-node's `.stream()` and the AI SDK refuse a stream where they are missing, change or have another type).
"""

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from typing import Any, NamedTuple

import orjson

from gateway.errors import GatewayError
from gateway.errors.redaction import Redact, enveloped, redacted
from gateway.types import Chunk, Chunks

DONE = b"data: [DONE]\n\n"


_Write = Callable[[Chunk], bytes]


class Stamp(NamedTuple):
    """What every event of one stream has in common."""

    id: str
    """`chatcmpl-…`"""
    created: int
    """Seconds since the epoch."""
    model: str
    """What the caller asked for."""


def error_event(error: GatewayError, redact: Redact = redacted) -> bytes:
    """The event that makes every OpenAI client raise: an error cannot be a status once the answer has begun."""
    return b"data: " + orjson.dumps(enveloped(error, redact)) + b"\n\n"


async def frames(
    chunks: Chunks, stamp: Stamp, *, usage: bool, redact: Redact = redacted
) -> AsyncGenerator[bytes, None]:
    """Yield what goes out: events read together are written together, none is split or held back.

    With `usage`, one more event behind the finish carries it and all others say `"usage": null`. The stream ends in
    `[DONE]`, always, and before that in a finish or an error, which goes through `redact`.
    """
    write = _written(stamp, usage=usage)
    counted = Chunk()
    pending = [write(Chunk(delta={"role": "assistant", "content": ""}))]
    try:
        async with aclosing(chunks):
            async for chunk in chunks:
                if chunk.usage:
                    counted = chunk
                if chunk.text or chunk.delta or chunk.finish_reason:
                    pending.append(write(chunk))
                if not chunk.more and pending:
                    yield b"".join(pending)
                    pending.clear()
        if usage:
            pending.append(_usage(stamp, counted))
    except GatewayError as error:
        pending.append(error_event(error, redact))
    pending.append(DONE)
    yield b"".join(pending)


def _written(stamp: Stamp, *, usage: bool) -> _Write:
    head = orjson.dumps(
        {"id": stamp.id, "object": "chat.completion.chunk", "created": stamp.created, "model": stamp.model}
    )
    head = b"data: " + head[:-1] + b',"choices":[{"index":0,"delta":'
    text_tail = b'},"logprobs":null,"finish_reason":null}]'
    end = b',"usage":null}\n\n' if usage else b"}\n\n"
    text_head, text_tail = head + b'{"content":', text_tail + end
    dumps = orjson.dumps

    def write(chunk: Chunk) -> bytes:
        if chunk.text and not (chunk.delta or chunk.finish_reason or chunk.logprobs or chunk.extension):
            return text_head + dumps(chunk.text) + text_tail
        delta = dict(chunk.delta or {})
        if chunk.text:
            delta["content"] = chunk.text
        parts = [
            head,
            dumps(delta),
            b',"logprobs":',
            dumps(chunk.logprobs),
            b',"finish_reason":',
            dumps(chunk.finish_reason),
            b"}]",
        ]
        if chunk.extension:
            parts += (b',"x_gateway":', dumps(chunk.extension))
        return b"".join((*parts, end))

    return write


def _usage(stamp: Stamp, counted: Chunk) -> bytes:
    body: dict[str, Any] = {
        "id": stamp.id,
        "object": "chat.completion.chunk",
        "created": stamp.created,
        "model": stamp.model,
        "choices": [],
        "usage": usage_of(counted),
    }
    if counted.extension:
        body["x_gateway"] = counted.extension
    return b"data: " + orjson.dumps(body) + b"\n\n"


def usage_of(counted: Chunk) -> dict[str, Any]:
    """OpenAI's usage object, whole, whatever the upstream left out of it."""
    usage = counted.usage or {}
    prompt, completion = _count(usage.get("prompt_tokens")), _count(usage.get("completion_tokens"))
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": _count(usage.get("total_tokens")) or prompt + completion,
        "prompt_tokens_details": {"cached_tokens": _detail(usage, "prompt_tokens_details", "cached_tokens")},
        "completion_tokens_details": {
            "reasoning_tokens": _detail(usage, "completion_tokens_details", "reasoning_tokens")
        },
    }


def _count(value: object) -> int:
    return value if isinstance(value, int) and value >= 0 else 0


def _detail(usage: Mapping[str, Any], group: str, name: str) -> int:
    details = usage.get(group)
    return _count(details.get(name)) if isinstance(details, Mapping) else 0
