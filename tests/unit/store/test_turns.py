"""gateway/store/turns.py, on Valkey and on Redis."""

import asyncio
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway import store as stores
from gateway.errors.redaction import redacted
from gateway.store import turn_records
from gateway.store.turn_records import LONGEST
from gateway.store.turns import REFUSED, Turns
from gateway.types import Attempted, Passage, Retrieved, Turn, WantedTurns
from tests.stores import Server, opened, settings, until
from tests.unit.store.test_sessions import session

ALL = WantedTurns(limit=1000)
KEY = "gateway:turns"


def turn(id_: str = "req_1", **more: Any) -> Turn:
    """One that began now."""
    return Turn(id_, **{"started": time.time(), "began": 0.0, "agent": "nora", **more})


async def ids(turns: Turns, **wanted: Any) -> list[str]:
    """Of the records that are asked for."""
    found, _ = await turns.listed(replace(ALL, **wanted))
    return [one.id for one in found]


async def kept(server: Server, count: int, key: str = KEY) -> None:
    """Return when the store has so many records."""
    for _ in range(500):
        if server.say("ZCARD", key) == count:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"{server.say('ZCARD', key)} records, not {count}")


async def test_a_record_is_kept_as_it_is(server: Server, tmp_path: Path) -> None:
    """With every field, for every process, and for a month."""
    async with opened(server, tmp_path) as store, opened(server, tmp_path / "other") as other:
        made = turn(route="main", model="nora", target="main/m", key="k" * 12, stream=False, status=200, phase="done")
        made.attempts = [Attempted("main/l", "upstream_timeout", 3000.0), Attempted("main/m", "", 80.0, "fallback")]
        made.retrieved = Retrieved((Passage("l/b.md#1", "l", "b.md", "Birds", "Puffins nest.", 0.03, 0.8),), "hybrid")
        made.timings = {"ttft": 3100.123, "total": 4000.0}
        made.filler, made.upstream, made.finish_reason, made.chunks, made.characters = True, "ended", "stop", 4, 20
        store.turns.turned(made, redacted)
        await kept(server, 1)
        (one,), whole = await other.turns.listed(ALL)
        assert whole and one == turn_records.record(made)
        assert one.timings == {"ttft": 3100.12, "total": 4000.0} and one.sources[0].title == "Birds"
        assert 30 * 86_400 - 60 < server.say("TTL", KEY) <= 30 * 86_400
        assert "Puffins nest" not in str(server.say("ZRANGE", KEY, 0, -1))


async def test_a_turn_is_never_missing(server: Server, tmp_path: Path) -> None:
    """From its end on its process shows it, while it is being written too, and once."""
    async with opened(server, tmp_path) as store:
        made: list[str] = []
        for number in range(300):
            if number % 3 == 0:
                made.append(f"a{number}")
                store.turns.turned(turn(made[-1]), redacted)
            assert sorted(await ids(store.turns)) == sorted(made)
            await asyncio.sleep(0.001)


async def test_what_is_older_than_is_kept_is_gone(server: Server, tmp_path: Path) -> None:
    """It is not shown, and the next record drives it out."""
    async with opened(server, tmp_path, days=2) as store:
        old = turn_records.record(turn("old", started=time.time() - 2 * 86_400 - 1))
        server.say("ZADD", KEY, int(old.at), turn_records.written(old))
        assert await ids(store.turns) == []
        store.turns.turned(turn("new"), redacted)
        for _ in range(500):
            if server.say("ZRANGEBYSCORE", KEY, "-inf", int(time.time() - 2 * 86_400)) == []:
                break
            await asyncio.sleep(0.01)
        assert await ids(store.turns) == ["new"] and server.say("ZCARD", KEY) == 1


