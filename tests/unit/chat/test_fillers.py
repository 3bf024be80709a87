"""gateway/chat/fillers.py"""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.chat import fillers
from gateway.types import Message

LINES = ("Let me see.", "One moment, please.", "One moment.")
GERMAN = ("Einen Augenblick, bitte.", "Mal sehen …")
CHINESE = ("让我看看。", "嗯")
CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}


def m(role: str, content: Any = None, **more: Any) -> Message:
    return {"role": role, "content": content, **more}


@pytest.mark.parametrize(
    ("lines", "text", "rest"),
    [
        (LINES, "Let me see. It is forty metres tall.", "It is forty metres tall."),
        (LINES, "let me see it is forty", "it is forty"),
        (LINES, "LET ME SEE!  \n It is", "It is"),
        (LINES, "Let me see… “Fresnel” is a lens.", "“Fresnel” is a lens."),
        (LINES, "Let  me\nsee, then. It is", "then. It is"),
        (LINES, "One moment, please. It is", "It is"),
        (LINES, "One moment. It is", "It is"),
        (LINES, "Let me see. -5 degrees.", "-5 degrees."),
        (LINES, "Let me see. Sorry, I lost my thread.", "Sorry, I lost my thread."),
        (GERMAN, "einen augenblick bitte Der Turm", "Der Turm"),
        (GERMAN, "Mal sehen ... Der Turm", "Der Turm"),
        (("Voilà\u0300",), "voila. Bon.", "Bon."),
        (("Voilà",), "Voila\u0300. Bon.", "Bon."),
        (CHINESE, "让我看看。 塔高四十米。", "塔高四十米。"),
        (CHINESE, "嗯 塔高", "塔高"),
    ],
)
def test_an_answer_loses_its_filler(lines: tuple[str, ...], text: str, rest: str) -> None:
    """Whatever became of case, marks and blanks; what stands behind it is the model's own, to the letter."""
    assert fillers.removed([m("assistant", text)], lines) == [m("assistant", rest)]
    parts = [{"type": "text", "text": text}]
    assert fillers.removed([m("assistant", parts)], lines) == [m("assistant", rest)]


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        (LINES, "Let me see."),
        (LINES, " let me see "),
        (LINES, "Let me"),
        (LINES, "Let me s"),
        (LINES, "One moment, pl—"),
        (GERMAN, "Einen Augenblick"),
        (CHINESE, "让我"),
    ],
)
def test_a_message_that_was_only_a_filler_is_gone(lines: tuple[str, ...], text: str) -> None:
    """Whole, or interrupted after two words; but not the call that it stands beside."""
    assert fillers.removed([m("user", "Hi"), m("assistant", text)], lines) == [m("user", "Hi")]
    called = m("assistant", text, tool_calls=[CALL])
    assert fillers.removed([called], lines) == [m("assistant", None, tool_calls=[CALL])]


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        (LINES, "Let"),
        (LINES, "Let me seek the answer."),
        (LINES, "Let me show you the tower."),
        (LINES, "It is tall. Let me see."),
        (LINES, ""),
        (LINES, None),
        (CHINESE, "嗯嗯，好的。"),  # noqa: RUF001 Chinese marks
        (("…", "!"), "… It is."),
    ],
)
def test_all_else_stays_the_very_same(lines: tuple[str, ...], text: str | None) -> None:
    """What only looks like a filler, and what a user said, goes on as the object that came."""
    for message in (m("assistant", text), m("user", "Let me see."), m("tool", "Let me see.", tool_call_id="c")):
        (found,) = fillers.removed([message], lines)
        assert found is message


@given(st.lists(st.tuples(st.sampled_from(["user", "assistant"]), st.text(max_size=30))))
def test_no_text_is_harmed(talk: list[tuple[str, str]]) -> None:
    """Of any history only beginnings of the assistant's messages are taken, and a second time nothing."""
    messages = [m(role, text) for role, text in talk]
    once = fillers.removed(messages, LINES)
    kept = iter(messages)
    assert all(any(str(message["content"]).endswith(each["content"]) for message in kept) for each in once)
    assert [each for each in once if each["role"] == "user"] == [each for each in messages if each["role"] == "user"]


def test_fillers_take_turns() -> None:
    """The one after the last that was said, found in the history alone; without any, by the number of user turns."""
    begun = [m("user", "Hi")]
    assert fillers.chosen(LINES, begun) == LINES[1]
    assert fillers.chosen(LINES, [*begun, m("assistant", "Hello."), *begun]) == LINES[2]
    assert fillers.chosen(LINES, [*begun, m("assistant", "one moment, please: it is"), *begun]) == LINES[2]
    talk = [*begun, m("assistant", "One moment. It is"), m("user", "And?"), m("assistant", "It was."), *begun]
    assert fillers.chosen(LINES, talk) == LINES[0]
    assert fillers.chosen(LINES, [*begun, m("assistant", "Let me"), *begun]) == LINES[1]
    assert fillers.chosen(LINES[:1], talk) == LINES[0]
