"""gateway/chat/opening.py"""

import asyncio
from collections.abc import Sequence

import pytest

from gateway.chat.opening import Answer, filled
from gateway.errors import GatewayError, UpstreamTimeout
from gateway.types import Chunk, Turn
from tests.unit.chat.source import Source, turn

SEE = "Let me see."
STOP = Chunk(finish_reason="stop")


class Opening:
    """An answer of these chunks that takes so many seconds; it knows whether it was cancelled and closed."""

    def __init__(self, seconds: float, *chunks: Chunk, error: GatewayError | None = None) -> None:
        self.seconds, self.error, self.cancelled, self.closes = seconds, error, False, 0
        self.source = Source(*chunks)

    async def aclose(self) -> None:
        self.closes += 1

    async def opened(self, record: Turn) -> Answer:
        try:
            await asyncio.sleep(self.seconds)
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        if self.error:
            raise self.error
        record.target = "up/model"
        return Answer(self.source.chunks(), True, (), self.aclose)


async def heard(opening: Opening, after: float) -> tuple[str, Sequence[Chunk], Turn]:
    record = turn()
    answer = await filled(opening.opened(record), SEE, after, record)
    chunks = [chunk async for chunk in answer.chunks]
    await answer.aclose()
    assert opening.closes <= 2 and (opening.closes or not record.filler)
    return "".join(chunk.text for chunk in chunks), chunks, record


async def test_an_answer_in_time_has_no_filler() -> None:
    """What begins before the deadline is the answer as it was, and its very chunks."""
    text, chunks, record = await heard(Opening(0, Chunk(" It is"), STOP), 5)
    assert text == " It is" and chunks[-1].extension is None and not record.filler


@pytest.mark.parametrize("said", [["It is."], [" ", "\n", " It is."], ["", "It", " is."]])
async def test_a_late_answer_follows_its_filler_after_one_blank(said: list[str]) -> None:
    """One blank stands between the two, whatever blanks the answer begins with, and the finish names the target."""
    text, chunks, record = await heard(Opening(0.05, *map(Chunk, said), Chunk(finish_reason="stop")), 0.01)
    assert text == "Let me see. It is." and chunks[0] == Chunk("Let me see. ")
    assert record.filler and chunks[-1].extension == {"target": "up/model"}


async def test_what_an_opening_raises_is_raised() -> None:
    """Before the deadline at once, after it behind the filler."""
    failing = UpstreamTimeout("late")
    with pytest.raises(UpstreamTimeout):
        await filled(Opening(0, error=failing).opened(turn()), SEE, 5, turn())
    answer = await filled(Opening(0.05, error=failing).opened(turn()), SEE, 0.01, turn())
    assert (await anext(answer.chunks)).text == "Let me see. "
    with pytest.raises(UpstreamTimeout):
        await anext(answer.chunks)
    await answer.aclose()


async def test_leaving_before_the_filler_cancels_the_opening() -> None:
    """Whoever is cancelled while waiting has ended the opening before it ends itself."""
    opening = Opening(60)
    waiting = asyncio.create_task(filled(opening.opened(turn()), SEE, 60, turn()))
    await asyncio.sleep(0.01)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert opening.cancelled


@pytest.mark.parametrize("begun", [True, False])
async def test_leaving_after_the_filler_cancels_the_opening(begun: bool) -> None:
    """The same, whether or not the filler was taken."""
    opening = Opening(60)
    answer = await filled(opening.opened(turn()), SEE, 0.01, turn())
    if begun:
        await anext(answer.chunks)
        await answer.chunks.aclose()
        assert opening.cancelled
    await answer.aclose()
    assert opening.cancelled


async def test_leaving_in_the_answer_closes_it() -> None:
    """After the filler the stream's own closing is the answer's."""
    opening = Opening(0.03, Chunk("It"), Chunk(" is"), STOP)
    answer = await filled(opening.opened(turn()), SEE, 0.01, turn())
    assert [(await anext(answer.chunks)).text, (await anext(answer.chunks)).text] == ["Let me see. ", "It"]
    await answer.chunks.aclose()
    assert opening.source.closed and opening.closes


async def test_an_answer_that_nobody_reads_is_closed() -> None:
    """An opening that came to its end while nobody looked leaves nothing open."""
    opening = Opening(0.03, Chunk("It"), STOP)
    answer = await filled(opening.opened(turn()), SEE, 0.01, turn())
    await asyncio.sleep(0.05)
    await answer.aclose()
    assert opening.closes == 1
