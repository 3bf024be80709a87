"""The local language model, as it is run: protocol, cancellation, start and stop; not its wit."""

import asyncio
import importlib.util
import json
import logging
import time
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from gateway.processes import ChildError, supervised
from gateway.upstream import local

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec(local.ENGINE) is None,
    reason=f"{local.ENGINE} is not installed; `make run LLM=1` installs it",
)
QUESTION = [
    {"role": "system", "content": "You answer in one short sentence."},
    {
        "role": "user",
        "content": "The lamp turns once in ten seconds.\n\nHow long does one turn of the lamp take?",
    },
]


async def events(url: str, **request: Any) -> AsyncGenerator[dict[str, Any], None]:
    """The chunks of one streamed completion, as parsed JSON; `[DONE]` ends it."""
    body = {"stream": True, "stream_options": {"include_usage": True}, "messages": QUESTION} | request
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{url}/chat/completions", json=body) as answer,
    ):
        assert answer.status == 200, await answer.text()
        assert answer.content_type == "text/event-stream"
        async for line in answer.content:
            if line.strip() == b"data: [DONE]":
                return
            if line.startswith(b"data: "):
                yield json.loads(line[6:])
    pytest.fail("the stream ended without [DONE]")


async def test_streams_an_answer_and_stops_when_left(caplog: pytest.LogCaptureFixture) -> None:
    """A question is answered in chunks with a finish and usage, and after the block nobody listens."""
    port = local.free_port()
    child = local.child(local.model_file(), port)
    with caplog.at_level(logging.DEBUG, "gateway.processes"):
        async with supervised(child):
            chunks = [chunk async for chunk in events(local.base_url(port), max_tokens=24, temperature=0)]
    choices = [choice for chunk in chunks for choice in chunk["choices"]]
    text = "".join(choice["delta"].get("content") or "" for choice in choices)
    assert text.strip()
    assert sum(bool(choice["delta"].get("content")) for choice in choices) > 3
    assert choices[-1]["finish_reason"] in {"stop", "length"}
    assert {choice["index"] for choice in choices} == {0}
    usage = next(chunk["usage"] for chunk in chunks if chunk.get("usage"))
    assert usage["completion_tokens"] > 3
    assert usage["prompt_tokens"] > 20
    assert chunks[0]["model"] == local.model_file().stem
    assert len(caplog.records) <= 1, "the engine is quiet"
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)


async def test_closed_connection_stops_the_generation() -> None:
    """With one slot, a question is answered at once although a long answer was begun and hung up on."""
    port = local.free_port()
    async with supervised(local.child(local.model_file(), port, parallel=1)):
        url = local.base_url(port)
        endless = events(url, max_tokens=4000, ignore_eos=True)
        read = 0
        async for chunk in endless:
            read += bool(chunk["choices"] and chunk["choices"][0]["delta"].get("content"))
            if read == 5:
                break
        await endless.aclose()
        began = time.monotonic()
        answered = [chunk async for chunk in events(url, max_tokens=2)]
        took = time.monotonic() - began
    assert answered[-1]["usage"]["completion_tokens"] <= 2
    assert took < 5.0, "4000 tokens take some 40 s, and there is one slot"


async def test_prompt_prefix_is_cached() -> None:
    """The second question behind the same beginning does not pay for that beginning again."""
    port = local.free_port()
    async with supervised(local.child(local.model_file(), port, parallel=1)):
        url = local.base_url(port)
        for _ in range(2):
            chunks = [chunk async for chunk in events(url, max_tokens=1)]
    usage = chunks[-1]["usage"]
    assert usage["prompt_tokens_details"]["cached_tokens"] > usage["prompt_tokens"] / 2


async def test_broken_model_file_is_the_start_s_error(tmp_path: Path) -> None:
    """A file that the engine cannot load ends the start at once, with what the engine said."""
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF" + bytes(64))
    with pytest.raises(ChildError, match=r"(?s)llm ended with status .*broken\.gguf"):
        async with supervised(local.child(local.model_file(broken), local.free_port())):
            pytest.fail("it does not serve")
