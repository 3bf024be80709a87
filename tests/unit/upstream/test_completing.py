"""gateway/upstream/completing.py, search.py, attempt.py and gate.py: who is asked, and what is told."""

import asyncio
import time
from typing import Any

import pytest

from gateway.errors import (
    ModelNotFound,
    UpstreamAuthFailed,
    UpstreamEmpty,
    UpstreamError,
    UpstreamLimited,
    UpstreamProtocolError,
    UpstreamRejected,
    UpstreamStalled,
    UpstreamTimeout,
    UpstreamTLSError,
    UpstreamTruncated,
    UpstreamUnavailable,
)
from gateway.settings import Breaker as Rule
from gateway.types import Chunk, Prompt
from gateway.upstream.completing import completing
from gateway.upstream.search import telling
from tests.unit.upstream.doubles import AGENT, HI, ROUTE, Line, Target

REFUSED = UpstreamUnavailable("refused")
HANG = 9.0
REASONED = (Chunk(delta={"reasoning_content": "hm"}), Chunk(finish_reason="length"))
FILTERED = (Chunk(), Chunk(finish_reason="content_filter"))
SILENT = (Chunk(), Chunk(finish_reason="stop"))


async def test_all_chunks_come_through_in_order() -> None:
    """What was pulled before the first useful chunk is not lost."""
    line = Line(Target(*HI))
    assert await line.said() == ("t0/m", list(HI))
    assert line.notes == [("t0", "first", "")]


@pytest.mark.parametrize(
    ("steps", "code"),
    [
        ((REFUSED,), "upstream_unavailable"),
        ((Chunk(), REFUSED), "upstream_unavailable"),
        ((UpstreamAuthFailed("key"),), "upstream_auth_failed"),
        ((UpstreamTLSError("certificate"),), "upstream_tls_error"),
        ((UpstreamLimited("slow", retry_after=9),), "rate_limit_exceeded"),
        ((UpstreamProtocolError("garbage"),), "upstream_protocol_error"),
        ((UpstreamTruncated("cut"),), "upstream_truncated"),
        ((Chunk(), HANG), "upstream_timeout"),
        (SILENT, "empty_answer"),
        (REASONED, "empty_answer"),
        ((), "empty_answer"),
    ],
)
async def test_a_target_that_fails_before_a_word_is_replaced_by_the_next(steps: Any, code: str) -> None:
    """Whatever a target does before its first word, the second is asked at once and the first is closed and not asked
    again."""
    failing = Target(*steps)
    line = Line(failing, Target(*HI), retries=1)
    began = time.perf_counter()
    assert await line.said() == ("t1/m", list(HI))
    assert time.perf_counter() - began < (0.1 if HANG in steps else 0.05)
    assert failing.closed == failing.asked == 1
    assert line.notes == [("t0", "first", code), ("t1", "fallback", "")]


async def test_after_the_first_word_nobody_else_is_asked() -> None:
    """A failure after a word belongs to the stream: the caller has heard half a sentence."""
    second = Target(*HI)
    with pytest.raises(UpstreamUnavailable):
        await Line(Target(Chunk("hel"), REFUSED), second).said()
    assert second.asked == 0


async def test_what_failed_at_once_is_asked_again_when_all_others_were_asked() -> None:
    """Fail over first, retry last: the second target answers the third attempt, and pauses are short."""
    line = Line(Target(REFUSED), Target(turns=[(REFUSED,), HI]), retries=2)
    began = time.perf_counter()
    assert (await line.said())[0] == "t1/m"
    assert line.notes == [
        ("t0", "first", REFUSED.code),
        ("t1", "fallback", REFUSED.code),
        ("t0", "retry", REFUSED.code),
        ("t1", "retry", ""),
    ]
    assert time.perf_counter() - began < 0.15


