"""What is said in a session is written down as it was sent; of no other turn, and never in the log."""

import asyncio
import logging
from typing import Any

import pytest

from gateway.types import Key, Turn
from gateway.types.reach import PREFLIGHT
from tests.caller import calling
from tests.contract.conftest import NORA
from tests.contract.place import Place, ask
from tests.upstream import Answer, Hang, Script, Upstream, error


async def test_a_turn_is_written_down_and_the_log_knows_nothing_of_it(
    place: Place, upstream: Upstream, caplog: pytest.LogCaptureFixture
) -> None:
    """Question and answer, streamed or whole, by the key in the path or in a header; the greeting has no question."""
    upstream.script = Script(["Forty", " feet."])
    session, key = await place.session()
    with caplog.at_level(logging.DEBUG):
        for number, (base, headers, stream) in enumerate(
            [
                (f"{place.url}/k/{key}/agents/nora/v1", {}, True),
                (f"{place.url}/k/{key}/v1", {"authorization": "Bearer whatever"}, False),
                (f"{place.url}/agents/nora", {"authorization": f"Bearer {key}"}, True),
                (
                    place.url + place.capabilities.path_of("nora").removesuffix("/chat/completions"),
                    {"api-key": key},
                    True,
                ),
            ]
        ):
            assert (await ask(base, f"How tall, {number}?", headers, stream=stream)).status_code == 200
            said = await place.said(session, 2 * number + 2)
            assert said[-2:] == [("user", f"How tall, {number}?"), ("assistant", "Forty feet.")]
        assert (await ask(f"{place.url}/k/{key}/v1", "", messages=[{"role": "system", "content": "x"}])).is_success
        assert (await place.said(session, 9))[-1] == ("assistant", NORA.first_message)
    assert "How tall" not in caplog.text and "Forty" not in caplog.text
    turns: list[Turn] = [getattr(record, "turn") for record in caplog.records if hasattr(record, "turn")]  # noqa: B009
    assert {turn.session for turn in turns} == {session.id}


async def test_what_was_sent_before_a_hangup_is_what_was_said(place: Place, upstream: Upstream) -> None:
    """An answer that is interrupted is kept as far as it went, and once the caller says so, as far as it was spoken."""
    upstream.script = Script(["One ", "two ", Hang()])
    session, key = await place.session()
    body: dict[str, Any] = {"messages": [{"role": "user", "content": "Count."}], "stream": True}
    async with calling(f"{place.url}/k/{key}/v1/chat/completions", body) as call:
        async for event in call.events():
            if "two" in event.data:
                break
        call.hang_up()
    assert await place.said(session, 2) == [("user", "Count."), ("assistant", "One two")]
    upstream.script = Script(["Fine."])
    history = [*body["messages"], {"role": "assistant", "content": "One"}, {"role": "user", "content": "Stop."}]
    assert (await ask(f"{place.url}/k/{key}/v1", "", messages=history)).status_code == 200
    assert await place.said(session, 4) == [
        ("user", "Count."), ("assistant", "One"), ("user", "Stop."), ("assistant", "Fine."),
    ]  # fmt: skip


async def test_a_failed_turn_keeps_its_question_and_the_apology(place: Place, upstream: Upstream) -> None:
    """What the person heard in place of an answer is what was said."""
    upstream.script = Answer(500, error("broken"))
    session, key = await place.session()
    assert (await ask(f"{place.url}/k/{key}/v1", "Are you there?")).status_code == 200
    assert await place.said(session, 2) == [("user", "Are you there?"), ("assistant", NORA.apology)]


async def test_by_capability_alone_the_lone_session_is_meant(place: Place) -> None:
    """Simli that sends no key asks at the agent's own URL: its one open session by agent has the turn."""
    base = place.url + place.capabilities.path_of("nora").removesuffix("/chat/completions")
    session, _ = await place.session(flow="agent")
    await place.session(flow="e2e")
    assert (await ask(base, "Without a key.")).status_code == 200
    assert await place.said(session, 2) == [("user", "Without a key."), ("assistant", "Hello there.")]
    other, _ = await place.session(flow="agent")
    assert (await ask(base, "To one of two.")).status_code == 200
    await asyncio.sleep(0.1)
    assert len(await place.said(session, 2)) == 2 and await place.said(other, 0) == []


async def test_of_no_other_turn_a_word_is_kept(place: Place) -> None:
    """A look through the public URL, an agent without transcripts, a person's key, nobody's turn."""
    session, key = await place.session()
    mute, mutes = await place.session("mute")
    persons = await place.store.keys.create(agent="nora")
    assert isinstance(persons.key, Key)
    asked = [
        (f"{place.url}/k/{key}/v1", {PREFLIGHT: "1"}),
        (f"{place.url}/k/{mutes}/v1", {}),
        (f"{place.url}/agents/nora", {"authorization": f"Bearer {persons.text}"}),
        (f"{place.url}/agents/nora", {}),
    ]
    for base, headers in asked:
        assert (await ask(base, "A secret.", headers)).status_code == 200
    assert (await ask(f"{place.url}/k/{key}/v1", "The last.")).status_code == 200
    assert await place.said(session, 2) == [("user", "The last."), ("assistant", "Hello there.")]
    assert await place.said(mute, 0) == []
