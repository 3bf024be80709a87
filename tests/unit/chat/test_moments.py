"""gateway/chat/moments.py"""

from collections.abc import Iterator

import pytest

from gateway.chat import stream
from gateway.chat.moments import TOGETHER, Clause
from gateway.errors import UpstreamStalled
from gateway.types import Chunk, Turn
from tests.unit.chat.source import Source, through

STOP = Chunk(finish_reason="stop")


def heard(text: str) -> str:
    """What was said, character by character, when its first clause was whole; nothing: it was not."""
    clause = Clause()
    return next((text[: at + 1] for at, character in enumerate(text) if clause.end(character)), "")


@pytest.mark.parametrize(
    ("text", "clause"),
    [
        ("Yes. It is.", "Yes. "),
        ("The tower is 3.5 metres wide, and tall. Yes", "The tower is 3.5 metres wide, "),
        ("Well, the tower is forty feet tall. It", "Well, the tower is forty feet tall. "),
        ("Dr. J. Watson built it! Then", "Dr. J. Watson built it! "),
        ('"Who is there?" she asked', '"Who is there?" '),
        ("It was built in 1850. Later", "It was built in 1850. "),
        ("At 10:30 it opens", ""),
        ("Two lines\nof it", "Two lines\n"),
        ("灯台は高いです。次", "灯台は高いです。"),
        ("\u0646\u0639\u0645\u061f \u0644\u0627", "\u0646\u0639\u0645\u061f "),
        ("no mark at all", ""),
    ],
)
def test_a_clause_is_what_a_voice_can_begin_with(text: str, clause: str) -> None:
    """A sentence, or words up to a comma; neither a number's dot nor a title's. However it is cut into pieces."""
    assert heard(text) == clause
    for size in (2, 3, 7, len(text)):
        found = Clause()
        ends = ((at, found.end(text[at : at + size])) for at in range(0, len(text), size))
        whole = next((text[: at + end] for at, end in ends if end is not None), "")
        assert whole == clause, size


def test_a_long_text_is_remembered_by_its_end_alone() -> None:
    """A clause that does not end costs no more the longer it is."""
    clause = Clause()
    assert not any(clause.end("word ") for _ in range(10_000))
    assert len(clause._recent) < 20 and clause.end("end. ") == 5


@pytest.mark.parametrize("count", [TOGETHER - 1, TOGETHER, TOGETHER + 1, 3 * TOGETHER])
async def test_texts_that_are_reckoned_together_are_told_apart(count: int) -> None:
    """However many there are, the first clause is out with the text that ends it, and a silence is where it was."""
    texts = {float(at): "word " for at in range(count)} | {count + 100.0: "end. ", count + 110.0: "More. "}
    turn = Turn("r", 0, 0)
    assert await moments(turn, texts) == {"ttft": 0.0, "first_clause": count + 100.0, "longest_gap": 101.0}
    assert (turn.chunks, turn.characters) == (count + 2, sum(map(len, texts.values())))


def test_a_title_stays_one_when_it_has_been_said_for_a_while() -> None:
    """A dot that was none is none when only its end is remembered."""
    clause = Clause()
    assert [clause.end(text) for text in ("Mr. Ab came a", "t 3.5 m", ". So")] == [None, None, 2]


async def moments(turn: Turn, texts: dict[float, str], *, error: Exception | None = None) -> dict[str, float]:
    """What the turn says when these texts go out at these milliseconds; the finish is there a second after the last."""
    times: Iterator[float] = iter([*texts, max(texts) + 1000])
    chunks = [Chunk(text) for text in texts.values()]
    stage = stream.recorded(turn, lambda: next(times) / 1000)
    if error is None:
        await through(stage, *chunks, STOP)
    else:
        with pytest.raises(type(error)):
            await through(stage, *chunks, error=error)
    return {name: round(value, 6) for name, value in turn.timings.items()}


async def test_the_longest_silence_is_between_two_texts() -> None:
    """Neither before the first nor behind the last; an answer of one text has none."""
    texts = {300.0: "The tower ", 340.0: "is forty feet tall. ", 900.0: "It is ", 950.0: "white."}
    assert await moments(Turn("r", 0, 0), texts) == {"ttft": 300.0, "first_clause": 340.0, "longest_gap": 560.0}
    assert await moments(Turn("r", 0, 0), {300.0: "Yes"}) == {"ttft": 300.0, "first_clause": 1300.0}


async def test_an_answer_that_breaks_off_tells_what_was_heard_of_it() -> None:
    """Its silences until then; a clause only where it was whole."""
    told = await moments(Turn("r", 0, 0), {10.0: "The tower", 50.0: " is"}, error=UpstreamStalled(""))
    assert told == {"ttft": 10.0, "longest_gap": 40.0}


async def test_a_hang_up_leaves_what_was_heard() -> None:
    """A stream that is closed midway tells its silences, too."""
    turn, times = Turn("r", 0, 0), iter((0.01, 0.05))
    chunks = stream.recorded(turn, lambda: next(times))(Source(Chunk("One "), Chunk("two "), STOP).chunks())
    await anext(chunks)
    await anext(chunks)
    await chunks.aclose()
    assert turn.timings["longest_gap"] == pytest.approx(40.0) and "first_clause" not in turn.timings


async def test_who_waits_for_the_whole_hears_no_silence() -> None:
    """An answer that is no stream has a first word, as ever, and nothing else."""
    turn = Turn("r", 0, 0, stream=False)
    assert await moments(turn, {10.0: "The tower. ", 500.0: "Yes."}) == {"ttft": 10.0}