@pytest.mark.parametrize(
    ("steps", "asked"),
    [
        ((REFUSED,), 3),
        ((UpstreamTruncated("cut"),), 3),
        (SILENT, 2),
        (REASONED, 1),
        (FILTERED, 1),
        ((HANG,), 1),
        ((UpstreamAuthFailed("key"),), 1),
        ((UpstreamTLSError("certificate"),), 1),
        ((UpstreamLimited("slow"),), 1),
        ((UpstreamLimited("slow", retry_after=9),), 1),
        ((UpstreamUnavailable("busy", retry_after=9),), 1),
    ],
)
async def test_only_what_may_answer_at_once_is_asked_again(steps: Any, asked: int) -> None:
    """Refused or cut: as often as `retries` says; empty: once; slow, wrong, limited or filtered: never."""
    target = Target(*steps)
    with pytest.raises(UpstreamError):
        await Line(target, retries=2).said()
    assert target.asked == asked


async def test_a_route_has_a_time_for_all_its_attempts() -> None:
    """Three targets that hang, of 50 ms each, and 80 ms in all: the caller is told after 80 ms."""
    line = Line(Target(HANG), Target(HANG), Target(HANG), plan={"first_token": 0.08})
    began = time.perf_counter()
    with pytest.raises(UpstreamTimeout):
        await line.said()
    assert 0.07 < time.perf_counter() - began < 0.13
    assert [target.asked for target in line.targets] == [1, 1, 0]


async def test_a_route_without_a_time_has_twice_its_longest_targets() -> None:
    """`first_token = 0` is twice the longest of the targets'."""
    assert Line(Target(), Target(), first_token=3.0).plan.first_token == 6.0


async def test_a_time_that_the_route_cut_short_is_not_counted_against_the_target() -> None:
    """A target that was given a fraction of its own time has not failed."""
    line = Line(Target(HANG), Target(HANG), plan={"first_token": 0.06}, rule=Rule(failures=1))
    with pytest.raises(UpstreamTimeout):
        await line.said()
    assert [each.health.breaker.state for each in line.candidates] == ["open", "closed"]


@pytest.mark.parametrize(
    ("failed", "told"),
    [
        ([REFUSED, UpstreamTimeout("t")], UpstreamTimeout),
        ([UpstreamTimeout("t"), REFUSED], UpstreamTimeout),
        ([REFUSED, UpstreamAuthFailed("a")], UpstreamAuthFailed),
        ([UpstreamTLSError("t"), REFUSED], UpstreamTLSError),
        ([UpstreamLimited("l", retry_after=20), UpstreamTimeout("t")], UpstreamLimited),
        ([UpstreamEmpty("e", finish_reason="length"), REFUSED], UpstreamEmpty),
        ([REFUSED, UpstreamStalled("s")], UpstreamStalled),
        ([REFUSED], UpstreamUnavailable),
    ],
)
def test_of_several_failures_the_most_telling_is_told(failed: list[UpstreamError], told: type[UpstreamError]) -> None:
    """A limit says when to come again, a time-out that it was slow, a key or certificate what to mend."""
    assert type(telling(failed)) is told


def test_of_several_limits_the_soonest_end_is_told() -> None:
    """The caller may come again as soon as one target may be asked."""
    limits = [UpstreamLimited("a", retry_after=20), UpstreamLimited("b"), UpstreamLimited("c", retry_after=3)]
    assert telling(limits).retry_after == 3


async def test_a_rejection_is_the_callers_fault_and_nobody_else_is_asked() -> None:
    """A wrong request is wrong everywhere; it is noted, and the target has not failed."""
    second = Target(*HI)
    line = Line(Target(UpstreamRejected("Wrong.", code="invalid_value")), second, rule=Rule(failures=1))
    with pytest.raises(UpstreamRejected):
        await line.said()
    assert second.asked == 0 and line.notes == [("t0", "first", "invalid_value")]
    assert line.candidates[0].health.breaker.state == "closed"


async def test_a_filter_is_not_got_around() -> None:
    """An answer that a content filter withheld is asked of nobody else, says so, and is no failure of the target."""
    second = Target(*HI)
    line = Line(Target(*FILTERED), second, rule=Rule(failures=1))
    with pytest.raises(UpstreamEmpty) as caught:
        await line.said()
    assert caught.value.finish_reason == "content_filter" and second.asked == 0
    assert line.candidates[0].health.breaker.state == "closed"


async def test_a_model_that_only_thought_says_why_it_ended() -> None:
    """Reasoning until the limit is an empty answer whose finish is `length`: the apology can end as it did."""
    with pytest.raises(UpstreamEmpty) as caught:
        await Line(Target(*REASONED), retries=1).said()
    assert caught.value.finish_reason == "length"


