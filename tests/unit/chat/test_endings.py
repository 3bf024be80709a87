"""gateway/chat/endings.py"""

import pytest

from gateway.chat import completion, endings
from gateway.chat.frames import Stamp
from gateway.errors import GatewayError, UpstreamEmpty, UpstreamStalled, UpstreamTruncated
from gateway.types import Chunk, FinishReason
from tests.unit.chat.source import SORRY, Source, through, turn

ERRORS = [UpstreamStalled("silent"), UpstreamTruncated("cut"), GatewayError("a bug")]


@pytest.mark.parametrize("error", ERRORS)
async def test_a_failure_midway_ends_in_the_apology_and_a_finish(error: GatewayError) -> None:
    """The face says its apology behind what it said; the finish tells a program that the answer is incomplete."""
    record = turn()
    chunks = await through(endings.recovered(SORRY, record), Chunk("The boat"), error=error)
    assert "".join(chunk.text for chunk in chunks) == "The boat\N{HORIZONTAL ELLIPSIS} I am sorry, I lost my thread."
    assert chunks[-1] == Chunk(finish_reason="stop", extension={"incomplete": True, "code": error.code})
    assert (record.outcome, record.code) == ("incomplete_spoken", error.code)


async def test_a_bug_of_ours_is_spoken_too() -> None:
    """Any exception whatever ends in the apology; what it was is for the log."""
    chunks = await through(endings.recovered(SORRY, turn()), Chunk("The boat."), error=ZeroDivisionError("secret"))
    assert chunks[-2].text == f" {SORRY}" and chunks[-1].extension == {"incomplete": True, "code": "internal_error"}


@pytest.mark.parametrize("finish", ["stop", "length", "content_filter"])
async def test_an_apology_for_silence_finishes_as_the_silence_did(finish: FinishReason) -> None:
    """Where the upstream said nothing until its length or a filter ended it, the apology ends in the same reason."""
    error = UpstreamEmpty("", finish_reason=finish)
    chunks = await through(endings.recovered(SORRY, turn()), error=error)
    assert [chunk.text for chunk in chunks] == [SORRY, ""] and chunks[-1].finish_reason == finish


async def test_an_apology_is_a_whole_answer() -> None:
    """Where nothing came at all, the apology stands alone."""
    chunks = [chunk async for chunk in endings.excused(SORRY, UpstreamStalled(""), turn())]
    assert [chunk.text for chunk in chunks] == [SORRY, ""]
    assert chunks[-1].finish_reason == "stop" and chunks[-1].extension == {
        "incomplete": True,
        "code": "upstream_stalled",
    }


@pytest.mark.parametrize(
    ("said", "heard"),
    [
        (["the tower is forty"], "the tower is forty\u2026 Sorry."),
        (["the tower is", " forty", " "], "the tower is forty \u2026 Sorry."),
        (["the tower is forty", " ", "\n"], "the tower is forty \n\u2026 Sorry."),
        (["the tower is forty, "], "the tower is forty, \u2026 Sorry."),
        (["It is tall."], "It is tall. Sorry."),
        (["It is tall", ".", " "], "It is tall. Sorry."),
        (["Is it?\u201d"], "Is it?\u201d Sorry."),
        (["Well\u2026"], "Well\u2026 Sorry."),
        (["(It is.)"], "(It is.) Sorry."),
        ([" ", "\n"], " \nSorry."),
    ],
)
async def test_a_broken_sentence_is_ended_before_the_apology(said: list[str], heard: str) -> None:
    """A voice pauses where the words broke off, a whole sentence needs no mark, and no blank is doubled."""
    chunks = await through(endings.recovered("Sorry.", turn()), *map(Chunk, said), error=UpstreamStalled(""))
    assert "".join(chunk.text for chunk in chunks) == heard


def test_scripts_without_blanks_get_none() -> None:
    """Chinese and Japanese are written without blanks between sentences."""
    assert endings.joint("\u5854\u9ad8", "\u62b1\u6b49\u3002") == "\u2026"
    assert endings.joint("\u5854\u9ad8\u3002", "\u62b1\u6b49\u3002") == ""


async def test_half_a_tool_call_is_left_out_of_a_whole_answer() -> None:
    """Where one JSON object is asked for, a call that broke off is not in it; the apology is."""
    half = Chunk(delta={"tool_calls": [{"index": 0, "id": "c", "function": {"name": "f", "arguments": "{"}}]})
    source = Source(half, error=UpstreamTruncated(""))
    whole = await completion.folded(endings.recovered(SORRY, turn())(source.chunks()), Stamp("chatcmpl-1", 0, "m"))
    (choice,) = whole["choices"]
    assert choice["finish_reason"] == "stop" and choice["message"]["content"] == SORRY
    assert "tool_calls" not in choice["message"] and source.closed
