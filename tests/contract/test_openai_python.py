"""openai-python reads everything that the gateway says: `create`, `.stream()`, not streaming, and its errors."""

from typing import Any

import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam

from tests.upstream import (
    Answer,
    Cut,
    End,
    Event,
    Finish,
    Hang,
    Pause,
    Reasoning,
    Script,
    ToolCall,
    Upstream,
    Usage,
    completion,
    error,
)

ASK: list[ChatCompletionMessageParam] = [{"role": "user", "content": "How tall is the lighthouse?"}]
TEXT = "Grüße 𝄞 from here."
SAY = Script(["Grüße ", "𝄞 ", "from here."])


async def streamed(client: openai.AsyncOpenAI, model: str, **more: Any) -> tuple[str, list[Any]]:
    stream = await client.chat.completions.create(model=model, messages=ASK, stream=True, **more)
    chunks = [chunk async for chunk in stream]
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices), chunks


@pytest.mark.parametrize("model", ["nora", "strict", "up", "up/other"])
async def test_create_streams(client: openai.AsyncOpenAI, upstream: Upstream, model: str) -> None:
    """The text, one choice, one finish, and in every chunk the same id, creation time and model, as it was asked."""
    upstream.script = SAY
    text, chunks = await streamed(client, model)
    assert text == TEXT
    assert {(chunk.id, chunk.created, chunk.model, chunk.object) for chunk in chunks} == {
        (chunks[0].id, chunks[0].created, model, "chat.completion.chunk")
    }
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices[0].finish_reason] == ["stop"]
    assert {chunk.choices[0].index for chunk in chunks} == {0}
    assert chunks[0].choices[0].delta.role == "assistant"


@pytest.mark.parametrize("model", ["nora", "up"])
async def test_the_stream_helper_reads_it(client: openai.AsyncOpenAI, upstream: Upstream, model: str) -> None:
    """`.stream()` is the strictest reader of the SDK: it refuses what has no index, role or finish."""
    upstream.script = SAY
    async with client.chat.completions.stream(model=model, messages=ASK) as stream:
        whole = await stream.get_final_completion()
    assert whole.choices[0].message.content == TEXT and whole.choices[0].finish_reason == "stop"


@pytest.mark.parametrize("model", ["nora", "strict", "up"])
async def test_not_streaming_is_the_same_answer(client: openai.AsyncOpenAI, upstream: Upstream, model: str) -> None:
    """The fold of the same path: one message with the same text."""
    upstream.script = SAY
    whole = await client.chat.completions.create(model=model, messages=ASK, stream=False)
    assert whole.choices[0].message.content == TEXT
    assert whole.choices[0].finish_reason == "stop"
    assert whole.model == model


@pytest.mark.parametrize("counted", [True, False])
async def test_usage_where_it_is_asked_for(client: openai.AsyncOpenAI, upstream: Upstream, counted: bool) -> None:
    """One last chunk without choices; the upstream's count, or an estimate that says so."""
    upstream.script = Script(["Hi", Finish(), *([Usage(11, 3)] if counted else [End()])])
    _, chunks = await streamed(client, "nora", stream_options={"include_usage": True})
    assert chunks[-1].choices == []
    if counted:
        assert (chunks[-1].usage.prompt_tokens, chunks[-1].usage.total_tokens) == (11, 14)
        assert upstream.requests[0].json["stream_options"] == {"include_usage": True}
    else:
        assert chunks[-1].model_extra["x_gateway"] == {"usage_estimated": True}
    assert [chunk.usage for chunk in chunks[:-1]] == [None] * (len(chunks) - 1)


async def test_a_tool_call_arrives_whole(client: openai.AsyncOpenAI, upstream: Upstream) -> None:
    """Index, id, name, arguments in fragments, and a finish of `tool_calls`, streaming and not."""
    upstream.script = Script([ToolCall("c1", "look", ["{", '"a":1', "}"]), Finish("stop")])
    for model in ("nora", "up"):
        async with client.chat.completions.stream(model=model, messages=ASK) as stream:
            whole = await stream.get_final_completion()
        assert whole.choices[0].finish_reason == "tool_calls"
        (call,) = whole.choices[0].message.tool_calls or []
        assert (call.id, call.function.name, call.function.arguments) == ("c1", "look", '{"a":1}')
        plain = await client.chat.completions.create(model=model, messages=ASK)
        assert plain.choices[0].message.tool_calls is not None


