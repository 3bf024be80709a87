"""What goes over the wire, rule by rule (openai-contract F.2): asserted on the bytes, with no client between."""

from typing import Any

import pytest

from gateway.app import Drain
from tests.caller import Call, calling
from tests.upstream import Event, Finish, Hang, Pause, Script, Upstream

ASK = {"messages": [{"role": "user", "content": "How tall is it?"}]}


async def raw(call: Call) -> bytes:
    return await call.body()


@pytest.mark.parametrize("model", ["nora", "up"])
async def test_the_headers_of_a_stream(gateway: str, model: str) -> None:
    """Nothing between may buffer, keep or compress it; who answered and how long it took is said."""
    async with calling(f"{gateway}/v1/chat/completions", {**ASK, "model": model, "stream": True}) as call:
        assert await call.head() == 200
        headers = call.headers
    assert headers["content-type"] == "text/event-stream; charset=utf-8"
    assert headers["cache-control"] == "no-cache, no-transform" and headers["x-accel-buffering"] == "no"
    assert not {"content-length", "content-encoding", "connection"} & set(headers)
    assert headers["x-gateway-target"] == "up/scripted" and "upstream;dur=" in headers["server-timing"]


async def test_events_are_data_and_line_feeds_only(gateway: str, upstream: Upstream) -> None:
    """No CR, no `id`, `event` or `retry`, no comment; `[DONE]` once, last, whatever the upstream's framing was."""
    upstream.script = Script(["a", Event({"choices": []}, id="7"), "b"], newline="\r\n", bom=True)
    async with calling(f"{gateway}/v1/chat/completions", {**ASK, "model": "nora"}) as call:
        body = await raw(call)
    assert b"\r" not in body and body.endswith(b"data: [DONE]\n\n") and body.count(b"[DONE]") == 1
    assert all(line.startswith(b"data: ") for line in body.split(b"\n") if line)


@pytest.mark.parametrize(
    "steps",
    [
        [Event({"id": 0, "choices": [{"delta": {"content": "Hi"}}], "created": "Unix Time Stamp", "object": "x"})],
        [Event({"id": "", "choices": [{"delta": {"content": "Hi"}, "index": 4}], "model": "gpt", "created": 0})],
        ["Hi"],
    ],
)
async def test_output_is_strict_whatever_came_in(gateway: str, upstream: Upstream, steps: Any) -> None:
    """The seed's own chunks come out with a string id, an integer time, index 0, a role, and one finish."""
    upstream.script = Script([*steps, Finish()])
    async with calling(f"{gateway}/v1/chat/completions", {**ASK, "model": "up", "stream": True}) as call:
        chunks = await call.chunks()
    for chunk in chunks:
        assert chunk["id"] == chunks[0]["id"] and chunk["id"].startswith("chatcmpl-")
        assert type(chunk["created"]) is int and chunk["model"] == "up"
        assert chunk["object"] == "chat.completion.chunk" and chunk["choices"][0]["index"] == 0
        assert {"delta", "finish_reason", "logprobs", "index"} == set(chunk["choices"][0])
    assert chunks[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks] == [None] * (len(chunks) - 1) + ["stop"]
    assert chunks[-1]["choices"][0]["delta"] == {}


async def test_an_absent_stream_is_the_agents_choice_and_a_routes_no(gateway: str) -> None:
    """A face streams, an agent may say otherwise, and a bare route does what OpenAI does."""
    for model, kind in (("nora", "text/event-stream"), ("strict", "application/json"), ("up", "application/json")):
        async with calling(f"{gateway}/v1/chat/completions", {**ASK, "model": model}) as call:
            await call.head()
            assert call.headers["content-type"].startswith(kind)


