"""Fillers on real sockets: what is heard when nothing else can be said in time, and that nothing is left of it."""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import openai
import pytest

from gateway.app import Drain, create_app
from gateway.settings import Breaker, Route, Settings, Target
from gateway.types import Agent, Passage, Query, Retrieval, Retrieve, Retrieved, Turn
from tests.caller import calling
from tests.serving import serve, sharing
from tests.stores import until as settled
from tests.upstream import Answer, Cut, End, Finish, Hang, Pause, Script, ToolCall, Upstream, error, scripted

ASK = {"messages": [{"role": "user", "content": "How tall is the lighthouse?"}]}
LINES = ("Let me see.", "One moment.")
AFTER = 0.15
"""Seconds until a filler."""
LATE = Pause(0.3)
NORA = Agent(
    "nora",
    "You are Nora.",
    first_message="Welcome.",
    apology="Sorry, I lost my thread.",
    fillers=LINES,
    filler_after_ms=int(AFTER * 1000),
)
AGENTS = {
    "nora": NORA,
    "strict": replace(NORA, name="strict", on_failure="error"),
    "reader": replace(NORA, name="reader", collections=("sea",)),
    "plain": replace(NORA, name="plain", fillers=()),
}
Gateways: TypeAlias = Callable[..., Any]


@asynccontextmanager
async def gateway(tmp_path: Path, *upstreams: str, first_token: float = 1.0, **more: Any) -> AsyncIterator[str]:
    """A gateway whose default route has these targets, and agents that say fillers after `AFTER` seconds."""
    target = Target(model="m", connect=0.5, first_token=first_token, between_chunks=1.0, total=10.0)
    targets = tuple(replace(target, url=url) for url in upstreams)
    settings = Settings(routes={"up": Route(targets)}, default_route="up", breaker=Breaker(failures=1000), var=tmp_path)
    async with serve(create_app(sharing(settings), AGENTS, **more)) as url:
        yield url


async def heard(url: str, model: str = "nora", **body: Any) -> tuple[str, list[dict[str, Any]], dict[str, str]]:
    """What was said, the events, and the headers of one call."""
    async with calling(f"{url}/chat/completions", {**ASK, "model": model, "stream": True, **body}) as call:
        assert await call.head() == 200
        events = [event async for event in call.events()]
    assert [event.data for event in events].count("[DONE]") == 1 and events[-1].data == "[DONE]"
    chunks = [event.json for event in events[:-1]]
    deltas = [choice["delta"] for chunk in chunks for choice in chunk.get("choices", ())]
    return "".join(delta.get("content") or "" for delta in deltas), chunks, call.headers


async def test_a_late_answer_is_led_by_a_filler(upstream: Upstream, tmp_path: Path) -> None:
    """At its deadline the agent says one line, then the answer behind one blank; the finish says who answered."""
    upstream.script = Script([LATE, " It is", " forty."])
    async with gateway(tmp_path, upstream.url) as url:
        body = {**ASK, "model": "nora", "stream": True}
        async with calling(f"{url}/chat/completions", body) as call:
            await call.head()
            events = [event async for event in call.events()]
    assert events[1].json["choices"][0]["delta"] == {"content": "One moment. "}
    assert AFTER <= events[1].at < AFTER + 0.1 and events[2].at > 0.29
    said = "".join(event.json["choices"][0]["delta"].get("content", "") for event in events[:-1])
    assert said == "One moment. It is forty."
    assert "x-gateway-target" not in call.headers and "upstream;dur" not in call.headers["server-timing"]
    assert events[-2].json["x_gateway"] == {"sources": [], "target": "up/m"}


async def test_retrieval_counts_towards_the_filler(upstream: Upstream, tmp_path: Path) -> None:
    """The time is counted from the turn's beginning; sources stand in the finish, for the headers are gone."""

    async def slow(_: Sequence[str], __: Query, ___: Retrieval) -> Retrieved:
        await asyncio.sleep(0.25)
        return Retrieved((Passage("sea/a#1", "sea", "a", "A", "text", score=1.0),), "hybrid")

    slowly: Retrieve = slow
    async with gateway(tmp_path, upstream.url, retrieve=slowly) as url:
        text, chunks, headers = await heard(url, "reader")
    assert text == "One moment. Hello there." and "x-gateway-sources" not in headers
    assert [source["id"] for source in chunks[-1]["x_gateway"]["sources"]] == ["sea/a#1"]


