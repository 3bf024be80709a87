"""gateway/chat/frames.py and completion.py"""

from collections.abc import Iterable
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.chat import completion
from gateway.chat.frames import Stamp, frames
from gateway.errors import GatewayError, UpstreamStalled
from gateway.types import Chunk, Chunks

STAMP = Stamp("chatcmpl-1", 1_700_000_000, 'a "model"')
STOP = Chunk(finish_reason="stop")


async def source(chunks: Iterable[Chunk], error: GatewayError | None = None) -> Chunks:
    for chunk in chunks:
        yield chunk
    if error:
        raise error


async def written(*chunks: Chunk, usage: bool = False, error: GatewayError | None = None) -> list[bytes]:
    return [write async for write in frames(source(chunks, error), STAMP, usage=usage)]


def events(writes: list[bytes]) -> list[Any]:
    body = b"".join(writes)
    assert body.endswith(b"data: [DONE]\n\n") and b"\r" not in body
    parts = body.split(b"\n\n")
    assert parts.pop() == b"" and parts.pop() == b"data: [DONE]"
    return [orjson.loads(part.removeprefix(b"data: ")) for part in parts]


async def test_a_stream_is_what_the_strictest_client_reads() -> None:
    """Role first, constant id, created and model, index 0, one finish: field for field."""
    common = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1_700_000_000, "model": 'a "model"'}

    def choice(delta: dict[str, Any], reason: str | None = None) -> dict[str, Any]:
        return {**common, "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}]}

    assert events(await written(Chunk('ü "🙂"\n'), Chunk(), STOP)) == [
        choice({"role": "assistant", "content": ""}),
        choice({"content": 'ü "🙂"\n'}),
        choice({}, "stop"),
    ]


async def test_events_read_together_are_written_together() -> None:
    """One write a read: the role goes out with the first, and an empty chunk that ends a read sends what waits."""
    writes = await written(Chunk("a", more=True), Chunk("b"), Chunk("c", more=True), Chunk(), STOP)
    assert [write.count(b"data: ") for write in writes] == [3, 1, 1, 1]


async def test_nothing_waits_for_the_next_read() -> None:
    """A chunk that no other follows is written before the next one is asked for."""
    stream = frames(source([Chunk("a"), STOP]), STAMP, usage=False)
    assert b'"content":"a"' in await anext(stream)
    await stream.aclose()


async def test_usage_comes_behind_the_finish_and_only_when_asked() -> None:
    """One more event without choices; all the others say null; every total is there."""
    counted = Chunk(usage={"prompt_tokens": 3, "completion_tokens": 4, "prompt_tokens_details": {"cached_tokens": 2}})
    *others, last = events(await written(Chunk("a"), STOP, counted, usage=True))
    assert last["choices"] == [] and last["usage"] == {
        "prompt_tokens": 3,
        "completion_tokens": 4,
        "total_tokens": 7,
        "prompt_tokens_details": {"cached_tokens": 2},
        "completion_tokens_details": {"reasoning_tokens": 0},
    }
    assert all(event["usage"] is None for event in others)
    assert not any("usage" in event for event in events(await written(Chunk("a"), STOP, counted)))


async def test_an_estimated_usage_says_so() -> None:
    """`x_gateway.usage_estimated` marks it."""
    counted = Chunk(usage={"prompt_tokens": 3, "completion_tokens": 4}, extension={"usage_estimated": True})
    assert events(await written(STOP, counted, usage=True))[-1]["x_gateway"] == {"usage_estimated": True}


async def test_a_finish_in_a_chunk_with_text_keeps_both() -> None:
    """Some servers put the last word and the reason into one chunk."""
    event = events(await written(Chunk("end", finish_reason="length", extension={"a": 1})))[-1]
    assert event["choices"][0]["delta"] == {"content": "end"} and event["choices"][0]["finish_reason"] == "length"
    assert event["x_gateway"] == {"a": 1}


async def test_an_error_is_an_event_and_then_done() -> None:
    """What was said goes out first, then the one error object that every client raises on."""
    writes = await written(Chunk("a", more=True), error=UpstreamStalled("silent"))
    assert events(writes)[1]["choices"][0]["delta"] == {"content": "a"}
    assert events(writes)[-1] == {
        "error": {"message": "silent", "type": "upstream_error", "param": None, "code": "upstream_stalled"}
    }


CALL = {"index": 0, "id": "c1", "type": "function", "function": {"name": "f", "arguments": ""}}


async def test_a_fold_is_one_completion() -> None:
    """Text, calls and their fragments, reasoning, usage and extension, in OpenAI's shape."""
    chunks = (
        Chunk("Hel", delta={"reasoning_content": "h"}),
        Chunk("lo", delta={"reasoning_content": "m"}),
        Chunk(delta={"tool_calls": [CALL]}),
        Chunk(delta={"tool_calls": [{"index": 0, "function": {"arguments": '{"a":1}'}}]}),
        Chunk(finish_reason="tool_calls", extension={"sources": []}),
        Chunk(usage={"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}),
    )
    whole = await completion.folded(source(chunks), STAMP)
    assert whole["object"] == "chat.completion" and whole["usage"]["total_tokens"] == 3
    assert whole["x_gateway"] == {"sources": []}
    assert whole["choices"] == [
        {
            "index": 0,
            "message": {
                "role": "assistant",
                "content": "Hello",
                "refusal": None,
                "reasoning_content": "hm",
                "tool_calls": [
                    {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}},
                ],
            },
            "logprobs": None,
            "finish_reason": "tool_calls",
        }
    ]


async def test_a_failed_stream_fails_its_fold() -> None:
    """Half an answer is no completion."""
    with pytest.raises(UpstreamStalled):
        await completion.folded(source([Chunk("half")], UpstreamStalled("")), STAMP)


@given(st.lists(st.tuples(st.text(max_size=8), st.booleans()), max_size=8))
async def test_a_stream_and_its_fold_say_the_same(said: list[tuple[str, bool]]) -> None:
    """The concatenated stream is the folded text, whatever the chunks and however they were read."""
    try:
        "".join(text for text, _ in said).encode()
    except UnicodeEncodeError:
        return
    chunks = [Chunk(text, more=more) for text, more in said]
    streamed = events(await written(*chunks, STOP))
    text = "".join(event["choices"][0]["delta"].get("content", "") for event in streamed)
    whole = await completion.folded(source([*chunks, STOP]), STAMP)
    assert text == whole["choices"][0]["message"]["content"] == "".join(text for text, _ in said)