async def test_only_so_many_are_kept(server: Server, tmp_path: Path) -> None:
    """As the setting says, the newest by when they began, of each kind: refused ones drive out no answered one."""
    given = settings(tmp_path, server.url, 2.0)
    async with stores.opened(replace(given, store=replace(given.store, turns=120))) as store:
        assert await store.reached(5)
        turns = store.turns
        now = time.time()
        for number in range(130):
            turns.turned(turn(f"a{number}", started=now + number), redacted)
        for number in range(REFUSED):
            turns.turned(turn(f"r{number}", started=now + number, outcome="refused"), redacted)
        await kept(server, 120)
        await kept(server, REFUSED, f"{KEY}:refused")
        assert await ids(turns, outcome="ok") == [f"a{number}" for number in range(129, 9, -1)]
        assert await ids(turns, limit=1) == ["a129"]
        assert len(await ids(turns)) == 120 + REFUSED
        assert await ids(turns, request="a11") == ["a11"], "on the third page"


async def test_a_flood_of_refusals_is_not_written_down(server: Server, tmp_path: Path) -> None:
    """So many of a second have a record; the next second has its own; answered turns all have theirs."""
    async with opened(server, tmp_path) as store:
        now = [time.time()]
        turns = Turns(
            store.connection, store.turns._errands, store.sessions.alone, 1000, kept=86_400, clock=lambda: now[0]
        )
        for number in range(5000):
            turns.turned(turn(f"r{number}", outcome="refused"), redacted)
            if number % 50 == 0:
                turns.turned(turn(f"a{number}"), redacted)
        await kept(server, 100)
        await kept(server, REFUSED, f"{KEY}:refused")
        now[0] += 1
        turns.turned(turn("later", outcome="refused"), redacted)
        await kept(server, REFUSED + 1, f"{KEY}:refused")


async def test_none_is_kept_where_none_is_wanted(server: Server, tmp_path: Path) -> None:
    """With 0 nothing is written, and nothing shown."""
    given = settings(tmp_path, server.url, 2.0)
    async with stores.opened(replace(given, store=replace(given.store, turns=0))) as store:
        assert await store.reached(5)
        turns = store.turns
        turns.turned(turn(), redacted)
        await turns._errands.finished(5)
        assert await turns.listed(ALL) == ([], True) and server.say("EXISTS", KEY) == 0


async def test_while_the_store_is_away_a_process_shows_its_own(server: Server, tmp_path: Path) -> None:
    """Those before and since; when the store is back it has all of them, once."""
    async with opened(server, tmp_path) as store, opened(server, tmp_path / "other") as other:
        store.turns.turned(turn("before"), redacted)
        other.turns.turned(turn("beside"), redacted)
        await kept(server, 2)
        server.kill()
        await until(lambda: store.missing == ["store"] and other.missing == ["store"], 10)
        for number in range(120):
            store.turns.turned(turn(f"away{number}", started=time.time() + number), redacted)
        found, whole = await store.turns.listed(ALL)
        assert not whole and len(found) == 121 and found[-1].id == "before"
        assert found[0].question is None
        server.start()
        await kept(server, 122)
        assert len(await ids(store.turns)) == len(await ids(other.turns)) == 122


async def test_an_end_costs_microseconds_without_the_store(server: Server, tmp_path: Path) -> None:
    """Nothing waits, nothing is raised, and no more is kept than may be."""
    async with opened(server, tmp_path) as store:
        server.kill()
        began = time.monotonic()
        for number in range(5000):
            store.turns.turned(turn(f"a{number}"), redacted)
        assert time.monotonic() - began < 0.5
        await until(lambda: store.missing == ["store"], 10)
        found, whole = await store.turns.listed(ALL)
        assert len(found) == 1000 and not whole and {one.id for one in found} == {f"a{n}" for n in range(4000, 5000)}


