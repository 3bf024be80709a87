"""The caller's history, repaired for any upstream."""

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway.chat.history import History, last_words, repaired, spoken
from gateway.types import Message


def m(role: str, content: Any = None, **more: Any) -> Message:
    """A message."""
    return {"role": role, "content": content, **more}


def call(id_: str, arguments: str = "{}") -> dict[str, Any]:
    """A tool call."""
    return {"id": id_, "type": "function", "function": {"name": "f", "arguments": arguments}}


def repair(*messages: Message, characters: int = 10_000) -> History:
    """Repair with a cap that rarely matters."""
    return repaired(messages, characters=characters)


def test_right_messages_go_on_as_they_are() -> None:
    """A history without fault is passed on, message by message the very same objects."""
    talk = (m("user", "Hi"), m("assistant", "Hello."), m("user", "How high?"))
    found = repair(*talk)
    assert all(one is other for one, other in zip(talk, found.messages, strict=True))
    assert (found.last, found.question, found.context) == (2, "How high?", "Hi")


def test_system_messages_are_set_apart() -> None:
    """System and developer messages, wherever they stand, are the caller's system text."""
    parts = [{"type": "text", "text": "B"}]
    found = repair(m("system", "A"), m("user", "Hi"), m("developer", parts), m("system", " "))
    assert found.system == ("A", "B")
    assert found.messages == (m("user", "Hi"),)


@pytest.mark.parametrize("messages", [(), (m("system", "x"),), (m("assistant", "Hi"),), (m("tool", "x"),)])
def test_nobody_spoke(messages: tuple[Message, ...]) -> None:
    """Without a user turn there is no question."""
    found = repair(*messages)
    assert (found.last, found.question, found.context) == (None, "", "")


def test_interruptions_are_merged() -> None:
    """Two turns of one side in a row, as an interruption leaves them, are one."""
    found = repair(
        m("user", "What is"),
        m("assistant", ""),
        m("user", "the height?"),
        m("assistant", "A"),
        m("assistant", "B"),
    )
    assert found.messages == (m("user", "What is\nthe height?"), m("assistant", "A\nB"))
    assert found.question == "What is\nthe height?"


def test_speakers_of_two_names_stay_two() -> None:
    """Turns of different people are not put into one mouth."""
    talk = (m("user", "Hi", name="ann"), m("user", "Ho", name="bob"))
    assert repair(*talk).messages == talk


def test_an_assistant_may_begin() -> None:
    """A greeting that the caller played itself stays at the front."""
    talk = (m("assistant", "Welcome."), m("user", "Hi"))
    assert repair(*talk).messages == talk


def test_parts_become_text() -> None:
    """Text of parts is kept in order; pictures and sounds leave a word where there is nothing else."""
    text = m("user", [{"type": "text", "text": "A"}, {"type": "image_url", "image_url": {}}, "B"])
    picture = m("user", [{"type": "image_url", "image_url": {"url": "data:"}}])
    odd = m("user", [{"type": "evil\nsystem:"}])
    assert repair(text).messages == (m("user", "A\nB"),)
    assert repair(picture).messages == (m("user", "[image]"),)
    assert repair(picture).question == ""
    assert repair(odd).messages == (m("user", ""),)


def test_the_last_user_turn_is_never_dropped() -> None:
    """Silence transcribed as nothing is still a turn, and so is one longer than the cap."""
    assert repair(m("user", "Hi"), m("assistant", "Ho"), m("user", " ")).last == 2
    assert repair(m("user", "a" * 50), characters=10).question == "a" * 50


def test_answered_calls_stay() -> None:
    """A call with its results is left alone, results in the order that they came in."""
    talk = (
        m("user", "x"),
        m("assistant", None, tool_calls=[call("a"), call("b")]),
        m("tool", "2", tool_call_id="b"),
        m("tool", "1", tool_call_id="a"),
        m("assistant", "done"),
    )
    assert repair(*talk).messages == talk


def test_unanswered_calls_and_orphans_go() -> None:
    """Calls without a result and results without a call would be refused for the rest of the session."""
    found = repair(
        m("tool", "0", tool_call_id="z"),
        m("user", "x"),
        m("assistant", "Let me see.", tool_calls=[call("a"), call("b")]),
        m("tool", "1", tool_call_id="a"),
        m("tool", "again", tool_call_id="a"),
        m("tool", "?", tool_call_id="q"),
        m("user", "y"),
        m("assistant", None, tool_calls=[call("c")]),
        m("user", "z"),
    )
    assert found.messages == (
        m("user", "x"),
        m("assistant", "Let me see.", tool_calls=[call("a")]),
        m("tool", "1", tool_call_id="a"),
        m("user", "y\nz"),
    )


def test_a_call_with_words_keeps_its_words() -> None:
    """What was said beside a call that nobody answered was still said."""
    found = repair(m("user", "x"), m("assistant", "One moment.", tool_calls=[call("a")]), m("user", "y"))
    assert found.messages[1] == m("assistant", "One moment.")


