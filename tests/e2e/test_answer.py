"""From a question to an answer that stands in the knowledge, through the process that `make run` starts."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest

from tests.caller import calling
from tests.serving import ROOT, Gateway, gateway_process
from tests.upstream import Script, Upstream

SAMPLES = f'prompts = "{ROOT / "prompts"}"\nknowledge.directory = "{ROOT / "knowledge"}"\n'


@pytest.fixture(scope="module")
def served(var: Path) -> Iterator[Gateway]:
    """`gateway serve` with the samples and nothing configured."""
    with gateway_process(SAMPLES, {"GATEWAY_VAR": str(var)}) as running:
        yield running


async def said(url: str, agent: str, *turns: str) -> tuple[str, dict[str, str], list[float]]:
    """What the agent said, the headers, and when each event came."""
    messages = [{"role": "user", "content": turn} for turn in turns]
    for at in range(len(messages) - 1, 0, -1):
        messages.insert(at, {"role": "assistant", "content": "I see."})
    async with calling(
        f"{url}/agents/{agent}/chat/completions", {"model": "gpt-4o-mini", "messages": messages}
    ) as call:
        assert await call.head() == 200
        events = [event async for event in call.events()]
    assert events[-1].data == "[DONE]" and events[-2].json["choices"][0]["finish_reason"] == "stop"
    deltas = [event.json["choices"][0]["delta"] for event in events[:-1]]
    return "".join(delta.get("content", "") for delta in deltas), call.headers, [event.at for event in events]


@pytest.mark.parametrize(
    ("agent", "turns", "fact", "source"),
    [
        (
            "nora",
            ["How long do I have to wait from one high tide to the next?"],
            "twelve hours and twenty-five",
            "tides.md",
        ),
        ("nora", ["What does the boat cost?", "And what about the kids?"], "twelve pounds for children", "crossing.md"),
        ("emil", ["Was kostet ein großer Hund?"], "29 Euro", "hunde.md"),
    ],
)
async def test_a_question_is_answered_from_the_knowledge(
    served: Gateway, agent: str, turns: list[str], fact: str, source: str
) -> None:
    """The fact is said, word by word, in the agent's language; its source is in the header and never spoken."""
    text, headers, times = await said(served.url, agent, *turns)
    assert fact in text and ".md" not in text and "#" not in text
    assert source in unquote(headers["x-gateway-sources"])
    assert headers["x-gateway-target"] == "extractive" and "retrieve;dur=" in headers["server-timing"]
    assert len(times) > 8 and times[-1] - times[0] > 0.05


@pytest.mark.parametrize(
    ("agent", "question", "start"),
    [
        ("nora", "What's the capital of Australia?", "unknown"),
        ("emil", "Wer hat die Fußballweltmeisterschaft 1954 gewonnen?", "unknown"),
        ("nora", "Hello!", "first_message"),
        ("emil", "Guten Tag", "first_message"),
    ],
)
async def test_what_the_knowledge_does_not_hold_is_not_invented(
    served: Gateway, agent: str, question: str, start: str
) -> None:
    """A stranger's question gets the agent's own line for it, and so does a greeting."""
    text, _, _ = await said(served.url, agent, question)
    words = " ".join((ROOT / "prompts" / f"{agent}.md").read_text("utf-8").split())
    assert f"{start}: >- {text}" in words


async def test_a_model_is_handed_persona_history_and_passages(var: Path, upstream: Upstream) -> None:
    """The persona first and stable, the history untouched, the passages in front of the last question, as data."""
    upstream.script = Script(["Fine."])
    target = f'[[routes.up.targets]]\nurl = "{upstream.url}"\nmodel = "scripted"\n'
    config = f'default_route = "up"\n{SAMPLES}{target}'
    with gateway_process(config, {"GATEWAY_VAR": str(var)}) as running:
        text, headers, _ = await said(running.url, "nora", "Hello there, Nora.", "When was the tower built?")
    assert text == "Fine." and headers["x-gateway-target"] == "up/scripted"
    sent = upstream.requests[-1].json
    system, first, second, last = sent["messages"]
    assert sent["model"] == "scripted" and system["role"] == "system" and "Nora" in system["content"]
    assert first == {"role": "user", "content": "Hello there, Nora."} and second["content"] == "I see."
    assert last["content"].endswith("When was the tower built?") and "Archibald Rennick" in last["content"]


async def test_a_turn_is_one_log_line(served: Gateway) -> None:
    """Who, how fast, from what, how it ended; nothing of what was said."""
    await said(served.url, "nora", "How heavy is the great lens, Zanzibar?")
    await asyncio.sleep(0.1)
    (line,) = [line for line in served.lines if '"event":"turn"' in line][-1:]
    for part in (
        '"agent":"nora"',
        '"outcome":"ok"',
        '"retrieval":{"outcome":"hybrid"',
        '"ttft_ms":',
        '"upstream":"ended"',
    ):
        assert part in line
    assert "Zanzibar" not in served.log