async def test_words_are_kept_where_the_sessions_are(server: Server, tmp_path: Path) -> None:
    """In a session with a transcript, cut; in none without one, that is gone, or that began after the turn."""
    async with opened(server, tmp_path) as store:
        now = time.time()
        await store.sessions.begin(session("a"), 0)
        await store.sessions.begin(session("b", transcript=False), 0)
        await store.sessions.begin(session("c", started=now + 500, expires=now + 1000), 0)
        for letter in "abcd":
            made = turn(letter, session=session(letter).id, heard="Why? " * 10_000, said=["Be", "cause."])
            store.turns.turned(made, redacted)
        await kept(server, 4)
        found, _ = await store.turns.listed(ALL)
        assert {one.id: one.answer for one in found} == {"a": "Because.", "b": None, "c": None, "d": None}
        (one,) = [one for one in found if one.id == "a"]
        assert one.question is not None and len(one.question) == LONGEST
        assert str(server.say("ZRANGE", KEY, 0, -1)).count("Because.") == 1


async def test_nothing_secret_is_in_a_record(server: Server, tmp_path: Path) -> None:
    """What is redacted in the log is redacted here: in the words too, and where a caller wrote it."""
    secret = "sk-" + "a1B2" * 8
    async with opened(server, tmp_path) as store:
        await store.sessions.begin(session("a"), 0)
        made = turn(model=secret, code=secret, session=session("a").id, heard=f"Say {secret}.", said=[secret])
        store.turns.turned(made, redacted)
        assert secret not in str(await store.turns.listed(ALL))
        await kept(server, 1)
        told = server.say("ZRANGE", KEY, 0, -1)
        assert secret not in str(told) and "Say " in str(told)
        ((one,), _) = await store.turns.listed(ALL)
        assert one.question is not None and secret not in str(one)


async def test_records_that_cannot_be_read_are_passed_over(server: Server, tmp_path: Path) -> None:
    """What somebody else wrote breaks nothing; what is of another version is read as far as it is known."""
    async with opened(server, tmp_path) as store:
        good = turn_records.written(turn_records.record(turn("good")))
        now = int(time.time())
        newer = good.replace('"good"', '"new"').replace("{", '{"x":1,', 1)
        for number, text in enumerate(
            ("}", "[1]", "{}", '"x"', good.replace('"nora"', "1"), good.replace('"ok"', '"fine"'),
             good.replace('"attempts":[]', '"attempts":[1]'), newer)
        ):  # fmt: skip
            server.say("ZADD", KEY, now + number, text)
        store.turns.turned(turn("ours"), redacted)
        await kept(server, 9)
        assert sorted(await ids(store.turns)) == ["new", "ours"]


async def test_a_turn_of_an_agents_only_session_names_it(server: Server, tmp_path: Path) -> None:
    """By its agent's capability: where two are open, or it began later, nobody knows which is meant."""
    async with opened(server, tmp_path) as store:
        now = time.time()
        store.turns.turned(turn("none", said=[]), redacted)
        await kept(server, 1)
        await store.sessions.begin(session("a", flow="agent"), 0)
        store.turns.turned(turn("lone", said=["Yes."], heard="You?"), redacted)
        store.turns.turned(turn("early", started=now - 60, said=["Yes."]), redacted)
        await kept(server, 3)
        await store.sessions.begin(session("b", flow="agent"), 0)
        store.turns.turned(turn("which", said=["Yes."]), redacted)
        await kept(server, 4)
        found, _ = await store.turns.listed(ALL)
        assert {one.id: (one.session, one.answer) for one in found} == {
            "none": ("", None), "lone": (session("a").id, "Yes."), "early": ("", None), "which": ("", None),
        }  # fmt: skip
        assert await ids(store.turns, session=session("a").id) == ["lone"]


@pytest.mark.parametrize("outcome", ["ok", "client_gone", "incomplete_spoken"])
def test_a_turn_is_its_record(outcome: Any) -> None:
    """An apology was said where the outcome says so; words are none where they were not gathered."""
    made = turn_records.record(turn(outcome=outcome, heard="x"))
    assert (made.outcome, made.apology, made.question, made.answer) == (
        outcome, outcome == "incomplete_spoken", None, None,
    )  # fmt: skip
    assert turn_records.read(turn_records.written(made)) == made
