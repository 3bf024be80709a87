"""gateway/chat/speech/stage.py"""

import pytest

from gateway.chat.speech import speech
from gateway.errors import UpstreamEmpty, UpstreamStalled
from gateway.types import Chunk
from tests.unit.chat.source import Source, through

STOP = Chunk(finish_reason="stop")


async def test_plain_chunks_are_the_same_chunks() -> None:
    """No chunk more, none less, and the end of each read stays where it was."""
    given = [Chunk("The", more=True), Chunk(" tower."), Chunk(), Chunk(finish_reason="stop"), Chunk(usage={"a": 1})]
    assert await through(speech("en"), *given) == [
        Chunk("The", more=True),
        Chunk(" tower."),
        Chunk(),
        STOP,
        Chunk(usage={"a": 1}),
    ]


async def test_what_waits_is_said_before_the_finish() -> None:
    """A list's last item, and what a mark's beginning turned out to be; a chunk that is left out is emptied."""
    given = (Chunk("- A\n", more=True), Chunk("- B"), Chunk("[1]"), Chunk(finish_reason="length"))
    assert await through(speech("en"), *given) == [
        Chunk("A", more=True),
        Chunk(),
        Chunk(),
        Chunk(", and B.", more=True),
        Chunk(finish_reason="length"),
    ]


@pytest.mark.parametrize("text", ["<think>I wonder.", "🙂", "[1]", "<tool_call>{}</tool_call>"])
async def test_nothing_to_say_is_an_error(text: str) -> None:
    """An answer of which nothing can be spoken is an empty one, whichever way it finished."""
    with pytest.raises(UpstreamEmpty) as caught:
        await through(speech("en"), Chunk(text), Chunk(finish_reason="length"))
    assert caught.value.finish_reason == "length"


async def test_a_tool_call_needs_no_words() -> None:
    """Calls pass untouched, and are answer enough."""
    call = {"tool_calls": [{"index": 0, "function": {"arguments": '{"a": "**b**"}'}}]}
    given = (Chunk("<think>x</think>"), Chunk(delta=call), Chunk(finish_reason="tool_calls"))
    assert await through(speech("en"), *given) == [Chunk(), Chunk(delta=call), Chunk(finish_reason="tool_calls")]


async def test_what_breaks_off_keeps_its_words() -> None:
    """Words that waited are said before the error goes on."""
    said: list[str] = []
    with pytest.raises(UpstreamStalled):
        async for chunk in speech("en")(Source(Chunk("- A\n- B"), error=UpstreamStalled("")).chunks()):
            said.append(chunk.text)  # noqa: PERF401 what came before the error counts
    assert "".join(said) == "A, and B."


async def test_too_long_an_answer_closes_its_upstream() -> None:
    """The caller gets the offer and a finish at once, and nothing more is paid for."""
    source = Source(*[Chunk("The light can be seen from afar. ")] * 100)
    got = [chunk async for chunk in speech("en")(source.chunks())]
    assert source.closed and got[-1] == Chunk(finish_reason="stop", extension={"shortened": True})
    assert got[-2].text.endswith("Shall I go on?") and got[-2].more


async def test_closing_the_stage_closes_its_source() -> None:
    """An interruption ends the upstream call at once."""
    source = Source(Chunk("a"), STOP)
    chunks = speech("en")(source.chunks())
    await anext(chunks)
    await chunks.aclose()
    assert source.closed