async def test_a_slow_upstream_is_still_failed_over_after_the_filler(upstream: Upstream, tmp_path: Path) -> None:
    """The filler commits the status, not the target: the next one answers what the first did not."""
    async with (
        scripted(Script([], before=[Hang()])) as hanging,
        gateway(tmp_path, hanging.url, upstream.url, first_token=0.3) as url,
    ):
        text, chunks, _ = await heard(url)
        assert text == "One moment. Hello there." and chunks[-1]["choices"][0]["finish_reason"] == "stop"
        request = await hanging.asked()
        assert request.closed is not None


@pytest.mark.parametrize(
    ("script", "code"),
    [
        (Script([], before=[LATE, Cut()]), "upstream_unavailable"),
        (Script([Hang()]), "upstream_timeout"),
        (Answer(500, before=[LATE]), "upstream_unavailable"),
        (Answer(400, error("Too long.", "context_length_exceeded"), before=[LATE]), "context_length_exceeded"),
        (Answer(400, error("No.", "unknown_thing"), before=[LATE]), "unknown_thing"),
        (Script([LATE, Finish()]), "empty_answer"),
        (Script([LATE, End()]), "upstream_truncated"),
        (Script([LATE, "It is forty", Pause(0.02), Cut()]), "upstream_truncated"),
    ],
)
async def test_a_failure_behind_the_filler_is_spoken_or_an_error_event(
    upstream: Upstream, tmp_path: Path, script: Any, code: str
) -> None:
    """Even a refusal of the request: a face says its apology and finishes, the openai client of the other raises."""
    upstream.script = script
    async with gateway(tmp_path, upstream.url, first_token=0.8) as url:
        text, chunks, _ = await heard(url)
        assert re.fullmatch(r"One moment\. (It is forty… )?Sorry, I lost my thread\.", text)
        assert chunks[-1]["choices"][0]["finish_reason"] == "stop"
        assert chunks[-1]["x_gateway"]["incomplete"] is True and chunks[-1]["x_gateway"]["code"] == code
        async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="any", max_retries=0) as client:
            said = ""
            with pytest.raises(openai.APIError) as caught:
                async for chunk in await client.chat.completions.create(
                    model="strict", messages=[{"role": "user", "content": "Hi, how tall is it?"}], stream=True
                ):
                    said += chunk.choices[0].delta.content or ""
        assert said.startswith("One moment. ") and caught.value.code == code


async def test_what_is_there_in_time_has_no_filler(upstream: Upstream, tmp_path: Path) -> None:
    """A greeting, an answer at once, one JSON object, and an agent without fillers: none begins with a filler."""
    async with gateway(tmp_path, upstream.url) as url:
        assert (await heard(url))[0] == "Hello there." and (await heard(url, messages=[]))[0] == "Welcome."
        assert "x-gateway-target" in (await heard(url))[2]
        upstream.script = Script([LATE, "Late."])
        assert (await heard(url, "plain"))[0] == "Late."
        async with calling(f"{url}/chat/completions", {**ASK, "model": "nora", "stream": False}) as call:
            assert (await call.json())["choices"][0]["message"]["content"] == "Late."


async def test_a_tool_call_may_follow_a_filler(upstream: Upstream, tmp_path: Path) -> None:
    """The call arrives whole behind what was said."""
    upstream.script = Script([LATE, ToolCall("c1", "look", ["{", "}"])])
    async with gateway(tmp_path, upstream.url) as url:
        text, chunks, _ = await heard(url)
    assert text == "One moment. " and chunks[-1]["choices"][0]["finish_reason"] == "tool_calls"


async def test_fillers_take_turns_and_the_model_never_sees_them(upstream: Upstream, tmp_path: Path) -> None:
    """Callers send back what was said; the model gets its own words, and the person another line."""
    upstream.script = Script([LATE, "It is forty."])
    talk: list[Any] = [*ASK["messages"]]
    said = []
    async with gateway(tmp_path, upstream.url) as url:
        for number in range(3):
            text, _, _ = await heard(url, messages=talk)
            said.append(text)
            talk += [{"role": "assistant", "content": text}, {"role": "user", "content": f"And number {number}?"}]
    assert said == ["One moment. It is forty.", "Let me see. It is forty.", "One moment. It is forty."]
    sent = [request.json["messages"] for request in upstream.requests]
    assert [[each["content"] for each in messages if each["role"] == "assistant"] for messages in sent] == [
        ["It is forty."] * number for number in range(3)
    ]
    assert sent[2][: len(sent[1])] == sent[1]  # the prefix that a provider has in its cache


