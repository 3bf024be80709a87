"""`[log] content`: what was said stands in a turn's line of the log where it is asked for, and without keys even so."""

import io
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from gateway import observe
from gateway.app import create_app
from gateway.errors.redaction import redacting
from gateway.observe.log import LONGEST, MOST_SENT
from gateway.settings import Log
from gateway.types import Turn, Words
from tests.collector import collecting
from tests.contract.conftest import AGENTS, settings
from tests.contract.place import ask
from tests.serving import serve, sharing
from tests.upstream import Answer, Cut, Pause, Script, Upstream, error, in_turn

HELD = 'held-"by"\\the-gateway-1234'
"""A key that the gateway holds, in characters that JSON writes otherwise."""
KEYS = {
    "a provider's": "sk-proj-abcDEF0123456789",
    "one of ours": "gw_abc123def456_0123456789",
    "one that the gateway holds": HELD,
    "a bearer token": "Bearer\neyJhbGciOiJIUzI1NiJ9.e30",
    "a field of Simli's": '{"llmAPIKey": "simlis-own-key"}',
}
SAID = ("eyJhbGci", "simlis-own", "sk-proj", "gw_abc", "held-", "the-gateway-1234")
"""What of them must not be found."""
FILLED = replace(AGENTS["nora"], name="filled", fillers=("One moment.",), filler_after_ms=60)


@contextmanager
def logged(form: str = "json") -> Iterator[io.StringIO]:
    """What a process with this log writes."""
    written, root = io.StringIO(), logging.getLogger()
    before, level = root.handlers[:], root.level
    observe.configure(form, written, redact=redacting([HELD]))
    try:
        yield written
    finally:
        root.handlers[:] = before
        root.setLevel(level)


@asynccontextmanager
async def gateway(upstream: Upstream, var: Path, *, content: bool = True, collector: str = "") -> AsyncIterator[str]:
    """One whose log tells what was said, or not."""
    told = replace(settings(upstream.url, var), log=Log(content=content), otlp_endpoint=collector)
    async with serve(create_app(sharing(told), {**AGENTS, "filled": FILLED})) as url:
        yield url


def turns(written: io.StringIO) -> list[dict[str, Any]]:
    """The turns' lines."""
    found = (orjson.loads(line) for line in written.getvalue().splitlines())
    return [line for line in found if line["event"] == "turn"]


async def test_a_line_has_what_was_asked_sent_generated_and_answered(upstream: Upstream, tmp_path: Path) -> None:
    """Streamed or not, by an agent or a route; what the upstream wrote only where it was not said so."""
    upstream.script = Script(["**Forty**", " feet."])
    messages = [{"role": "user", "content": "Hello."}, {"role": "assistant", "content": "Yes?"},
                {"role": "user", "content": [{"type": "text", "text": "How tall?"}]}]  # fmt: skip
    with logged() as written:
        async with gateway(upstream, tmp_path) as url:
            for stream in (True, False):
                await ask(f"{url}/agents/nora", "", messages=messages, stream=stream)
            await ask(url, "", messages=messages, model="up")
            await ask(f"{url}/agents/nora", "", messages=[{"role": "system", "content": "x"}])
            async with httpx.AsyncClient() as client:
                kept = (await client.get(f"{url}/admin/turns")).json()["turns"]
    streamed, whole, bare, greeting = turns(written)
    for line in (streamed, whole):
        assert (line["question"], line["answer"], line["generated"]) == ("How tall?", "Forty feet.", "**Forty** feet.")
        assert [each["role"] for each in line["sent"]] == ["system", "user", "assistant", "user"]
        assert "You are Nora." in line["sent"][0]["content"] and line["sent"][3]["content"] == "How tall?"
    assert (bare["answer"], bare["generated"], len(bare["sent"])) == ("**Forty** feet.", None, 3)
    assert (greeting["question"], greeting["answer"]) == ("", AGENTS["nora"].first_message)
    assert {one["question"] for one in kept} == {None}


