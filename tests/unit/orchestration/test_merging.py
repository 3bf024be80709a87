"""gateway/orchestration/merging.py"""

import pytest

from gateway.orchestration.merging import merged, without_repeats
from gateway.types.simli import Spoken


def you(text: str, at: float | None = None) -> Spoken:
    return Spoken("user", text, at)


def it(text: str, at: float | None = None) -> Spoken:
    return Spoken("assistant", text, at)


HELLO, WHEN, FIVE = it("Welcome!"), you("When does the boat go?"), it("At five. Do not be late.")


@pytest.mark.parametrize(
    ("simli", "own", "wanted"),
    [
        ([], [], []),
        ([HELLO, WHEN, FIVE], [], [HELLO, WHEN, FIVE]),
        # Times are the gateway's where Simli has none, and stay where it has.
        ([HELLO, WHEN], [you(WHEN.text, 7.0)], [HELLO, you(WHEN.text, 7.0)]),
        ([you(WHEN.text, 3.0)], [you(WHEN.text, 7.0)], [you(WHEN.text, 3.0)]),
        # Heard otherwise: dots, capitals, the beginning of a longer answer, which was interrupted.
        ([you("when does the boat go"), it("At five.")], [you(WHEN.text, 1.0), it(FIVE.text, 2.0)],
         [you("when does the boat go", 1.0), it("At five.", 2.0)]),
        # An answer that nobody heard is not in it; a question that Simli lost is.
        ([WHEN, it("At six.")], [you(WHEN.text, 1.0), it("Let me see.", 2.0), it("At six.", 3.0)],
         [you(WHEN.text, 1.0), it("At six.", 3.0)]),
        ([FIVE], [you(WHEN.text, 1.0), it(FIVE.text, 2.0)], [you(WHEN.text, 1.0), it(FIVE.text, 2.0)]),
        ([WHEN], [you(WHEN.text, 1.0), you("Hello?", 4.0)], [you(WHEN.text, 1.0), you("Hello?", 4.0)]),
        # Simli wrote down no answers at all: the gateway's stand in.
        ([WHEN], [you(WHEN.text, 1.0), it(FIVE.text, 2.0)], [you(WHEN.text, 1.0), it(FIVE.text, 2.0)]),
        # Said twice, twice matched.
        ([you("Yes."), it("Good."), you("Yes.")], [you("Yes.", 1.0), it("Good.", 2.0), you("Yes.", 3.0)],
         [you("Yes.", 1.0), it("Good.", 2.0), you("Yes.", 3.0)]),
        # One is in another script, and there are signs only.
        ([you("Как дела?"), you("?!")], [you("как дела", 1.0), you("...", 2.0)],
         [you("Как дела?", 1.0), you("?!"), you("...", 2.0)]),
    ],
)  # fmt: skip
def test_simli_says_what_was_spoken_and_the_gateway_when(
    simli: list[Spoken], own: list[Spoken], wanted: list[Spoken]
) -> None:
    """Simli's lines in their order; of the gateway's, times and what Simli cannot know."""
    assert list(merged(simli, own)) == wanted


def test_a_turn_that_was_asked_again_is_one_question() -> None:
    """A client that repeats a failed turn has not asked twice; a person who does has an answer between."""
    lines = [you("Hi."), you("hi"), it("Ho."), you("Hi."), you("Who?")]
    assert [line.text for line in without_repeats(lines)] == ["Hi.", "Ho.", "Hi.", "Who?"]


def test_long_conversations_are_merged_in_no_time() -> None:
    """Four thousand lines on either side cost a fraction of a second."""
    own = [Spoken("user" if number % 2 else "assistant", f"Line {number}.", float(number)) for number in range(4000)]
    simli = [Spoken(line.role, line.text) for line in own]
    assert list(merged(simli, own)) == own
