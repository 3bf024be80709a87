"""What is said of the gateway's capacity follows from its figures, and the figures from what was heard."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest

from gateway.settings.values import Store
from gateway.store import register, sessions
from gateway.store.known import REMEMBERED as KEY_REMEMBERED
from tests.load.capacity import limits as ends
from tests.load.capacity.__main__ import PARTS
from tests.load.capacity.calculation import (
    REMEMBERED,
    Assumptions,
    assumed,
    described,
    needs,
    streams_a_core,
    turn,
)
from tests.load.capacity.figures import (
    CAPABILITY,
    SESSION,
    Embedding,
    Figures,
    Held,
    Ladder,
    Memory,
    Register,
    Rung,
    Search,
    StoreSizes,
    StoreTurn,
    TurnCost,
    read,
)
from tests.load.capacity.hearing import calling, request
from tests.load.capacity.limits import SAVED, SPENT, SWEPT, cell, limits
from tests.load.capacity.page import page, rounded
from tests.load.capacity.speaking import AROUND, Pace, moment, speaking, stamp
from tests.load.capacity.storing import Counted, each_turn
from tests.load.capacity.streams import full
from tests.load.capacity.told import told
from tests.upstream import Script, scripted

RUNG = Rung(100, 2000.0, 40.0, 0.5, 0.3, 4.0, 0.1, 0.0, 0)
FIGURES = Figures(
    dict.fromkeys(PARTS, "a machine"),
    streams=(Ladder("route", 20.0, 240, (RUNG, replace(RUNG, streams=200, late_p99=60.0))),),
    turns=(
        TurnCost("route", 1.0, 50.0, 1000, 1200, 300, 200.0, 800),
        TurnCost("agent", 5.0, 100.0, 1000, 4000, 300, 200.0, 1400),
    ),
    memory=(Memory("agent", (Held(0, 500.0, 40), Held(1000, 600.0, 2040))),),
    redis=(
        StoreTurn(CAPABILITY, {"eval": 0.2}, {"eval": 100.0}, 40.0, 0.2, 1000, 0),
        StoreTurn("a key with limits", {"evalsha": 1.0}, {"evalsha": 50.0}, 130.0, 1.4, 2000, 40),
        StoreTurn(SESSION, {"eval": 0.2, "evalsha": 1.0}, {"eval": 100.0, "evalsha": 60.0}, 140.0, 1.2, 3000, 10),
    ),
    sizes=(StoreSizes(300, 400, 1700, 380),),
    register=(Register(20_000, 3.0, 0.5, 30.0, 60.0),),
    embedding=(Embedding(2.0, 10.0, 800.0),),
    chroma=(
        Search("embedded", 10_000, 1200.0, 1.6, 2.4, 1.0, 50.0),
        Search("server", 10_000, 1200.0, 1.6, 2.0, 0.8, 30.0),
    ),
)  # fmt: skip
USUAL = Assumptions()


def test_figures_are_kept_whole() -> None:
    """What is read again is what was written."""
    assert read(FIGURES.written()) == FIGURES


def test_a_turn_by_hand() -> None:
    """An agent's turn takes its own time and that of its 39 chunks; a session's costs Redis what a session's costs."""
    one = turn(FIGURES, USUAL)
    assert USUAL.turn_chunks == pytest.approx(39) and USUAL.cycle == 19
    assert one.core == pytest.approx(0.005 + 39 * 100e-6)
    assert one.redis == pytest.approx(140e-6) and one.commands == pytest.approx(1.2)
    assert one.heard == pytest.approx(1400 + 39 * 200)
    mixed = turn(FIGURES, replace(USUAL, agents=0.5, launched=0.5))
    assert mixed.core == pytest.approx((0.0089 + 0.001 + 39 * 50e-6) / 2)
    assert mixed.redis == pytest.approx(90e-6) and mixed.search == pytest.approx(0.0004)


def test_needs_by_hand() -> None:
    """Turns are sessions by the time from question to question; cores, streams and keys follow from them."""
    found = needs(1900, FIGURES, USUAL)
    assert found.turns == pytest.approx(130) and found.streams == pytest.approx(130 * (0.5 + 39 / 20))
    assert found.cores == pytest.approx(130 * 0.0089 / 0.6) and found.pods == 2
    assert found.memory == pytest.approx((2 * 500e6 + found.streams * 100e3) / 1e9)
    assert found.keys == pytest.approx(1900 / 600 * (REMEMBERED + 3600))
    assert found.redis == pytest.approx(130 * 140e-6 / 0.6)