async def test_chunks_pass_one_by_one(gateway: str, upstream: Upstream) -> None:
    """Nothing is held back: each word arrives when the upstream said it."""
    upstream.script = Script(["a", Pause(0.1), "b", Pause(0.1), "c"])
    async with calling(f"{gateway}/v1/chat/completions", {**ASK, "model": "nora"}) as call:
        said = {e.json["choices"][0]["delta"].get("content"): e.at async for e in call.events() if e.data[0] == "{"}
    assert 0.08 < said["b"] - said["a"] < 0.2 and 0.08 < said["c"] - said["b"] < 0.2


async def test_the_status_waits_for_the_first_word(gateway: str, upstream: Upstream) -> None:
    """A role chunk is no token: headers go out with the first text, so that a failure can still be a status."""
    upstream.script = Script([Event({"choices": [{"delta": {"role": "assistant"}}]}), Pause(0.15), "Hi"])
    async with calling(f"{gateway}/v1/chat/completions", {**ASK, "model": "nora"}) as call:
        await call.head()
        first = await anext(aiter(call.events()))
    assert first.at > 0.14


async def test_a_json_answer_is_whole(gateway: str, upstream: Upstream) -> None:
    """Its length is declared, every field that OpenAI's object has is there, and how long it took is said."""
    upstream.script = Script(["Hi"])
    async with calling(f"{gateway}/v1/chat/completions", {**ASK, "model": "nora", "stream": False}) as call:
        body = await call.json()
    assert int(call.headers["content-length"]) > 0 and call.headers["content-type"] == "application/json"
    assert int(call.headers["openai-processing-ms"]) < 5000 and "ttft;dur=" in call.headers["server-timing"]
    assert set(body) >= {"id", "object", "created", "model", "choices", "usage"}
    (choice,) = body["choices"]
    assert choice == {
        "index": 0,
        "message": {"role": "assistant", "content": "Hi", "refusal": None},
        "logprobs": None,
        "finish_reason": "stop",
    }
    assert body["usage"]["total_tokens"] == body["usage"]["prompt_tokens"] + body["usage"]["completion_tokens"]


async def test_logprobs_and_parameters_pass_through(gateway: str, upstream: Upstream) -> None:
    """What a caller asks of the model reaches the model, and what the model says of its tokens reaches the caller."""
    token = {"token": "Hi", "logprob": -0.1, "bytes": None, "top_logprobs": []}
    said: dict[str, Any] = {"content": [token], "refusal": None}
    choice = {"index": 0, "delta": {"content": "Hi"}, "logprobs": said, "finish_reason": None}
    upstream.script = Script([Event({"choices": [choice]}), Finish("length")])
    asked = {**ASK, "model": "up", "stream": True, "logprobs": True, "max_completion_tokens": 1, "seed": 7}
    async with calling(f"{gateway}/v1/chat/completions", asked) as call:
        chunks = await call.chunks()
    assert [c["choices"][0]["logprobs"] for c in chunks if c["choices"][0]["logprobs"]] == [said]
    assert chunks[-1]["choices"][0]["finish_reason"] == "length"
    sent = upstream.requests[0].json
    assert (sent["logprobs"], sent["max_completion_tokens"], sent["seed"]) == (True, 1, 7)


@pytest.mark.parametrize("model", ["nora", "up"])
async def test_the_end_of_the_process_ends_a_stream_properly(
    gateway: str, upstream: Upstream, drain: Drain, model: str
) -> None:
    """A face says its apology and finishes; a route's caller gets an error event; both get `[DONE]`."""
    upstream.script = Script(["Hel", Hang()])
    async with calling(f"{gateway}/v1/chat/completions", {**ASK, "model": model, "stream": True}) as call:
        events = [await anext(stream := aiter(call.events())), await anext(stream)]
        drain.end_streams()
        events += [event async for event in stream]
    assert events[-1].data == "[DONE]"
    if model == "nora":
        assert events[-2].json["x_gateway"] == {"incomplete": True, "code": "shutting_down", "sources": []}
    else:
        assert events[-2].json["error"]["code"] == "shutting_down"