async def test_a_turn_that_failed_tells_its_words_too(upstream: Upstream, tmp_path: Path) -> None:
    """The apology is what was answered; of an answer that broke off, what went out; of a refused turn the question."""
    upstream.script = in_turn(Answer(400, error("no", "bad")), Script(["Forty", Cut()]))
    with logged() as written:
        async with gateway(upstream, tmp_path) as url:
            await ask(f"{url}/agents/strict", "Refused?")
            await ask(f"{url}/agents/nora", "Broken?")
    refused, broken = turns(written)
    assert (refused["question"], refused["answer"]) == ("Refused?", "")
    assert (broken["question"], broken["generated"]) == ("Broken?", "Forty")
    assert broken["answer"] == f"Forty… {AGENTS['nora'].apology}"


@pytest.mark.parametrize("form", ["json", "text"])
async def test_no_key_is_among_the_words(upstream: Upstream, tmp_path: Path, form: str) -> None:
    """In the question, in what is sent, in an answer that brings it in pieces, in an error that quotes it."""
    with logged(form) as written:
        async with gateway(upstream, tmp_path) as url:
            for key in KEYS.values():
                upstream.script = Script(["It is ", key[:8], key[8:], " so."])
                answer = await ask(f"{url}/agents/nora", f"My key is {key} there.")
                assert answer.status_code == 200
                upstream.script = Answer(400, error(f"What is {key}?", "bad"))
                answer = await ask(f"{url}/agents/nora", f"My key is {key} there.")
                assert answer.status_code == 400
            quoting = ValueError(*KEYS.values())
            logging.getLogger("gateway").error("quoted: %s", " ".join(KEYS.values()), exc_info=quoting)
    text = written.getvalue()
    assert not [part for part in SAID if part in text]
    assert text.count("My key is [redacted]") + text.count("My key is {") >= 2 * len(KEYS)
    if form == "json":
        assert len(turns(written)) == 2 * len(KEYS)


async def test_without_it_no_line_has_a_word(upstream: Upstream, tmp_path: Path) -> None:
    """However a turn ends: an answer, a failure, a rejection that quotes the question once a filler was said."""
    late = Answer(400, error("I do not like: How tall?", "bad"), before=[Pause(0.2)])
    upstream.script = in_turn(Script(["Forty feet."]), Answer(500, error("How tall?")), late)
    with logged() as written:
        logging.getLogger("gateway").setLevel(logging.DEBUG)
        async with gateway(upstream, tmp_path, content=False) as url:
            for agent in ("nora", "strict", "filled"):
                await ask(f"{url}/agents/{agent}", "How tall?", stream=True)
    text = written.getvalue()
    assert len(turns(written)) == 3 and "the upstream rejects it" in text
    assert "How tall" not in text and "Forty" not in text and "Nora" not in text
    assert not {"question", "answer", "generated", "sent"} & {name for line in turns(written) for name in line}


async def test_a_trace_has_no_words_either_way(upstream: Upstream, tmp_path: Path) -> None:
    """The switch is the log's: who collects traces is often somebody else."""
    upstream.script = Script(["Forty feet."])
    with logged() as written:
        async with collecting() as collector, gateway(upstream, tmp_path, collector=collector.url) as url:
            await ask(f"{url}/agents/nora", "How tall?")
    assert turns(written)[0]["question"] == "How tall?"
    assert collector.spans and not any(word in body for body in collector.bodies for word in (b"How tall", b"Forty"))


def test_a_line_is_bounded() -> None:
    """A long text is cut, once no key is in it, and of what was sent the last messages stay."""
    sent = [("system", "persona"), *(("user", f"{number} " + "x" * LONGEST) for number in range(20))]
    words = Words("y" * (LONGEST - 5) + " " + KEYS["a provider's"], sent, [], ["z" * 2 * LONGEST])
    line = observe.fields(Turn("r", 0.0, 0.0, words=words))
    assert line["question"].endswith("y [red") and len(line["question"]) == len(line["answer"]) == LONGEST
    assert sum(len(each["content"]) for each in line["sent"]) <= MOST_SENT + LONGEST
    assert line["sent"][-1]["content"].startswith("19 ") and len(line["sent"]) + line["sent_left_out"] == 21
