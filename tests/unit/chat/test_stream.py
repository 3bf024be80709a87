"""gateway/chat/stream.py"""

from collections.abc import Sequence
from itertools import count
from typing import Any

import pytest

from gateway.chat import stream
from gateway.errors import GatewayError, UpstreamStalled, UpstreamTruncated
from gateway.types import Chunk, Chunks, Passage, Stage, Turn

SORRY = "I am sorry, I lost my thread."
STOP = Chunk(finish_reason="stop")


class Source:
    """A stream of these chunks, then of this error; it knows whether it was closed."""

    def __init__(self, *chunks: Chunk, error: Exception | None = None) -> None:
        self.given, self.error, self.closed = chunks, error, False

    async def chunks(self) -> Chunks:
        try:
            for chunk in self.given:
                yield chunk
            if self.error:
                raise self.error
        finally:
            self.closed = True


async def through(stage: Stage, *chunks: Chunk, error: Exception | None = None) -> list[Chunk]:
    return [chunk async for chunk in stage(Source(*chunks, error=error).chunks())]


def turn() -> Turn:
    return Turn("req_1", 0.0, 0.0)


STAGES: Sequence[Stage] = (
    stream.finished,
    stream.single_calls,
    stream.spoken,
    stream.recovered(SORRY, turn()),
    stream.sourced(()),
    stream.estimated(0),
    stream.recorded(turn(), lambda: 0.0),
)


@pytest.mark.parametrize("stage", STAGES)
async def test_closing_a_stage_closes_its_source(stage: Stage) -> None:
    """A stage that is stopped early ends the upstream call at once, not at garbage collection."""
    source = Source(Chunk("a"), Chunk("b"), STOP)
    chunks = stage(source.chunks())
    await anext(chunks)
    await chunks.aclose()
    assert source.closed


async def test_closing_a_fold_of_all_stages_closes_the_source() -> None:
    """The same holds through the whole fold."""
    source = Source(Chunk("a"), Chunk("b"), STOP)
    chunks = stream.folded(source.chunks(), STAGES)
    await anext(chunks)
    await chunks.aclose()
    assert source.closed


@pytest.mark.parametrize("stage", STAGES)
async def test_no_stage_swallows_a_chunk(stage: Stage) -> None:
    """What marks a read's end is still there behind every stage, so nobody waits for it."""
    given = [
        Chunk("a", more=True),
        Chunk(delta={"reasoning_content": "hm"}, more=True),
        Chunk(),
        Chunk(finish_reason="stop"),
    ]
    assert [chunk.more for chunk in await through(stage, *given)][:4] == [True, True, False, False]


async def test_a_finish_ends_what_is_said() -> None:
    """Text and a second finish behind the finish are dropped, usage is kept."""
    given = (Chunk("a"), STOP, Chunk("b"), Chunk(usage={"total_tokens": 1}), Chunk(finish_reason="length"))
    assert await through(stream.finished, *given) == [
        Chunk("a"),
        STOP,
        Chunk(),
        Chunk(usage={"total_tokens": 1}),
        Chunk(),
    ]


async def test_an_end_without_a_finish_is_an_error() -> None:
    """A truncated answer is never passed on as a whole one."""
    with pytest.raises(UpstreamTruncated):
        await through(stream.finished, Chunk("half a sen"))


async def test_a_failure_behind_the_finish_is_no_failure() -> None:
    """The answer was whole."""
    assert await through(stream.finished, STOP, error=UpstreamStalled("")) == [STOP]


async def test_a_tool_call_ends_as_one() -> None:
    """`stop` after a tool call becomes `tool_calls`, for some callers drop the call otherwise."""
    call = {"index": 0, "id": "c", "function": {"name": "f", "arguments": "{}"}}
    chunks = await through(stream.finished, Chunk(delta={"tool_calls": [call]}), Chunk(finish_reason="stop"))
    assert chunks[-1].finish_reason == "tool_calls"


