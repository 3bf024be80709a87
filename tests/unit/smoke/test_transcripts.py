"""Whether those who wrote a conversation down agree: who said what, in order, as far as a recogniser can spell."""

import pytest

from gateway.smoke.transcripts import Line, disagreements
from gateway.types.smoke import SmokeLine

HELD = [
    Line("assistant", "Hello, and welcome to Skerrin Point."),
    Line("user", "How long does the crossing take?"),
    Line("assistant", "The crossing takes fifty minutes each way, and the Kittiwake leaves at nine."),
    Line("user", "Why did people leave the village?"),
    Line("assistant", "The last twenty-four people of the village left", cut=True),
    Line("user", "And how high is the hill?"),
    Line("assistant", "Sixty-one metres."),
]


def lines(*texts: str, first: str = "user") -> tuple[SmokeLine, ...]:
    """By turns."""
    other = "assistant" if first == "user" else "user"
    return tuple(
        SmokeLine("user" if (first, other)[at % 2] == "user" else "assistant", text) for at, text in enumerate(texts)
    )


ASKED = tuple(line.text for line in HELD[1:])


@pytest.mark.parametrize(
    "written",
    [
        lines(*ASKED),
        lines(HELD[0].text, *ASKED, first="assistant"),
        lines(ASKED[0], "The crossing takes 50 minutes each way and the kitty wake leaves at 9.", *ASKED[2:]),
        lines(*ASKED[:3], f"{ASKED[3]} on the fourteenth of June 1934, at their own request", *ASKED[4:]),
        lines(*ASKED[:3], "The last twenty-four", *ASKED[4:]),
    ],
    ids=["the same", "with the first message", "as it sounds", "more of what was cut", "less of what was cut"],
)
def test_the_same_conversation_is_the_same(written: tuple[SmokeLine, ...]) -> None:
    """The first message may be missing, names may be misheard, and of an interrupted line the end may differ."""
    assert not list(disagreements(HELD, {"sandbox": written}))


@pytest.mark.parametrize(
    ("written", "says"),
    [
        (lines(*ASKED[:4]), "4 lines, and 6 were spoken"),
        (lines(*ASKED[:1], "I do not know.", *ASKED[2:]), "line 2 is 'I do not know.'"),
        (lines(*ASKED[2:4], *ASKED[:2], *ASKED[4:]), "line 1"),
        ((*lines(*ASKED[:1]), *lines(*ASKED[2:])), "line 1 is"),
        ((), "0 lines"),
    ],
    ids=["shorter", "another answer", "another order", "a line is missing", "nothing"],
)
def test_another_conversation_is_told(written: tuple[SmokeLine, ...], says: str) -> None:
    """What is missing, added, or in another order is one finding that names the first line which differs."""
    [finding] = disagreements(HELD, {"gateway": written, "sandbox": lines(*ASKED)})
    assert finding.code == "transcripts_differ" and says in finding.says and "gateway" in finding.says


def test_what_one_says_in_several_lines_is_one() -> None:
    """Whoever writes a line a sentence has said the same."""
    parted = (SmokeLine("user", "How long does"), SmokeLine("user", "the crossing take?"), *lines(*ASKED)[1:])
    assert not list(disagreements(HELD, {"gateway": parted}))