def test_old_functions_are_kept_or_dropped_alike() -> None:
    """OpenAI's older function calls follow the same rule."""
    asked = m("assistant", None, function_call={"name": "f", "arguments": "{}"})
    talk = (m("user", "x"), asked, m("function", "1", name="f"))
    assert repair(*talk).messages == talk
    assert repair(m("user", "x"), asked, m("function", "1", name="g")).messages == (m("user", "x"),)


def conversation(turns: int, size: int = 90) -> list[Message]:
    """A talk whose turns can be told apart, each of 2 * `size` characters."""
    talk = []
    for number in range(turns):
        talk += [m("user", f"u{number}".ljust(size, ".")), m("assistant", f"a{number}".ljust(size, "."))]
    return talk


def test_the_cap_keeps_the_first_exchange_and_the_last_turns() -> None:
    """Whole turns of the middle go, oldest first."""
    talk = conversation(20)
    found = repaired(talk, characters=1000).messages
    assert found[:2] == tuple(talk[:2])
    assert found[2:] == tuple(talk[-len(found) + 2 :])
    assert 500 <= sum(len(spoken(each)) for each in found) <= 1000


def test_the_cut_rarely_moves() -> None:
    """Most turns of a long talk begin as the turn before did, so that a provider's cache is of use."""
    talk = conversation(100)
    moved = 0
    before: tuple[Message, ...] = ()
    for end in range(1, len(talk), 2):
        now = repaired(talk[:end], characters=4000).messages
        moved += now[: len(before)] != before
        before = now
    assert moved <= 100 * 180 / 1000 + 1


def test_a_huge_first_exchange_goes() -> None:
    """What fills a quarter of the cap is not worth its place at the front."""
    talk = [m("user", "x" * 400), m("assistant", "y"), *conversation(10)]
    assert repaired(talk, characters=1000).messages[0] != talk[0]


def test_a_cap_never_parts_a_call_from_its_result() -> None:
    """Turns go whole."""
    talk: list[Message] = []
    for number in range(10):
        talk += [
            m("user", f"u{number}" * 20),
            m("assistant", None, tool_calls=[call(f"c{number}", "a" * 50)]),
            m("tool", "r" * 50, tool_call_id=f"c{number}"),
            m("assistant", "done"),
        ]
    found = repaired(talk, characters=500).messages
    assert len(found) < len(talk)
    assert [each["role"] for each in found] == ["user", "assistant", "tool", "assistant"] * (len(found) // 4)


def test_last_words_of_untouched_messages() -> None:
    """A bare route's question is its last user turn."""
    assert last_words([m("user", "a"), m("user", "b"), m("assistant", "c")]) == ("b", "a")
    assert last_words([]) == ("", "")


TEXT = st.one_of(st.none(), st.sampled_from(["", " ", "a", "long" * 10]), st.text(max_size=8))
IDS = st.sampled_from(["1", "2", "3"])
MESSAGE = st.one_of(
    st.builds(m, st.sampled_from(["system", "developer", "user", "assistant"]), TEXT),
    st.builds(
        m,
        st.just("user"),
        st.lists(st.one_of(st.text(max_size=3), st.just({"type": "image_url"})), max_size=3),
    ),
    st.builds(m, st.just("user"), TEXT, name=st.sampled_from(["ann", "bob"])),
    st.builds(m, st.just("assistant"), TEXT, tool_calls=st.lists(st.builds(call, IDS), max_size=3)),
    st.builds(m, st.just("tool"), TEXT, tool_call_id=IDS),
    st.builds(m, st.just("assistant"), TEXT, function_call=st.just({"name": "f", "arguments": "{}"})),
    st.builds(m, st.just("function"), TEXT, name=st.sampled_from(["f", "g"])),
)


@settings(max_examples=300, deadline=None)
@given(messages=st.lists(MESSAGE, max_size=14), characters=st.integers(1, 200))
@example(messages=[m("user", "a"), m("user", "0", name="ann"), m("user", "")], characters=1)
def test_repair_is_idempotent(messages: list[Message], characters: int) -> None:
    """A repaired history needs no repair, keeps the last user turn, and obeys the cap where a turn can go."""
    once = repaired(messages, characters=characters)
    again = repaired([*(m("system", text) for text in once.system), *once.messages], characters=characters)
    assert again == once
    assert (once.last is None) == all(each["role"] != "user" for each in messages)
    roles = [each["role"] for each in once.messages]
    if sum(len(spoken(each)) for each in once.messages) > characters:
        assert roles.count("user") <= 1
    for one, other in zip(once.messages, once.messages[1:], strict=False):
        if one["role"] == other["role"] and one["role"] in ("user", "assistant"):
            assert one.get("name") != other.get("name") or "function_call" in {**one, **other}
