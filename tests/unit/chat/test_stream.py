"""gateway/chat/stream.py"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import count
from typing import Any

import pytest

from gateway.chat import endings, stream
from gateway.errors import InvalidValue, UpstreamEmpty, UpstreamStalled, UpstreamTruncated
from gateway.types import Chunk, FinishReason, Passage, Stage
from tests.unit.chat.source import SORRY, Source, through, turn

STOP = Chunk(finish_reason="stop")


STAGES: Sequence[Stage] = (
    stream.finished(turn()),
    stream.single_calls,
    stream.spoken,
    endings.recovered(SORRY, turn()),
    stream.sourced(()),
    stream.estimated(0, turn()),
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
    assert await through(stream.finished(turn()), *given) == [
        Chunk("a"),
        STOP,
        Chunk(),
        Chunk(usage={"total_tokens": 1}),
        Chunk(),
    ]


async def test_an_end_without_a_finish_is_an_error() -> None:
    """A truncated answer is never passed on as a whole one."""
    with pytest.raises(UpstreamTruncated):
        await through(stream.finished(record := turn()), Chunk("half a sen"))
    assert record.upstream == "failed"


async def test_a_failure_behind_the_finish_is_no_failure() -> None:
    """The answer was whole."""
    assert await through(stream.finished(record := turn()), STOP, error=UpstreamStalled("")) == [STOP]
    assert record.upstream == "ended"


async def test_a_failure_before_the_finish_is_the_upstreams() -> None:
    """It is raised as it came, and the turn says what became of its upstream."""
    with pytest.raises(UpstreamStalled):
        await through(stream.finished(record := turn()), Chunk("half a sen"), error=UpstreamStalled(""))
    assert record.upstream == "failed"


async def test_a_bug_behind_the_finish_is_no_silence() -> None:
    """Only what an upstream does is left out there."""
    with pytest.raises(ZeroDivisionError):
        await through(stream.finished(record := turn()), STOP, error=ZeroDivisionError())
    assert record.upstream == "ended"


def fragment(arguments: str, *, name: str = "f") -> Chunk:
    return Chunk(delta={"tool_calls": [{"index": 0, "id": "c", "function": {"name": name, "arguments": arguments}}]})


@pytest.mark.parametrize("arguments", [[], [""], ["{}"], ['{"a"', ":[1]", "}"], [" {} \n"]])
@pytest.mark.parametrize("finish", ["stop", "tool_calls"])
async def test_a_tool_call_ends_as_one(arguments: list[str], finish: FinishReason) -> None:
    """`stop` after a tool call becomes `tool_calls`, for some callers drop the call otherwise."""
    given = [fragment(""), *map(fragment, arguments), Chunk(finish_reason=finish)]
    assert (await through(stream.single_calls, *given))[-1].finish_reason == "tool_calls"


@pytest.mark.parametrize("half", [fragment('{"a":'), fragment("{", name="look"), fragment("{}", name="")])
async def test_half_a_tool_call_is_no_call(half: Chunk) -> None:
    """A call without a name or with arguments that cannot be read must not look whole where `stop` ends it."""
    with pytest.raises(UpstreamTruncated):
        await through(stream.single_calls, half, Chunk(finish_reason="stop"))
    (_, last) = await through(stream.single_calls, half, Chunk(finish_reason="length"))
    assert last.finish_reason == "length"


@pytest.mark.parametrize("finish", ["stop", "length", "content_filter"])
@pytest.mark.parametrize("given", [(), (Chunk(" "), Chunk("\n")), (Chunk(delta={"reasoning_content": "hm"}),)])
async def test_a_face_that_finishes_in_silence_is_an_error(given: Sequence[Chunk], finish: FinishReason) -> None:
    """Blanks and thoughts are no answer; the error knows how the upstream finished."""
    with pytest.raises(UpstreamEmpty) as caught:
        await through(stream.spoken, *(replace(chunk) for chunk in given), Chunk(finish_reason=finish))
    assert caught.value.finish_reason == finish


async def test_a_face_may_call_a_tool_in_silence() -> None:
    """A whole call needs no word; one that its length or a filter cut off is silence."""
    for finish in ("stop", "tool_calls"):
        assert len(await through(stream.spoken, fragment("{}"), Chunk(finish_reason=finish))) == 2
    with pytest.raises(UpstreamEmpty):
        await through(stream.spoken, fragment("{"), Chunk(finish_reason="length"))


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


async def test_sources_stand_in_the_finish_and_nowhere_else() -> None:
    """Sources are never part of the spoken text."""
    passage = Passage("c/a.md#1", "c", "a.md", "A > B", "text", score=0.123456)
    first, last = await through(stream.sourced([passage]), Chunk("a"), Chunk(finish_reason="stop", extension={"x": 1}))
    assert first == Chunk("a")
    assert last.extension == {"x": 1, "sources": [{"id": "c/a.md#1", "title": "A > B", "score": 0.1235}]}


async def test_usage_is_estimated_only_where_nobody_counted() -> None:
    """Four characters a token, and it is said that it is an estimate."""
    counted, record = Chunk(usage={"total_tokens": 9}), turn()
    given = [Chunk("12345678"), STOP, counted]
    assert await through(stream.estimated(40, record), *given) == given and record.usage == {"total_tokens": 9}
    assert (await through(stream.estimated(40, guessed := turn()), Chunk("12345678"), STOP))[-1] == Chunk(
        usage={"prompt_tokens": 10, "completion_tokens": 2}, extension={"usage_estimated": True}
    )
    assert guessed.usage is None


async def test_a_turn_records_what_passed() -> None:
    """Words, the moments that are heard of them, the finish and the ending."""
    record, ticks = turn(), count(1)
    await through(stream.recorded(record, lambda: next(ticks) / 1000), Chunk(), Chunk("hi"), Chunk(" you"), STOP)
    assert (record.chunks, record.characters, record.finish_reason, record.phase) == (2, 6, "stop", "done")
    assert record.timings == {"ttft": 1.0, "first_clause": 3.0, "longest_gap": 1.0}


async def test_a_turn_records_a_failure() -> None:
    """An error that goes out as an event is the turn's outcome."""
    record = turn()
    with pytest.raises(UpstreamStalled):
        await through(stream.recorded(record, lambda: 0.0), Chunk("hi"), error=UpstreamStalled(""))
    assert (record.outcome, record.code) == ("upstream_error", "upstream_stalled")


async def test_a_turn_records_a_refusal() -> None:
    """A fault of the caller that was found after the first byte is no failure of an upstream."""
    record = turn()
    with pytest.raises(InvalidValue):
        await through(stream.recorded(record, lambda: 0.0), Chunk("hi"), error=InvalidValue(""))
    assert (record.outcome, record.code) == ("refused", "invalid_value")