async def test_reasoning_reaches_routes_and_no_face(client: openai.AsyncOpenAI, upstream: Upstream) -> None:
    """A bare route passes reasoning on; an agent never says it."""
    upstream.script = Script([Reasoning("hm "), "Hi"])
    text, chunks = await streamed(client, "up")
    assert text == "Hi" and chunks[1].choices[0].delta.model_extra == {"reasoning_content": "hm "}
    text, chunks = await streamed(client, "nora")
    assert text == "Hi" and "hm" not in "".join(chunk.model_dump_json() for chunk in chunks)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (Answer(401, error("no")), openai.InternalServerError),
        (Answer(429, error("slow"), headers={"retry-after": "3"}), openai.RateLimitError),
        (Answer(500, b"<html>"), openai.InternalServerError),
        (Answer(400, error("Too long", "context_length_exceeded")), openai.BadRequestError),
        (Script([], before=[Hang()]), openai.InternalServerError),
        (Script([Hang()]), openai.InternalServerError),
        (Script([], before=[Cut()]), openai.InternalServerError),
        (Script([Event(error("boom"))]), openai.InternalServerError),
    ],
)
@pytest.mark.parametrize("model", ["up", "strict"])
async def test_a_failure_before_the_first_word_is_a_status(
    client: openai.AsyncOpenAI, upstream: Upstream, model: str, answer: Any, kind: type[openai.APIStatusError]
) -> None:
    """The SDK raises the class of the status, with a code, and knows the request's id."""
    upstream.script = answer
    with pytest.raises(kind) as caught:
        await streamed(client, model)
    assert caught.value.code and caught.value.type and caught.value.request_id


@pytest.mark.parametrize("broken", [Cut(), Hang(), b"data: {oops\n\n", Event(error("boom"))])
async def test_a_failure_midway_raises_in_the_client(
    client: openai.AsyncOpenAI, upstream: Upstream, broken: Any
) -> None:
    """A route's stream never just ends: what was said is there, then the SDK raises."""
    upstream.script = Script(["Hel", Pause(0.02), broken])  # a connection that breaks drops what was not read yet
    said = ""
    with pytest.raises(openai.APIError):
        async for chunk in await client.chat.completions.create(model="up", messages=ASK, stream=True):
            said += chunk.choices[0].delta.content or ""
    assert said == "Hel"


@pytest.mark.parametrize("broken", [Cut(), Hang(), b"data: {oops\n\n", Event(error("boom"))])
@pytest.mark.parametrize("model", ["nora", "soft"])
async def test_a_failure_midway_is_spoken(
    client: openai.AsyncOpenAI, upstream: Upstream, broken: Any, model: str
) -> None:
    """A face ends in its apology and a proper finish, and a program can see that it is incomplete."""
    upstream.script = Script(["Hel", Pause(0.02), broken])  # a connection that breaks drops what was not read yet
    text, chunks = await streamed(client, model)
    assert text.startswith("Hel\N{HORIZONTAL ELLIPSIS} Sorry")
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert chunks[-1].model_extra["x_gateway"]["incomplete"] is True


@pytest.mark.parametrize(
    "answer",
    [
        Answer(500),
        Script([], before=[Hang()]),
        Script([Hang()]),
        Script([Finish()]),
        Script([Reasoning("hm"), Finish("length")]),
    ],
)
async def test_a_failure_before_the_first_word_is_spoken(
    client: openai.AsyncOpenAI, upstream: Upstream, answer: Any
) -> None:
    """Refused, silent, empty or only reasoning: the face says its apology, streaming and not."""
    upstream.script = answer
    text, chunks = await streamed(client, "nora")
    assert text == "Sorry, I lost my thread." and chunks[-1].model_extra["x_gateway"]["incomplete"] is True
    whole = await client.chat.completions.create(model="nora", messages=ASK)
    assert whole.choices[0].message.content == "Sorry, I lost my thread."


async def test_json_in_place_of_a_stream_is_a_stream(client: openai.AsyncOpenAI, upstream: Upstream) -> None:
    """One JSON object answered to a stream request is silence in most clients; the gateway makes a stream of it."""
    upstream.script = Answer(body=completion("Hello."))
    assert (await streamed(client, "up"))[0] == "Hello."


async def test_models(client: openai.AsyncOpenAI) -> None:
    """Agents and routes are listed; one, a model behind a route, and nobody."""
    listed = {model.id: model.owned_by async for model in client.models.list()}
    assert listed == {"nora": "agent", "strict": "agent", "soft": "route", "up": "route"}
    assert (await client.models.retrieve("nora")).id == "nora"
    assert (await client.models.retrieve("up/gpt-4o")).id == "up/gpt-4o"
    with pytest.raises(openai.NotFoundError):
        await client.models.retrieve("nobody")