@pytest.mark.parametrize(
    "field", ["turns", "streams", "chunks", "cores", "commands", "kept", "chroma", "out_mbit", "starts"]
)
def test_ten_times_the_sessions_need_ten_times(field: str) -> None:
    """What turns take grows with them, and nothing of it is rounded away."""
    few, many = (getattr(needs(count, FIGURES, USUAL), field) for count in (1_000, 10_000))
    assert few > 0 and many == pytest.approx(10 * few)


def test_sessions_of_simli_have_no_keys() -> None:
    """Where Simli starts the sessions nothing is kept of them, no key is known, and neither ever breaks anything."""
    given = replace(USUAL, launched=0.0)
    assert (needs(10_000, FIGURES, given).keys, needs(10_000, FIGURES, given).kept) == (0, 0)
    assert sum(limit.sessions == float("inf") for limit in limits(FIGURES, given)) == 3
    assert cell(FIGURES, given) > 10 * cell(FIGURES, USUAL)


def test_the_register_breaks_where_a_tenth_of_a_core_is_spent() -> None:
    """At that many sessions each second's changes, and its share of reading and writing all keys, are a tenth of it."""
    one = next(limit for limit in limits(FIGURES, USUAL) if limit.name == "keys at hand")
    found = needs(round(one.sessions), FIGURES, USUAL)
    all_of_them = found.keys * (30e-6 / SWEPT + 60e-6 / SAVED)
    assert found.starts * 2 * 0.5e-3 + all_of_them == pytest.approx(SPENT, rel=0.02)


def test_a_month_of_words_fills_redis_a_day_of_them_does_not() -> None:
    """Half the days, all but twice the sessions: keys and the time until a session's key expires are beside them."""

    def fills(days: float) -> float:
        return next(one.sessions for one in limits(FIGURES, replace(USUAL, kept_days=days)) if "memory" in one.name)

    assert fills(15.0) == pytest.approx(2 * fills(30.0), rel=0.01)
    assert fills(1.0) > 20 * fills(30.0)


def test_limits_are_where_the_needs_say() -> None:
    """A process is as full as it may be at its limit, so is a Redis; the nearest limit comes first."""
    every = limits(FIGURES, USUAL)
    assert [limit.sessions for limit in every] == sorted(limit.sessions for limit in every)
    at = {limit.name: limit.sessions for limit in every}
    assert needs(round(at["one process"]), FIGURES, USUAL).cores == pytest.approx(1, rel=0.02)
    assert needs(round(at["the core of Redis"]), FIGURES, USUAL).redis == pytest.approx(1, rel=0.02)


@pytest.mark.parametrize("sessions", [1, 1_000_000])
def test_a_calculation_is_told(sessions: int) -> None:
    """Every need and every limit in 80 columns; a limit stands below one heading or the other by the sessions."""
    lines = list(told(sessions, FIGURES, Assumptions()))
    text = "\n".join(lines)
    assert all(len(line) <= 80 for line in text.splitlines())
    assert lines[0].split()[-1] == f"{sessions:,}"
    for limit in limits(FIGURES, Assumptions()):
        heading = "At its end before that" if limit.sessions <= sessions else "Good for more"
        if f"{limit.sessions:,.0f}" != "inf":
            assert f" {limit.sessions:,.0f} sessions: {limit.name}" in text.partition(heading)[2].partition("\n\n")[0]


def test_streams_of_a_core() -> None:
    """A full core's streams: each takes its turn's time every time that it is asked again."""
    assert streams_a_core(FIGURES, USUAL) == pytest.approx(2.45 / 0.0089)


def test_assumptions_are_named() -> None:
    """One that is changed is changed; an unknown one, or one that is no number above nothing, is refused in words."""
    assert assumed(["answer=20", "launched=0"]) == replace(USUAL, answer=20.0, launched=0.0)
    assert len(described()) == len(Assumptions.__slots__) and all(says for _, _, says in described())
    for wrong in ("answers=20", "answer=long", "answer=-1", "answer=0", "answer", "full=nan", "day=2", "words=inf"):
        with pytest.raises(ValueError, match="NAME=NUMBER"):
            assumed([wrong])
    with pytest.raises(ValueError, match="10000 were"):
        needs(1_000, FIGURES, assumed(["passages=5"]))