async def test_an_empty_answer_is_hidden_once() -> None:
    """A model that said nothing is asked once more, and the person hears that answer."""
    line = Line(Target(turns=[SILENT, HI]), retries=1)
    assert (await line.said())[1] == list(HI)
    assert line.notes == [("t0", "first", "empty_answer"), ("t0", "retry", "")]


@pytest.mark.parametrize("first", [Chunk(delta={"reasoning_content": "hm"}), Chunk(finish_reason="content_filter")])
async def test_a_bare_route_may_answer_without_a_word(first: Chunk) -> None:
    """Who asks a route itself gets what the model says: reasoning, or nothing and why."""
    assert await Line(Target(first)).said(ROUTE) == ("t0/m", [first])


async def test_a_model_of_the_route_is_named() -> None:
    """`ROUTE/NAME` reaches the target's name."""
    opened = await Line(Target(*HI)).complete()("r", Prompt((), model="other"), lambda _: None)
    assert opened.target == "t0/other"
    await opened.aclose()


async def test_closing_an_opened_completion_closes_its_target() -> None:
    """Nobody has to begin the stream for it to be closed."""
    target = Target(*HI)
    opened = await Line(target).complete()("r", AGENT, lambda _: None)
    await opened.aclose()
    assert target.closed == 1


async def test_a_cancelled_opening_closes_its_target_and_is_no_failure() -> None:
    """A hang-up while the first token is waited for reaches the upstream at once, and says nothing of the target."""
    target = Target(HANG)
    line = Line(target, first_token=9, rule=Rule(failures=1))
    opening = asyncio.create_task(line.said())
    await asyncio.sleep(0.01)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    assert target.closed == 1 and line.candidates[0].health.breaker.state == "closed"
    assert [(each.kind, each.code) for each in line.noted] == [("first", "cancelled")]


async def test_an_unknown_route_is_a_model_not_found() -> None:
    """A route that nobody configured is the caller's mistake."""
    with pytest.raises(ModelNotFound):
        await completing({})("nobody", ROUTE, lambda _: None)


async def test_a_target_that_is_left_out_is_not_asked_while_another_is_there() -> None:
    """An open first target costs no time: the second is the first attempt."""
    line = Line(Target(REFUSED), Target(*HI), rule=Rule(failures=1))
    await line.said()
    await line.said()
    assert line.notes[2:] == [("t1", "first", "")]


async def test_one_target_is_always_left_where_failing_costs_nothing() -> None:
    """Where all are open and fail at once, each is asked once more, and not again: an answer may come."""
    line = Line(Target(REFUSED), Target(turns=[(REFUSED,), HI]), rule=Rule(failures=1), retries=3)
    with pytest.raises(UpstreamUnavailable):
        await line.said()
    assert [each.health.breaker.state for each in line.candidates] == ["open", "open"]
    assert (await line.said())[0] == "t1/m"
    assert [target.asked for target in line.targets] == [2, 2]
    assert line.candidates[1].health.breaker.state == "closed"


async def test_nobody_waits_again_and_again_for_what_hangs() -> None:
    """A lone target that hung is open: requests fail at once, as a time-out, and nobody asks it but its probe."""
    target = Target(HANG)
    line = Line(target, rule=Rule(failures=1))
    for _ in range(3):
        with pytest.raises(UpstreamTimeout):
            await line.said()
    assert target.asked == 1
    began = time.perf_counter()
    with pytest.raises(UpstreamTimeout):
        await line.said()
    assert time.perf_counter() - began < 0.02


async def test_a_last_resort_that_hangs_is_not_asked_again() -> None:
    """What refused yesterday and hangs today is found out by one turn."""
    target = Target(turns=[(REFUSED,), (HANG,)])
    line = Line(target, rule=Rule(failures=1))
    for _ in range(4):
        with pytest.raises(UpstreamError):
            await line.said()
    assert target.asked == 2


