"""Answers fit for the voice, through the gateway: what a model writes for the eye, and what a caller gets."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import openai

from gateway.app import create_app
from tests.contract.conftest import AGENTS, NORA, settings
from tests.serving import serve, sharing
from tests.upstream import Finish, Hang, Reasoning, Script, ToolCall, Upstream

ASK: Any = [{"role": "user", "content": "How tall is the lighthouse?"}]
SAY = Script(
    [Reasoning("hm"), "<thi", "nk>Let me see.</think>\n\n**Forty", " feet**[", "1], built of:\n- gran", "ite\n- oak"]
)
SPOKEN = "Forty feet, built of:\ngranite, and oak."


async def heard(client: openai.AsyncOpenAI, model: str, **more: Any) -> str:
    stream = await client.chat.completions.create(model=model, messages=ASK, stream=True, **more)
    return "".join([chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices])


async def test_an_agent_speaks_and_a_route_does_not(client: openai.AsyncOpenAI, upstream: Upstream) -> None:
    """Streamed or whole the same words; a bare route passes what the model wrote, and so does an answer in JSON."""
    upstream.script = SAY
    assert await heard(client, "nora") == SPOKEN
    for model in ("nora", "strict"):
        whole = await client.chat.completions.create(model=model, messages=ASK, stream=False)
        assert whole.choices[0].message.content == SPOKEN and whole.choices[0].finish_reason == "stop"
    assert (await heard(client, "up")).startswith("<think>")
    upstream.script = Script(['{"feet": ', "40}"])
    assert await heard(client, "nora", response_format={"type": "json_object"}) == '{"feet": 40}'


async def test_an_agent_can_be_left_as_it_is(upstream: Upstream, tmp_path: Path) -> None:
    """With `speech: false` nothing is changed."""
    upstream.script = Script(["**Forty** feet."])
    agents = {**AGENTS, "nora": replace(NORA, speech=False)}
    async with (
        serve(create_app(sharing(settings(upstream.url, tmp_path)), agents)) as url,
        openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="any", max_retries=0) as client,
    ):
        assert await heard(client, "nora") == "**Forty** feet."


async def test_what_cannot_be_spoken_is_an_apology(client: openai.AsyncOpenAI, upstream: Upstream) -> None:
    """A thought alone is no answer; code alone says that it is code; what broke off goes on to the apology."""
    upstream.script = Script(["<think>", "hm"])
    assert await heard(client, "nora") == NORA.apology
    upstream.script = Script(["```py\n", "x = 1\n```"])
    assert (await heard(client, "nora")).startswith("I have a code sample")
    upstream.script = Script(["- granite\n", "- oak", Hang()])
    assert await heard(client, "nora") == f"granite, and oak. {NORA.apology}"


async def test_tool_calls_are_not_spoken_to(client: openai.AsyncOpenAI, upstream: Upstream) -> None:
    """A call's arguments come as the model wrote them."""
    upstream.script = Script(["**One** moment. ", ToolCall("c1", "find", ('{"q": "**x**"}',)), Finish("tool_calls")])
    whole = await client.chat.completions.create(model="nora", messages=ASK, stream=False)
    message = whole.choices[0].message
    assert message.content == "One moment. " and message.tool_calls
    assert message.tool_calls[0].to_dict()["function"] == {"name": "find", "arguments": '{"q": "**x**"}'}


async def test_too_long_an_answer_is_shortened(gateway: str, upstream: Upstream) -> None:
    """It ends with an offer, its finish says so, and the upstream's answer is closed."""
    upstream.script = Script([*["The light can be seen from afar. "] * 60, Hang()])
    async with httpx.AsyncClient() as http:
        body = {"model": "nora", "messages": ASK, "stream": False}
        answer = (await http.post(f"{gateway}/v1/chat/completions", json=body)).json()
    assert answer["choices"][0]["message"]["content"].endswith("afar. There is more to say. Shall I go on?")
    assert answer["x_gateway"]["shortened"] is True and answer["choices"][0]["finish_reason"] == "stop"
    assert upstream.stats["open"] == 0
