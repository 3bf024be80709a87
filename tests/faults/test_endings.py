"""How answers end, whatever the upstream's did: for a face and for a strict caller, streaming and not; never mutely."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

import openai
import orjson
import pytest

from gateway.app import create_app
from gateway.settings import Breaker, Route, Settings, Target
from gateway.types import Agent
from tests.caller import calling
from tests.serving import serve, sharing
from tests.upstream import (
    Answer,
    Cut,
    Done,
    End,
    Event,
    Finish,
    Hang,
    Pause,
    Reasoning,
    Reset,
    Script,
    ToolCall,
    Upstream,
    completion,
    error,
)
from tests.upstream.script import Step

SORRY = "Sorry, I lost my thread."
ASK: list[Any] = [{"role": "user", "content": "How tall is the lighthouse?"}]
NORA = Agent("nora", "You are Nora.", apology=SORRY)
STRICT = Agent("strict", "You are strict.", on_failure="error")
PAUSED = f"The tower is for\N{HORIZONTAL ELLIPSIS} {SORRY}"
READ = Pause(0.02)
"""A connection that breaks drops what was not read yet."""
BREAKS: dict[str, tuple[list[Step], str]] = {
    "u07-stall": ([Hang()], "upstream_stalled"),
    "u08-reset": ([READ, Reset()], "upstream_truncated"),
    "cut": ([READ, Cut()], "upstream_truncated"),
    "u09-end": ([End()], "upstream_truncated"),
    "u13-error": ([Event(error("secret words", "sk-secret-code"))], "upstream_unavailable"),
    "garbled": ([b"data: {oops\n\n"], "upstream_protocol_error"),
    "no-json": ([Event("[1, 2]")], "upstream_protocol_error"),
    "u23-error": ([Finish("error")], "upstream_unavailable"),
    "half-event": ([b'data: {"choices": [{"delta": {"con', End()], "upstream_protocol_error"),
}


class Ended(NamedTuple):
    """One answer, however it was asked for."""

    text: str
    finish: str
    code: str
    """Of `x_gateway`, or of the error."""
    raised: bool
    calls: Any = None
    status: int = 200


@pytest.fixture
async def gateway(upstream: Upstream, tmp_path: Path) -> AsyncIterator[str]:
    """A gateway with agents `nora` (speaks) and `strict`, and routes `up` (error) and `soft` (speaks)."""
    target = Target(url=upstream.url, model="m", connect=0.5, first_token=0.4, between_chunks=0.2, total=5.0)
    routes = {"up": Route((target,)), "soft": Route((target,), on_failure="speak")}
    settings = Settings(routes=routes, default_route="up", breaker=Breaker(failures=1000), var=tmp_path)
    async with serve(create_app(sharing(settings), {"nora": NORA, "strict": STRICT})) as url:
        yield url


async def streamed(url: str, model: str) -> Ended:
    """Ask the openai client for a stream."""
    text = finish = code = ""
    async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="any", max_retries=0) as client:
        try:
            async for chunk in await client.chat.completions.create(model=model, messages=ASK, stream=True):
                text += chunk.choices[0].delta.content or ""
                finish += chunk.choices[0].finish_reason or ""
                code += ((chunk.model_extra or {}).get("x_gateway") or {}).get("code", "")
        except openai.APIError as caught:
            status = caught.status_code if isinstance(caught, openai.APIStatusError) else 200
            return Ended(text, finish, caught.code or "", raised=True, status=status)
    return Ended(text, finish, code, raised=False)


async def whole(url: str, model: str) -> Ended:
    """Ask the openai client for one JSON object."""
    async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="any", max_retries=0) as client:
        try:
            answer = await client.chat.completions.create(model=model, messages=ASK, stream=False)
        except openai.APIStatusError as caught:
            return Ended("", "", caught.code or "", raised=True, status=caught.status_code)
    choice, extension = answer.choices[0], (answer.model_extra or {}).get("x_gateway") or {}
    return Ended(
        choice.message.content or "",
        choice.finish_reason,
        extension.get("code", ""),
        raised=False,
        calls=choice.message.tool_calls,
    )


async def raw(url: str, model: str) -> list[Any]:
    """The events of a stream, parsed; it ends in `[DONE]`, once, and in a finish or an error before that, once."""
    async with calling(f"{url}/chat/completions", {"model": model, "messages": ASK, "stream": True}) as call:
        assert await call.head() == 200
        body = await asyncio.wait_for(call.body(), 5)
    assert body.endswith(b"data: [DONE]\n\n") and body.count(b"[DONE]") == 1
    events = [orjson.loads(event.removeprefix(b"data: ")) for event in body.split(b"\n\n")[:-2]]
    ends = ["error" in event or bool(event["choices"] and event["choices"][0]["finish_reason"]) for event in events]
    assert ends == [False] * (len(ends) - 1) + [True]
    return events


@pytest.mark.parametrize("model", ["nora", "soft"])
@pytest.mark.parametrize(("broken", "code"), BREAKS.values(), ids=BREAKS)
async def test_u07_u08_u09_u13_a_break_after_text_is_spoken(
    gateway: str, upstream: Upstream, broken: list[Step], code: str, model: str
) -> None:
    """A face pauses, says its apology and finishes with `stop`; `x_gateway` says `incomplete` and why."""
    upstream.script = Script(["The tower ", "is for", *broken])
    for answer in (await streamed(gateway, model), await whole(gateway, model)):
        assert answer.text.startswith("The tower is for\N{HORIZONTAL ELLIPSIS} Sorry")
        assert (answer.finish, answer.code, answer.raised) == ("stop", code, False)
    events = await raw(gateway, model)
    assert events[-1]["x_gateway"]["incomplete"] is True and "secret" not in str(events)
    assert model == "soft" or "".join(event["choices"][0]["delta"].get("content", "") for event in events) == PAUSED


@pytest.mark.parametrize("model", ["strict", "up"])
@pytest.mark.parametrize(("broken", "code"), BREAKS.values(), ids=BREAKS)
async def test_u07_u08_u09_u13_a_break_after_text_raises(
    gateway: str, upstream: Upstream, broken: list[Step], code: str, model: str
) -> None:
    """With `on_failure = "error"` the text stays, an error event makes the client raise, and the stream is closed."""
    upstream.script = Script(["The tower ", "is for", *broken])
    assert await streamed(gateway, model) == Ended("The tower is for", "", code, raised=True)
    plain = await whole(gateway, model)
    assert plain.raised and plain.code == code and plain.status in {502, 504}
    events = await raw(gateway, model)
    assert events[-1]["error"]["code"] == code and "secret" not in str(events)


@pytest.mark.parametrize(("broken", "code"), BREAKS.values(), ids=BREAKS)
async def test_a_break_before_text_is_an_apology_or_a_status(
    gateway: str, upstream: Upstream, broken: list[Step], code: str
) -> None:
    """The same breaks before the first word: the whole answer is the apology, or the status is the error's."""
    upstream.script = Script([Reasoning("hm"), *broken])
    for ask in (streamed, whole):
        answer = await ask(gateway, "nora")
        assert answer == Ended(SORRY, "stop", code, raised=False)
        answer = await ask(gateway, "strict")
        assert answer.raised and answer.code == code and answer.status in {502, 504}


