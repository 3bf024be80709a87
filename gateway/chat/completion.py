"""A stream folded into one `chat.completion`: `"stream": false` takes the same path as a stream."""

from contextlib import aclosing
from typing import Any

from gateway.chat.frames import Stamp, usage_of
from gateway.types import Chunk, Chunks


async def folded(chunks: Chunks, stamp: Stamp) -> dict[str, Any]:
    """Return https://platform.openai.com/docs/api-reference/chat/object. Raises what the stream raises."""
    texts: list[str] = []
    said: dict[str, str] = {}
    calls: dict[int, dict[str, Any]] = {}
    logprobs: list[Any] = []
    extension: dict[str, Any] = {}
    finish_reason, counted = "stop", Chunk()
    async with aclosing(chunks):
        async for chunk in chunks:
            texts.append(chunk.text)
            for name, value in (chunk.delta or {}).items():
                if name == "tool_calls":
                    _merge(calls, value)
                else:
                    said[name] = said.get(name, "") + value
            if chunk.logprobs:
                logprobs += chunk.logprobs.get("content") or []
            extension |= chunk.extension or {}
            finish_reason = chunk.finish_reason or finish_reason
            if chunk.usage:
                counted = chunk
    text = "".join(texts)
    message: dict[str, Any] = {"role": "assistant", "content": text, "refusal": None, **said}
    if calls and not extension.get("incomplete"):  # half a call is none
        message |= {"content": text or None, "tool_calls": [calls[index] for index in sorted(calls)]}
    choice = {
        "index": 0,
        "message": message,
        "logprobs": {"content": logprobs, "refusal": None} if logprobs else None,
        "finish_reason": finish_reason,
    }
    body: dict[str, Any] = {
        "id": stamp.id,
        "object": "chat.completion",
        "created": stamp.created,
        "model": stamp.model,
        "choices": [choice],
        "usage": usage_of(counted),
    }
    return body | ({"x_gateway": extension} if extension else {})


def _merge(calls: dict[int, dict[str, Any]], fragments: list[dict[str, Any]]) -> None:
    for fragment in fragments:
        call = calls.setdefault(
            fragment["index"], {"id": "", "type": "function", "function": {"name": "", "arguments": ""}}
        )
        call["id"] = call["id"] or fragment.get("id", "")
        for name in ("name", "arguments"):
            call["function"][name] += fragment["function"].get(name) or ""
