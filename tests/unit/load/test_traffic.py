"""Conversations are as long, as thoughtful and as impatient as the table of habits says."""

import random
from itertools import pairwise

import pytest

from tests.load.listening import Heard
from tests.load.traffic import (
    HABITS,
    INTERRUPTED,
    LANGUAGES,
    QUESTION,
    SHARES,
    SYSTEM,
    THOUGHT,
    VERSIONS,
    VOICE,
    Conversation,
    body,
    cycle,
    expected,
    questions,
    words,
)

ANSWER = Heard("finish", 200, " ".join(["word"] * 50), first=0.4, seconds=1.4)


@pytest.mark.parametrize("language", LANGUAGES)
def test_questions_are_as_long_as_spoken_ones(language: str) -> None:
    """Every question has 3 to 25 words, and there are many different ones."""
    assert len(questions(language)) > 20
    asked = {Conversation(random.Random(seed), language).turn().question for seed in range(300)}
    assert all(QUESTION.least <= words(each) <= QUESTION.most for each in asked)
    assert len(asked) > 20


def test_a_greeting_is_asked_with_a_system_message_only() -> None:
    """A conversation begins before anybody spoke."""
    assert list(Conversation(random.Random(1)).greeting().messages) == [{"role": "system", "content": SYSTEM}]


def test_the_history_grows() -> None:
    """Each turn is asked with everything before it, roles in turn, the question last."""
    talk = Conversation(random.Random(1), joined=2)
    assert [each["role"] for each in talk.turn().asks[-1].messages] == ["system", *["user", "assistant"] * 2, "user"]
    talk.heard(ANSWER)
    again = talk.turn().asks[-1].messages
    assert [each["role"] for each in again[-3:]] == ["user", "assistant", "user"]
    assert again[-2]["content"] == ANSWER.text


def test_who_speaks_over_an_answer_has_not_heard_its_rest() -> None:
    """What is in the history is what a voice has spoken until then, and the next question comes at once."""
    talk = Conversation(random.Random(1))
    talk.turn()
    assert talk.heard(ANSWER, 2.0) == pytest.approx(1.0)  # the stream took one of the two seconds
    said = talk.turn().asks[-1].messages[-2]["content"]
    assert 2.0 * VOICE.least - 1 <= words(said) <= 2.0 * VOICE.most + 1
    assert ANSWER.text.startswith(said)


def test_an_answer_is_listened_to() -> None:
    """The next question comes when a voice has spoken the answer, and after a thought."""
    for seed in range(50):
        talk = Conversation(random.Random(seed))
        talk.turn()
        spoken = talk.heard(ANSWER) + 1.0
        assert 50 / VOICE.most + THOUGHT.least <= spoken <= 50 / VOICE.least + THOUGHT.most


def test_no_answer_is_not_remembered() -> None:
    """Where nothing was heard, nothing is in the history, and nobody listens to it."""
    talk = Conversation(random.Random(1))
    talk.turn()
    assert talk.heard(Heard("refused", 503)) <= THOUGHT.most
    assert [each["role"] for each in talk.turn().asks[-1].messages] == ["system", "user", "user"]


def test_a_recogniser_sends_a_turn_again_and_longer() -> None:
    """Versions are beginnings of the question, each longer than the one before, hung up on within a second."""
    seen = 0
    for seed in range(400):
        *versions, whole = Conversation(random.Random(seed)).turn().asks
        texts = [each.messages[-1]["content"] for each in (*versions, whole)]
        assert all(longer.startswith(shorter) for shorter, longer in pairwise(texts))
        assert all(each.leave_after < 1 for each in versions) and whole.leave_after == float("inf")
        seen += bool(versions)
    assert seen / 400 == pytest.approx(VERSIONS.of, abs=0.06)


def test_shares_are_what_the_table_says() -> None:
    """So many answers are spoken over as the table says, and every figure of it has a source."""
    over = sum(Conversation(random.Random(seed)).turn().over < float("inf") for seed in range(1000))
    assert over / 1000 == pytest.approx(INTERRUPTED.of, abs=0.04)
    assert all(each.source for each in (*HABITS, *SHARES))


def test_a_request_is_a_voice_pipelines() -> None:
    """It names a model, streams, and wants its tokens counted."""
    asked = body("nora", Conversation(random.Random(1)).greeting())
    assert (asked["model"], asked["stream"], asked["stream_options"]) == ("nora", True, {"include_usage": True})


def test_what_will_be_sent_is_reckoned() -> None:
    """A person asks some four times a minute; requests are more than model calls, by the greetings."""
    assert 10 < cycle() < 25
    sent = expected(100 * 60.0)
    assert sent.requests > sent.model_calls > 100 * 60 / cycle()
    assert sent.tokens > 1500 * sent.model_calls