@pytest.mark.parametrize("finish", ["stop", "length", "content_filter"])
@pytest.mark.parametrize("said", [(), (Reasoning("hm"),), (" ", "\n")], ids=["nothing", "thoughts", "blanks"])
async def test_u32_u33_an_empty_answer_is_an_apology_that_finishes_as_it_did(
    gateway: str, upstream: Upstream, said: tuple[Step, ...], finish: str
) -> None:
    """Only thoughts until `length`, a filter's ending, nothing at all: a face apologises, a strict caller is told."""
    upstream.script = Script([*said, Finish(finish)])
    for ask in (streamed, whole):
        answer = await ask(gateway, "nora")
        assert answer._replace(text=answer.text.strip()) == Ended(SORRY, finish, "empty_answer", raised=False)
        answer = await ask(gateway, "strict")
        assert answer.raised and answer.code == "empty_answer"
    await raw(gateway, "nora")


async def test_an_ending_by_a_filter_passes_on_behind_text(gateway: str, upstream: Upstream) -> None:
    """What a filter cut off after some words ends in `content_filter`, as the model's own length ends in `length`."""
    for finish in ("content_filter", "length"):
        upstream.script = Script(["The tower is for", Finish(finish)])
        for model in ("nora", "strict", "up", "soft"):
            for ask in (streamed, whole):
                assert await ask(gateway, model) == Ended("The tower is for", finish, "", raised=False)


