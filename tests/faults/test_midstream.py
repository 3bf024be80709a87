"""Answers that break off at any byte: continued, spoken or an error, never a bare end. A hundred seeded runs each."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import openai
import pytest

from gateway.app import create_app
from gateway.chat.endings import joint
from gateway.settings import Breaker, Route, Settings, Target
from gateway.types import Agent, Turn
from tests.broken import TEXTS, WAYS, Way, broken_at
from tests.caller import calling
from tests.serving import serve, sharing
from tests.upstream import (
    Answer,
    Cut,
    End,
    Event,
    Finish,
    Hang,
    Pause,
    Reasoning,
    Request,
    Reset,
    Script,
    ToolCall,
    Upstream,
    error,
    scripted,
)
from tests.upstream.script import Step

RUNS = 100
SORRY = "Sorry, I lost my thread."
NORA = Agent("nora", "You are Nora.", apology=SORRY)
ASK: Sequence[Any] = [{"role": "user", "content": "Tell me about the lighthouse, please."}]
BROKEN: Sequence[Sequence[Step]] = (
    (Cut(),),
    (Pause(0.3), Reset()),
    (Hang(),),
    (End(),),
    (b"data: {oops\n\n",),
    (Event(error("boom")),),
    (Finish("error"),),
)
"""A reset takes with it what was received and not read yet, so that the test of one bears a shorter beginning."""
HALF_EVENT = 'data: {"id": "x", "choices": [{"index": 0, "delta": {"content": "ü'.encode()


def breaking(text: str, chance: random.Random) -> Script:
    """The text in pieces, broken off at a random byte in a random way, in the middle of an event at times."""
    said, steps = text[: broken_at(text, chance)], list[Step]()
    while said:
        size = chance.randint(1, 12)
        steps.append(said[:size])
        said = said[size:]
    if chance.random() < 0.3:
        steps.append(HALF_EVENT[: chance.randint(1, len(HALF_EVENT))])
        return Script([*steps, *chance.choice(BROKEN[:4])], sliced=chance.choice([0, 16, 61]))
    return Script([*steps, *chance.choice(BROKEN)], sliced=chance.choice([0, 16, 61]))


@asynccontextmanager
async def gateway(tmp_path: Path, first: Upstream, *others: Upstream, patience: float = 5.0) -> AsyncIterator[str]:
    """Agent `nora` and route `up` on a first target, and others that continue; nothing is ever left out for failing.

    `patience`: seconds between two chunks of the others.
    """
    target = Target(url=first.url, model="m", connect=2.0, first_token=3.0, between_chunks=1.0, total=20.0, retries=0)
    more = tuple(
        Target(**{**_fields(target), "url": each.url, "continues": True, "between_chunks": patience}) for each in others
    )
    settings = Settings(
        routes={"up": Route((target, *more))}, default_route="up", breaker=Breaker(failures=1000), var=tmp_path
    )
    async with serve(create_app(sharing(settings), {"nora": NORA})) as url:
        yield url


def _fields(target: Target) -> dict[str, Any]:
    return {name: getattr(target, name) for name in Target.__dataclass_fields__}


class Heard:
    """What the openai client made of a stream."""

    def __init__(self) -> None:
        self.text, self.finish, self.extension = "", "", dict[str, Any]()

    async def ask(self, client: openai.AsyncOpenAI, model: str, messages: Sequence[Any] = ASK) -> "Heard":
        async for chunk in await client.chat.completions.create(model=model, messages=messages, stream=True):
            self.text += chunk.choices[0].delta.content or ""
            self.finish += chunk.choices[0].finish_reason or ""
            self.extension |= (chunk.model_extra or {}).get("x_gateway") or {}
        return self


def client(url: str) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="any", max_retries=0)


async def bare(url: str, model: str, messages: Sequence[Any]) -> bytes:
    """The body of a stream, as it went over the wire; nothing where there was none, for nothing had been said yet."""
    async with calling(f"{url}/chat/completions", {"model": model, "messages": messages, "stream": True}) as call:
        return await call.body() if await call.head() == 200 else b""


def asked(seed: int) -> list[Any]:
    """A question that says which run it is of."""
    return [{"role": "user", "content": f"Tell me about the lighthouse, please: {seed}"}]


def seeded(request: Request) -> int:
    """The run that a request is of."""
    (question,) = (each["content"] for each in request.json["messages"] if each["role"] == "user")
    return int(question.split()[-1])


def script_of(seed: int) -> tuple[str, Script]:
    """The text of a run, and how it breaks off."""
    chance = random.Random(seed)
    text = chance.choice(list(TEXTS.values()))
    return text, breaking(text, chance)


def beginnings(seed: int) -> list[str]:
    """What may have been heard of a run before it broke off."""
    _, script = script_of(seed)
    sent = "".join(step for step in script.steps if isinstance(step, str))
    if not any(isinstance(step, Reset | Cut) for step in script.steps):
        return [sent]
    # aiohttp throws away what came and was not read yet when a connection breaks: it counts as not said.
    return [sent[:length] for length in range(len(sent) + 1)]


async def each_run(run: Callable[[int], Awaitable[None]]) -> None:
    """All runs, 25 at once: those that hang wait for a second each."""
    free = asyncio.Semaphore(25)

    async def one(seed: int) -> None:
        async with free:
            await run(seed)

    async with asyncio.TaskGroup() as runs:
        for seed in range(RUNS):
            runs.create_task(one(seed))


async def test_u07_u08_u09_u13_speaking_ends_in_the_apology_wherever_it_broke_off(
    upstream: Upstream, tmp_path: Path
) -> None:
    """A break at any byte: what was said, a pause, the apology, `stop`, `incomplete`, `[DONE]`."""
    upstream.script = lambda request: script_of(seeded(request))[1]
    async with gateway(tmp_path, upstream) as url, client(url) as asking:

        async def run(seed: int) -> None:
            heard = await Heard().ask(asking, "nora", asked(seed))
            said = heard.text.removesuffix(SORRY)
            assert said in [each + joint(each, SORRY) for each in beginnings(seed)], (seed, heard.text)
            assert heard.finish == "stop" and heard.extension["incomplete"] is True, seed
            assert (await bare(url, "nora", asked(seed))).endswith(b"data: [DONE]\n\n"), seed

        await each_run(run)


async def test_u07_u08_u09_u13_an_error_raises_in_the_client_wherever_it_broke_off(
    upstream: Upstream, tmp_path: Path
) -> None:
    """A break at any byte: what was said, then an error event that the openai client raises, then `[DONE]`."""
    upstream.script = lambda request: script_of(seeded(request))[1]
    async with gateway(tmp_path, upstream) as url, client(url) as asking:

        async def run(seed: int) -> None:
            heard = Heard()
            with pytest.raises(openai.APIError) as caught:
                await heard.ask(asking, "up", asked(seed))
            assert heard.text in beginnings(seed), seed
            assert not heard.finish and str(caught.value.code).startswith("upstream_"), seed
            body = await bare(url, "up", asked(seed))
            assert body.endswith(b"data: [DONE]\n\n") or (not body and "" in beginnings(seed)), seed
            assert b'"finish_reason":"' not in body, seed

        await each_run(run)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
async def test_continuing_loses_no_word_and_repeats_none_wherever_it_broke_off(
    upstream: Upstream, tmp_path: Path, way: Way
) -> None:
    """A break at any byte, gone on with exactly, with the last words, the broken one or all of it: the whole text."""

    def going_on(request: Request) -> Script:
        seed, said = seeded(request), request.json["messages"][-1]
        chance, (text, _) = random.Random(seed), script_of(seed)
        if said["role"] == "user":  # nothing was said yet
            return Script(_pieces(text, chance))
        assert text.startswith(said["content"])
        return Script(_pieces(way(text, len(said["content"]), chance), chance), sliced=chance.choice([0, 16, 61]))

    upstream.script = lambda request: script_of(seeded(request))[1]
    async with scripted(going_on) as second, gateway(tmp_path, upstream, second) as url, client(url) as asking:

        async def run(seed: int) -> None:
            heard = await Heard().ask(asking, ("nora", "up")[seed % 2], asked(seed))
            text, script = script_of(seed)
            assert heard.text == text, (seed, way.__name__)
            assert heard.finish == "stop" and "incomplete" not in heard.extension, seed
            assert "continued" in heard.extension or Reset() in script.steps, seed

        await each_run(run)
        assert len(second.requests) == RUNS


def _pieces(text: str, chance: random.Random) -> list[str]:
    pieces = []
    while text:
        size = chance.randint(1, 12)
        pieces.append(text[:size])
        text = text[size:]
    return pieces


@pytest.mark.parametrize(
    "second",
    [
        Answer(500),
        Answer(400, error("The last message must be a user's.", "invalid_value")),
        Script([" of", Hang()]),
        Script([Finish()]),
        Script([" of it", Cut()]),
    ],
    ids=["500", "rejects", "stalls", "says nothing", "breaks off too"],
)
async def test_a_continuation_that_fails_too_ends_as_the_first_break_does(
    upstream: Upstream, tmp_path: Path, second: Any
) -> None:
    """It is tried once; then the apology or the error, with the code of the break that came first."""
    upstream.script = Script(["That is half", Hang()])
    async with (
        scripted(second) as other,
        gateway(tmp_path, upstream, other, patience=1.0) as url,
        client(url) as asking,
    ):
        heard = await Heard().ask(asking, "nora")
        assert heard.text.startswith("That is half") and heard.text.endswith(SORRY) and heard.finish == "stop"
        assert heard.extension["code"] == "upstream_stalled" and "continued" not in heard.extension
        with pytest.raises(openai.APIError) as caught:
            await Heard().ask(asking, "up")
        assert caught.value.code == "upstream_stalled" and len(other.requests) == 2


@pytest.mark.parametrize(
    "steps",
    [[ToolCall("c", "look", ['{"a'])], ["Let me look", ToolCall("c", "look", ['{"a'])], [Reasoning("hm"), "So"]],
)
async def test_calls_and_thoughts_are_never_continued(upstream: Upstream, tmp_path: Path, steps: list[Step]) -> None:
    """Half a tool call, or an answer that began with thoughts, is nothing that another model could go on with."""
    upstream.script = Script([*steps, Pause(0.02), Cut()])
    async with scripted() as second, gateway(tmp_path, upstream, second) as url, client(url) as asking:
        heard = await Heard().ask(asking, "nora")
        assert heard.text.endswith(SORRY) and heard.finish == "stop"
        with pytest.raises(openai.APIError):
            await Heard().ask(asking, "up")
        assert not second.requests


async def test_a_hangup_in_a_continuation_closes_it(upstream: Upstream, tmp_path: Path) -> None:
    """Waiting for the second target or in the middle of its words, the caller's leaving closes it within 50 ms."""
    upstream.script = Script(["That is half", Pause(0.02), Cut()])
    delays = []
    async with scripted() as second, gateway(tmp_path, upstream, second) as url:
        for number, script in enumerate([Script([], before=[Hang()]), Script([" of it", Hang()])] * 5):
            second.script = script
            async with calling(f"{url}/chat/completions", {"model": "nora", "messages": ASK, "stream": True}) as call:
                request = await second.asked(number + 1)
                async for event in call.events():
                    if event.json["choices"][0]["delta"].get("content") in {" of it", "That is half"} - {
                        "" if script.before else "That is half"
                    }:
                        break
                gone = call.hang_up()
                await request.over.wait()
            assert request.closed is not None
            delays.append(request.closed - gone)
    assert sorted(delays)[-2] < 0.05 and max(delays) < 1


async def test_a_continued_turn_records_both_targets(
    upstream: Upstream, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The turn went well; its attempts name the second target and why it was asked."""
    upstream.script = Script(["That is half", Pause(0.02), Cut()])
    async with (
        scripted(Script([" of it."])) as second,
        gateway(tmp_path, upstream, second) as url,
        client(url) as asking,
    ):
        with caplog.at_level("INFO", "gateway.turn"):
            await Heard().ask(asking, "nora")
    turns: list[Turn] = [record.turn for record in caplog.records if hasattr(record, "turn")]
    (turn,) = turns
    assert turn.outcome == "ok" and [attempt.kind for attempt in turn.attempts] == ["first", "continue"]
