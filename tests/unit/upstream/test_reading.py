"""gateway/upstream/reading.py"""

from typing import Any

import orjson
import pytest

from gateway.errors import UpstreamAuthFailed, UpstreamError, UpstreamLimited, UpstreamProtocolError
from gateway.types import Chunk
from gateway.upstream import reading


def read(body: Any) -> Chunk:
    return reading.chunk(orjson.dumps(body))


def delta(content: Any, **choice: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": {"content": content}, **choice}]}


@pytest.mark.parametrize(
    "body",
    [
        delta("hi"),
        {"id": 0, "choices": [{"delta": {"content": "hi"}}], "created": "Unix Time Stamp"},
        delta("hi", index=4, finish_reason=""),
        delta([{"type": "text", "text": "h"}, {"type": "text", "text": "i"}]),
        {"choices": [{"delta": None, "message": {"content": "hi"}}]},
        {"choices": [{"message": {"role": "assistant", "content": "hi"}}]},
    ],
)
def test_text_is_found_in_every_shape_that_servers_send(body: Any) -> None:
    """The seed's own chunk, content as parts, a message in place of the delta: all of it is `hi`."""
    assert read(body) == Chunk("hi")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"choices": []},
        {"choices": None},
        {"choices": {}},
        {"choices": [None]},
        delta(None),
        delta(7),
        {"choices": [{"delta": None}]},
        {"choices": [{"delta": {"role": "assistant", "content": ""}, "finish_reason": None}]},
    ],
)
def test_a_chunk_that_says_nothing_is_an_empty_chunk(body: Any) -> None:
    """Heartbeats, role chunks and nulls are no errors and no text."""
    assert read(body) == Chunk()


@pytest.mark.parametrize(("reason", "ours"), [*reading.FINISH_REASONS.items(), ("STOP", "stop"), ("whatever", "stop")])
def test_every_finish_reason_is_one_of_four(reason: str, ours: str) -> None:
    """Servers' own names for an ending become OpenAI's."""
    assert read(delta("", finish_reason=reason)).finish_reason == ours


def test_what_else_a_delta_holds_is_kept() -> None:
    """Tool calls, refusals and reasoning stay; unknown keys do not."""
    call = {"index": 0, "id": "c", "function": {"name": "f", "arguments": ""}}
    body = {"choices": [{"delta": {"tool_calls": [call, 7], "refusal": "no", "reasoning": "hm", "audio": {}}}]}
    assert read(body).delta == {"tool_calls": [call], "refusal": "no", "reasoning_content": "hm"}


def test_a_delta_of_one_key_is_read() -> None:
    """Fragments of a call, and reasoning, come without content."""
    assert read({"choices": [{"delta": {"reasoning_content": "hm"}}]}).delta == {"reasoning_content": "hm"}


def test_usage_and_logprobs_are_kept() -> None:
    """Usage comes with or without choices."""
    assert read({"choices": [], "usage": {"total_tokens": 3}}).usage == {"total_tokens": 3}
    assert read(delta("a", logprobs={"content": []}) | {"usage": {"total_tokens": 4}}) == Chunk(
        "a", usage={"total_tokens": 4}, logprobs={"content": []}
    )


@pytest.mark.parametrize("event", [b"{", b"7", b"null", b'"x"', b"\xff", b"<html>"])
def test_what_is_no_chunk_is_refused(event: bytes) -> None:
    """Garbage is an error of the upstream, not an empty answer."""
    with pytest.raises(UpstreamProtocolError):
        reading.chunk(event)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"message": "slow down", "code": "rate_limit_exceeded"}, UpstreamLimited),
        ({"message": "no", "code": "invalid_api_key"}, UpstreamAuthFailed),
        ({"message": "oops", "type": "server_error"}, UpstreamError),
        ("a bare string", UpstreamError),
    ],
)
def test_an_error_in_an_event_is_an_error(error: Any, kind: type[UpstreamError]) -> None:
    """An error object with status 200 fails the turn; its own words, which may quote a key, stay out."""
    with pytest.raises(kind) as caught:
        read({"error": error, "choices": []})
    assert "oops" not in caught.value.message and "bare" not in caught.value.message


def test_a_finish_of_error_is_an_error() -> None:
    """OpenRouter's `finish_reason: "error"` never reaches a caller."""
    with pytest.raises(UpstreamError):
        read(delta("", finish_reason="error"))


def test_the_events_of_one_read_say_that_more_follows() -> None:
    """All but the last chunk of a read are marked, and nothing behind `[DONE]` is read."""
    event = orjson.dumps(delta("x"))
    assert [chunk.more for chunk in reading.chunks([event, event, event])] == [True, True, False]
    assert [chunk.text for chunk in reading.chunks([event, reading.DONE, b"garbage"])] == ["x"]


def test_a_json_completion_becomes_chunks() -> None:
    """A server that ignores `stream` is answered with a stream all the same."""
    body = {"choices": [{"message": {"content": "hi"}, "finish_reason": "length"}], "usage": {"total_tokens": 1}}
    assert reading.completion(orjson.dumps(body)) == [
        Chunk("hi"),
        Chunk(finish_reason="length", usage={"total_tokens": 1}),
    ]
    with pytest.raises(UpstreamProtocolError):
        reading.completion(b'{"choices":[]}')