@pytest.mark.parametrize(
    "steps",
    [
        ["Hello.", Finish(), Cut()],
        ["Hello.", Finish(), Reset()],
        ["Hello.", Finish(), End()],
        ["Hello.", Finish(), Hang()],
        ["Hello.", Finish(), b"data: {oops\n\n"],
        ["Hello.", Done()],
    ],
    ids=["cut", "reset", "u10-end", "hang", "garbled", "u11-done-only"],
)
async def test_u10_u11_an_answer_that_is_whole_ends_well(gateway: str, upstream: Upstream, steps: list[Step]) -> None:
    """Behind a finish nothing can go wrong any more, and `[DONE]` without a finish gets one: `stop`."""
    upstream.script = Script(steps)
    for model in ("nora", "strict", "up"):
        for ask in (streamed, whole):
            assert await ask(gateway, model) == Ended("Hello.", "stop", "", raised=False)
    await raw(gateway, "nora")


@pytest.mark.parametrize(
    ("reason", "finish"),
    [("eos", "stop"), ("end_turn", "stop"), ("max_tokens", "length"), ("SAFETY", "content_filter")],
)
async def test_u23_a_finish_has_one_of_openais_names(
    gateway: str, upstream: Upstream, reason: str, finish: str
) -> None:
    """Whatever a server calls its ending, callers get `stop`, `length`, `tool_calls` or `content_filter`."""
    upstream.script = Script(["Hello.", Finish(""), Finish(reason)])
    for model in ("nora", "up"):
        assert await streamed(gateway, model) == Ended("Hello.", finish, "", raised=False)


HALF = ToolCall("c1", "look", ['{"a":', '"b'])


@pytest.mark.parametrize(
    "broken",
    [Cut(), Reset(), Hang(), End(), b"data: {oops\n\n", Done(), Finish("stop")],
    ids=["cut", "reset", "hang", "end", "garbled", "done-only", "stop"],
)
@pytest.mark.parametrize("before", [[], ["Let me look"]], ids=["silent", "with words"])
async def test_half_a_tool_call_never_looks_whole(
    gateway: str, upstream: Upstream, broken: Step, before: list[Step]
) -> None:
    """A call that breaks off ends in the apology and `stop`, or in an error; in one JSON object it is not at all."""
    upstream.script = Script([*before, HALF, broken])
    for model in ("nora", "soft"):
        for answer in (await streamed(gateway, model), await whole(gateway, model)):
            assert "Sorry" in answer.text and (answer.finish, answer.raised) == ("stop", False) and not answer.calls
    for model in ("strict", "up"):
        for answer in (await streamed(gateway, model), await whole(gateway, model)):
            assert answer.raised and not answer.finish and answer.code.startswith("upstream_")


async def test_a_tool_call_that_its_length_cut_off_is_not_silence(gateway: str, upstream: Upstream) -> None:
    """Half a call and no word until `length`: a face apologises and finishes with `length`."""
    upstream.script = Script([HALF, Finish("length")])
    for ask in (streamed, whole):
        answer = await ask(gateway, "nora")
        assert (answer.text, answer.finish, answer.code) == (SORRY, "length", "empty_answer") and not answer.calls


async def test_u31_json_in_place_of_a_stream_ends_as_a_stream(gateway: str, upstream: Upstream) -> None:
    """One JSON object becomes a proper stream, with its own finish; one that is empty or garbled has its ending too."""
    upstream.script = Answer(body=completion("Hello.", finish="length"))
    for model in ("nora", "strict", "up"):
        for ask in (streamed, whole):
            assert await ask(gateway, model) == Ended("Hello.", "length", "", raised=False)
    await raw(gateway, "nora")
    for body, code in (
        (completion("", finish="length"), "empty_answer"),
        ({"hello": "there"}, "upstream_protocol_error"),
        ({"error": {"message": "secret"}}, "upstream_unavailable"),
    ):
        upstream.script = Answer(body=body)
        answer = await streamed(gateway, "nora")
        assert (answer.text, answer.code) == (SORRY, code) and (await whole(gateway, "strict")).code == code
    call = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    choice = {"index": 0, "message": {"role": "assistant", "content": None, "tool_calls": [call]}}
    upstream.script = Answer(body={"choices": [{**choice, "finish_reason": "stop"}]})
    assert (await streamed(gateway, "nora")).finish == "tool_calls"
    assert (await whole(gateway, "nora")).calls[0].function.name == "look"