def test_the_page_has_every_figure() -> None:
    """A figure that changes changes the page; each command on it is a part that there is."""
    whole = page(FIGURES)
    for other in (
        replace(FIGURES, streams=(Ladder("route", 20.0, 240, (replace(RUNG, core=0.7),)),)),
        replace(FIGURES, turns=(FIGURES.turns[0], replace(FIGURES.turns[1], turn_ms=9.0))),
        replace(FIGURES, memory=(Memory("agent", (Held(0, 400.0, 40), Held(1000, 600.0, 2040))),)),
        replace(FIGURES, redis=(*FIGURES.redis[:2], replace(FIGURES.redis[2], cpu=300.0))),
        replace(FIGURES, register=(Register(20_000, 3.0, 0.6, 30.0, 60.0),)),
        replace(FIGURES, embedding=(Embedding(3.0, 10.0, 800.0),)),
        replace(FIGURES, chroma=(FIGURES.chroma[0], replace(FIGURES.chroma[1], cpu=2.0))),
    ):
        assert page(other) != whole
    assert all(f"`{part}`" in whole or f"capacity {part}`" in whole for part in PARTS)
    assert "**60.0 ms**" in whole and "100 streams at once held" in whole


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (2.0, "2"), (0.0314, "0.031"), (4.24, "4.2"), (63.4, "63"), (999.6, "1,000"), (1_236_000, "1,240,000")],
)
def test_rounding(value: float, text: str) -> None:
    """Two or three figures are enough for a person."""
    assert rounded(value) == text


def test_a_rung_ends_a_ladder() -> None:
    """Late chunks, a failed stream and a full core are each the end; half a core is not."""
    assert not full(RUNG)
    for end in ({"late_p99": 51.0}, {"failures": 1}, {"core": 0.99}, {"load": 0.99}):
        assert full(replace(RUNG, **end))


def test_what_redis_does_unasked_is_left_out() -> None:
    """A turn's share is what was counted while turns were asked, less the same time without any."""
    idle = Counted({"ping": 2.0, "hget": 1.0}, {"ping": 4.0, "hget": 2.0}, 0.001, 3.0, 100.0, 50.0)
    busy = Counted({"ping": 2.0, "hget": 101.0}, {"ping": 4.0, "hget": 303.0}, 0.011, 53.0, 10_100.0, 5_050.0)
    found = each_turn("any", busy, idle, turns=100)
    assert (found.commands, found.micros) == ({"hget": 1.0}, {"hget": 3.0})
    assert (found.cpu, found.reads, found.bytes_in, found.bytes_out) == (100.0, 0.5, 100, 50)


def test_words_are_moments() -> None:
    """A word says when it was written, and words come again only after five minutes."""
    for at in (0, 1, 26, 17_576, 123_456_789, AROUND - 1):
        assert moment(stamp(at)) == at and len(stamp(at)) == 6
    assert stamp(AROUND + 5) == stamp(5) and AROUND / 1e6 > 300


ASKED = {"model": "main", "stream": True, "messages": []}


async def test_lateness_is_heard() -> None:
    """Callers straight at the model hear each word at once, answer after answer; bytes and turns are counted."""
    async with speaking(Pace(words=13, gap=0.002, first=0.01)) as model:
        url = f"{model.url}/chat/completions"
        async with calling(url, [request(url, ASKED)], 13, callers=3, spread=0.01) as heard:
            heard.counts = True
            await asyncio.sleep(0.3)
    assert heard.turns >= 6 and not heard.failures
    assert len(heard.late) >= 13 * heard.turns - 39 and sorted(heard.late)[len(heard.late) // 2] < 50
    assert heard.received > len(heard.late) * model.chunk_bytes * 0.9
    assert model.requests >= heard.turns


@pytest.mark.parametrize(
    ("steps", "why"), [(["no word"], "0 words of 1, 1 endings"), ([" abcdef", " abcdef"], "2 words of 1")]
)
async def test_an_answer_that_is_not_whole_is_a_failure(steps: Sequence[str], why: str) -> None:
    """Each word must come, once."""
    async with scripted(Script(steps)) as upstream:
        url = f"{upstream.url}/chat/completions"
        async with calling(url, [request(url, ASKED)], 1, callers=1, spread=0.0) as heard:
            await asyncio.sleep(0.1)
    assert heard.failures and all(each.startswith(why) for each in heard.failures)


def test_what_it_says_of_the_gateways_own_bounds_is_so() -> None:
    """The numbers of the gateway that the calculation repeats are the gateway's."""
    assert (Store().turns, sessions.MOST_INDEXED) == (ends.RECORDS, ends.INDEXED)
    assert (Assumptions().kept_days, REMEMBERED) == (Store().kept_days, KEY_REMEMBERED)
    assert (SWEPT, SAVED) == (register.SWEEP, register.SAVED)