async def test_calls_go_out_one_by_one_with_their_index() -> None:
    """Two calls in one delta become two deltas; missing indexes are counted, types and arguments filled in."""
    calls = [{"id": "a", "function": {"name": "f"}}, {"id": "b", "function": {"name": "g", "arguments": "{"}}]
    more = {"index": "b", "function": {"arguments": "}"}}
    chunks = await through(stream.single_calls, Chunk(delta={"tool_calls": calls}), Chunk(delta={"tool_calls": [more]}))
    assert [dict(chunk.delta or {}) for chunk in chunks] == [
        {"tool_calls": [{"index": 0, "id": "a", "type": "function", "function": {"name": "f", "arguments": ""}}]},
        {"tool_calls": [{"index": 1, "id": "b", "type": "function", "function": {"name": "g", "arguments": "{"}}]},
        {"tool_calls": [{"index": 1, "function": {"arguments": "}"}}]},
    ]
    assert [chunk.more for chunk in chunks] == [True, False, False]


async def test_a_face_says_refusals_and_keeps_its_reasoning_to_itself() -> None:
    """Reasoning is never spoken; a refusal always, for silence is the worst answer."""
    given: list[Any] = [{"reasoning_content": "hm"}, {"refusal": "I can't."}, {"tool_calls": [{}], "refusal": "x"}]
    chunks = await through(stream.spoken, *(Chunk(delta=delta) for delta in given))
    assert [(chunk.text, chunk.delta) for chunk in chunks] == [
        ("", None),
        ("I can't.", None),
        ("x", {"tool_calls": [{}]}),
    ]


@pytest.mark.parametrize("error", [UpstreamStalled("silent"), UpstreamTruncated("cut"), GatewayError("a bug")])
async def test_a_failure_midway_ends_in_the_apology_and_a_finish(error: GatewayError) -> None:
    """The face says its apology behind what it said; the finish tells a program that the answer is incomplete."""
    record = turn()
    chunks = await through(stream.recovered(SORRY, record), Chunk("The boat"), error=error)
    assert "".join(chunk.text for chunk in chunks) == "The boat I am sorry, I lost my thread."
    assert chunks[-1] == Chunk(finish_reason="stop", extension={"incomplete": True, "code": error.code})
    assert (record.outcome, record.code) == ("incomplete_spoken", error.code)


async def test_an_apology_is_a_whole_answer() -> None:
    """Where nothing came at all, the apology stands alone."""
    chunks = [chunk async for chunk in stream.apologised(SORRY, UpstreamStalled(""))]
    assert [chunk.text for chunk in chunks] == [SORRY, ""]
    assert chunks[-1].finish_reason == "stop" and chunks[-1].extension == {
        "incomplete": True,
        "code": "upstream_stalled",
    }


async def test_sources_stand_in_the_finish_and_nowhere_else() -> None:
    """Sources are never part of the spoken text."""
    passage = Passage("c/a.md#1", "c", "a.md", "A > B", "text", score=0.123456)
    first, last = await through(stream.sourced([passage]), Chunk("a"), Chunk(finish_reason="stop", extension={"x": 1}))
    assert first == Chunk("a")
    assert last.extension == {"x": 1, "sources": [{"id": "c/a.md#1", "title": "A > B", "score": 0.1235}]}


async def test_usage_is_estimated_only_where_nobody_counted() -> None:
    """Four characters a token, and it is said that it is an estimate."""
    counted = Chunk(usage={"total_tokens": 9})
    assert await through(stream.estimated(40), Chunk("12345678"), STOP, counted) == [Chunk("12345678"), STOP, counted]
    assert (await through(stream.estimated(40), Chunk("12345678"), STOP))[-1] == Chunk(
        usage={"prompt_tokens": 10, "completion_tokens": 2}, extension={"usage_estimated": True}
    )


async def test_a_turn_records_what_passed() -> None:
    """Words, the moment of the first, the finish and the ending."""
    record, ticks = turn(), count(1)
    await through(stream.recorded(record, lambda: next(ticks) / 1000), Chunk(), Chunk("hi"), Chunk(" you"), STOP)
    assert (record.chunks, record.characters, record.finish_reason, record.phase) == (2, 6, "stop", "done")
    assert record.timings == {"ttft": 1.0}


async def test_a_turn_records_a_failure() -> None:
    """An error that goes out as an event is the turn's outcome."""
    record = turn()
    with pytest.raises(UpstreamStalled):
        await through(stream.recorded(record, lambda: 0.0), Chunk("hi"), error=UpstreamStalled(""))
    assert (record.outcome, record.code) == ("upstream_error", "upstream_stalled")