@pytest.mark.parametrize(
    "error", [UpstreamLimited("limit", retry_after=20), UpstreamUnavailable("busy", retry_after=20)]
)
async def test_a_target_that_named_a_time_is_not_asked_before(error: UpstreamError) -> None:
    """`Retry-After`: other targets only; alone, the same error at once, with the time that is left."""
    target = Target(error)
    line = Line(target, Target(*HI))
    assert (await line.said())[0] == "t1/m"
    assert (await line.said())[0] == "t1/m"
    assert target.asked == 1
    lone = Line(target)
    for _ in range(2):
        with pytest.raises(type(error)) as caught:
            await lone.said()
        assert caught.value.retry_after is not None and 19 < caught.value.retry_after <= 20
    assert target.asked == 2


@pytest.mark.parametrize("broken", [UpstreamTruncated("cut"), UpstreamStalled("silent")])
async def test_streams_that_break_off_count_against_the_target(broken: UpstreamError) -> None:
    """A target that begins well and breaks off, again and again, is left out too."""
    line = Line(Target(Chunk("hel"), broken), rule=Rule(failures=2))
    for _ in range(2):
        assert line.candidates[0].health.breaker.state == "closed"
        with pytest.raises(type(broken)):
            await line.said()
    assert line.candidates[0].health.breaker.state == "open"


async def test_a_stream_that_a_caller_left_is_no_break() -> None:
    """Barge-in is the normal case: it counts as a stream that went well."""
    breaking = (Chunk("a"), UpstreamTruncated("cut"))
    line = Line(Target(turns=[breaking, HI, breaking]), rule=Rule(failures=2))
    with pytest.raises(UpstreamTruncated):
        await line.said()
    opened = await line.complete()("r", AGENT, lambda _: None)
    await anext(opened.chunks)
    await opened.chunks.aclose()
    with pytest.raises(UpstreamTruncated):
        await line.said()
    assert line.candidates[0].health.breaker.state == "closed"


async def test_the_fastest_is_asked_first_and_the_unknown_gets_its_turn() -> None:
    """Each is measured once, then the quicker one is asked; a time-out counts as its deadline."""
    line = Line(Target(0.02, *HI), Target(*HI), Target(HANG), plan={"strategy": "fastest"})
    spoke = [(await line.said())[0] for _ in range(6)]
    assert spoke == ["t0/m", "t1/m", "t1/m", "t1/m", "t1/m", "t1/m"]
    assert [target.asked for target in line.targets] == [1, 5, 1]
    assert line.candidates[2].health.pace.usual == pytest.approx(0.05)


async def test_weights_say_who_is_asked() -> None:
    """Nine to one, within what chance allows; no weight is asked only where all others failed."""
    line = Line(*(Target(*HI, weight=weight) for weight in (9, 1, 0)), plan={"strategy": "weighted"})
    complete = line.complete()
    for _ in range(300):
        await (await complete("r", AGENT, lambda _: None)).aclose()
    first, second, none = (target.asked for target in line.targets)
    assert none == 0 and first + second == 300 and 10 < second < 60


async def test_a_successor_is_one_that_goes_on_and_not_the_one_that_broke() -> None:
    """Of the targets that continue, another is asked before the one that broke off; what fails is passed over."""
    turns = [(Chunk("hel"), UpstreamTruncated("cut")), (Chunk("lo"), Chunk(finish_reason="stop"))]
    line = Line(Target(turns=turns, continues=True), Target(REFUSED, continues=True), Target(*HI), retries=1)
    seen: list[str] = []

    async def continued(chunks: Any, prompt: Prompt, successor: Any) -> Any:
        try:
            async for chunk in chunks:
                yield chunk
        except UpstreamError:
            opened = await successor(prompt)
            seen.append(opened.target)
            async for chunk in opened.chunks:
                yield chunk

    _, chunks = await line.said(continued=continued)
    assert "".join(chunk.text for chunk in chunks) == "hello" and seen == ["t0/m"]
    assert line.notes == [("t0", "first", ""), ("t1", "continue", REFUSED.code), ("t0", "continue", "")]


async def test_where_nobody_goes_on_nothing_is_put_around_the_stream() -> None:
    """A route without `continues` pays nothing for it."""

    def never(*_: Any) -> Any:
        raise AssertionError

    assert (await Line(Target(*HI)).said(continued=never))[1] == list(HI)