@pytest.mark.parametrize(
    ("script", "until"),
    [
        (Script([], before=[Hang()]), ""),
        (Script([Hang()]), ""),
        (Script([], before=[Hang()]), "One moment. "),
        (Script([Hang()]), "One moment. "),
        (Script([LATE, "It", " is", Hang()]), " is"),
    ],
)
async def test_a_hangup_around_a_filler_closes_the_upstream(
    upstream: Upstream, tmp_path: Path, script: Script, until: str
) -> None:
    """Before the filler, between it and the first word, and after that: the upstream is closed within 50 ms.

    One of ten may be the machine's own pause.
    """
    upstream.script = script
    delays = []
    async with gateway(tmp_path, upstream.url, first_token=30) as url:
        tasks = len(asyncio.all_tasks())
        for number in range(10):
            async with calling(f"{url}/chat/completions", {**ASK, "model": "nora", "stream": True}) as call:
                request = await upstream.asked(number + 1)
                if until:
                    async for event in call.events():
                        if event.data != "[DONE]" and event.json["choices"][0]["delta"].get("content") == until:
                            break
                gone = call.hang_up()
                await asyncio.wait_for(request.over.wait(), 1)
            assert request.closed is not None
            delays.append(request.closed - gone)
        # A write to the store is a task for a moment: the records of the turns come a little later.
        await settled(lambda: len(asyncio.all_tasks()) <= tasks, 1.0)
    assert sorted(delays)[-2] < 0.05 and max(delays) < 1


async def test_a_turn_records_its_filler(upstream: Upstream, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The turn's record says that a filler was said, and its first word is the filler's."""
    upstream.script = Script([LATE, "It."])
    began = time.perf_counter()
    async with gateway(tmp_path, upstream.url) as url:
        with caplog.at_level("INFO", "gateway.turn"):
            await heard(url)
    turns: list[Turn] = [record.turn for record in caplog.records if hasattr(record, "turn")]
    (turn,) = turns
    assert turn.filler and turn.outcome == "ok" and turn.target == "up/m"
    assert 1000 * AFTER <= turn.timings["ttft"] < 1000 * (time.perf_counter() - began) - 100


async def test_the_end_of_the_process_ends_a_filler_properly(upstream: Upstream, tmp_path: Path) -> None:
    """A turn that has said its filler and waits for its first word ends in the apology, a finish and `[DONE]`."""
    upstream.script = Script([Hang()])
    for model, end in (("nora", "One moment. Sorry, I lost my thread."), ("strict", "One moment. ")):
        drain = Drain()
        async with gateway(tmp_path / model, upstream.url, first_token=30, drain=drain) as url:
            async with calling(f"{url}/chat/completions", {**ASK, "model": model, "stream": True}) as call:
                stream = aiter(call.events())
                events = [await anext(stream), await anext(stream)]
                drain.end_streams()
                events += [event async for event in stream]
            assert events[-1].data == "[DONE]"
            chunks = [event.json for event in events[:-1]]
            deltas = [choice["delta"] for chunk in chunks for choice in chunk.get("choices", ())]
            assert "".join(delta.get("content") or "" for delta in deltas) == end
            code = chunks[-1]["error"]["code"] if model == "strict" else chunks[-1]["x_gateway"]["code"]
            assert code == "shutting_down"


async def test_a_hangup_behind_a_filler_ends_the_search_too(upstream: Upstream, tmp_path: Path) -> None:
    """While the knowledge is still searched the filler may be out already: leaving ends the search, and asks nobody."""
    cancelled: list[float] = []

    async def endless(_: Sequence[str], query: Query, __: Retrieval) -> Retrieved:
        if query.question != ASK["messages"][0]["content"]:  # the start's rehearsal
            return Retrieved()
        try:
            await asyncio.sleep(60)
        finally:
            cancelled.append(time.perf_counter())
        raise AssertionError

    delays = []
    async with gateway(tmp_path, upstream.url, retrieve=endless) as url:
        for said in (False, True) * 5:
            async with calling(f"{url}/chat/completions", {**ASK, "model": "reader", "stream": True}) as call:
                if said:
                    await anext(stream := aiter(call.events()))
                    assert (await anext(stream)).json["choices"][0]["delta"]["content"] == "One moment. "
                else:
                    await asyncio.sleep(0.05)
                gone = call.hang_up()
                before = len(cancelled)
                async with asyncio.timeout(1):
                    while len(cancelled) == before:  # noqa: ASYNC110 a double without an event
                        await asyncio.sleep(0.001)
            delays.append(cancelled[-1] - gone)
    assert sorted(delays)[-2] < 0.05 and not upstream.requests
