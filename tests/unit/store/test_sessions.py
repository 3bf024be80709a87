"""gateway/store/sessions.py, on Valkey and on Redis."""

import asyncio
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import StoreUnavailable
from gateway.store import Store
from gateway.store.sessions import LONGEST_LINE, MOST_LINES, Sessions
from gateway.types import Turn
from gateway.types.orchestration import Session, Transcript
from gateway.types.simli import Spoken
from tests.stores import Server, opened


def session(name: str = "a", **more: Any) -> Session:
    """One that runs for an hour, of the agent nora."""
    now = time.time()
    fields = {"agent": "nora", "flow": "e2e", "key": name * 12, "started": now, "expires": now + 3660.0}
    return Session(id=f"ses_{name * 12}", **{**fields, **more})


def turn(session_: str = "", heard: str = "Hello?", *said: str, **more: Any) -> Turn:
    """One that was listened to."""
    made = Turn("req_1", time.time(), 0.0, agent="nora", session=session_, **more)
    made.heard, made.said = heard, list(said)
    return made


async def words(store: Store, id_: str, count: int) -> list[Spoken]:
    """The session's words, once there are so many."""
    for _ in range(200):
        found = await store.sessions.words(id_)
        if len(found) >= count:
            return found
        await asyncio.sleep(0.01)
    raise AssertionError(f"{len(found)} lines, not {count}")


async def test_a_record_is_kept_as_it_is(server: Server, tmp_path: Path) -> None:
    """What was begun is found and listed, newest first, with every field; another process sees the same."""
    async with opened(server, tmp_path) as store, opened(server, tmp_path / "other") as other:
        one = session("a", room_url="http://x/room", transcript=False, idle=120)
        two = session("b", flow="agent", simli_agent="sim-1", started=one.started + 1)
        assert await store.sessions.begin(one, 0) == 0 and await store.sessions.begin(two, 0) == 1
        assert await other.sessions.found(one.id) == one and await other.sessions.found(two.id) == two
        await store.sessions.change(two.id, simli_id="s-1", room_url="http://y")
        assert await other.sessions.listed() == [replace(two, simli_id="s-1", room_url="http://y"), one]
        for nobody in ("ses_zzzzzzzzzzzz", "ses_*", "", "open"):
            assert await store.sessions.found(nobody) is None
        await store.sessions.change("ses_zzzzzzzzzzzz", simli_id="x")
        assert await store.sessions.found("ses_zzzzzzzzzzzz") is None


async def test_no_more_are_open_than_may_be(server: Server, tmp_path: Path) -> None:
    """Of many that begin at once in two processes so many have a place; an end gives one back, a link takes none."""
    async with opened(server, tmp_path) as one, opened(server, tmp_path / "other") as two:
        asked = [
            (one, two)[number % 2].sessions.begin(session(letter), 3) for number, letter in enumerate("abcdefghij")
        ]
        begun = [found is not None for found in await asyncio.gather(*asked)]
        assert sum(begun) == 3
        assert await one.sessions.begin(session("k", flow="link"), 3) == 3
        assert await one.sessions.begin(session("l"), 3) is None and await one.sessions.found(session("l").id) is None
        assert await one.sessions.begin(session("l"), 0) == 3
        await two.sessions.close(session("abcdefghij"[begun.index(True)]))
        await two.sessions.close(session("l"))
        assert await one.sessions.begin(session("m"), 3) == 2


async def test_a_place_is_free_by_itself(server: Server, tmp_path: Path) -> None:
    """When the key expires, or when nobody spoke for as long as Simli lets it be idle; a turn holds it on."""
    async with opened(server, tmp_path) as store:
        now = time.time()
        clock = [now]
        sessions = Sessions(store.connection, store.sessions._errands, 86_400, lambda: clock[0])
        assert await sessions.begin(session("a", started=now, expires=now + 3660, idle=100), 2) == 0
        assert await sessions.begin(session("b", started=now, expires=now + 50), 2) == 1
        clock[0] = now + 51
        assert await sessions.begin(session("c", idle=100), 2) == 1
        held = turn(session("a").id, "Still there.")
        held.started = now + 150
        sessions.turned(held)
        await words(store, session("a").id, 1)
        clock[0] = now + 250  # c has been quiet for too long, a has not
        assert await sessions.begin(session("d"), 2) == 1
        clock[0] = now + 311
        assert await sessions.begin(session("e"), 2) == 1


async def test_an_end_is_the_first_one(server: Server, tmp_path: Path) -> None:
    """Ended again, it stays as it was ended first."""
    async with opened(server, tmp_path) as store:
        await store.sessions.begin(session(), 0)
        first = await store.sessions.close(session(), note="It was refused.", unsure=True)
        assert first.ended is not None and first.unsure and first.note == "It was refused."
        assert first.state(time.time()) == "ended"
        await asyncio.sleep(0.01)
        assert await store.sessions.close(session(), note="Again.") == first


async def test_the_words_of_a_session_are_kept_in_order(server: Server, tmp_path: Path) -> None:
    """Question and answer with their times; blanks are no words; nothing of a session that keeps none, or is none."""
    async with opened(server, tmp_path) as store:
        await store.sessions.begin(session("a"), 0)
        await store.sessions.begin(session("b", transcript=False), 0)
        store.sessions.turned(turn(session("a").id, " When? ", "At ", "five. ", timings={"ttft": 250.0}))
        store.sessions.turned(turn(session("b").id, "Secret?", "Yes."))
        store.sessions.turned(turn("ses_zzzzzzzzzzzz", "Who?", "Nobody."))
        store.sessions.turned(turn(session("a").id, "", "Häl", "lo 🐚."))
        store.sessions.turned(turn(session("a").id, "Hm.", " "))
        found = await words(store, session("a").id, 4)
        assert [(line.role, line.text) for line in found] == [
            ("user", "When?"), ("assistant", "At five."), ("assistant", "Hällo 🐚."), ("user", "Hm."),
        ]  # fmt: skip
        assert found[0].at is not None and found[1].at == pytest.approx(found[0].at + 0.25)
        assert await store.sessions.words(session("b").id) == []
        assert await store.sessions.words("ses_zzzzzzzzzzzz") == []


async def test_an_interrupted_answer_is_cut_to_what_was_spoken(server: Server, tmp_path: Path) -> None:
    """The next turn brings what the caller has of it; what begins otherwise, or is no shorter, changes nothing."""
    async with opened(server, tmp_path) as store:
        await store.sessions.begin(session("a"), 0)
        one = session("a").id
        for recalled, heard, said in (
            ("A stranger's words.", "When?", 'At fünf, "sharp"/on time. Do not be late.'),
            ('At fünf, "sharp"/on', "What?", "At five."),
            ("At five. Really.", "Thanks.", "Welcome."),
            ("", "Bye.", "Bye."),
        ):
            made = turn(one, heard, said)
            made.recalled = recalled
            store.sessions.turned(made)
        found = [line for line in await words(store, one, 8) if line.role == "assistant"]
        assert [line.text for line in found] == ['At fünf, "sharp"/on', "At five.", "Welcome.", "Bye."]
        assert found[0].at == pytest.approx(time.time(), abs=5)


async def test_by_capability_only_a_lone_session_is_meant(server: Server, tmp_path: Path) -> None:
    """A turn without a key belongs to its agent's one open session by agent; where there are two, to nobody."""
    async with opened(server, tmp_path) as store:
        await store.sessions.begin(session("a"), 0)  # e2e: it has a key in its URL
        store.sessions.turned(turn("", "To nobody."))
        await store.sessions.begin(session("b", flow="agent"), 0)
        store.sessions.turned(turn("", "To b."))
        assert [line.text for line in await words(store, session("b").id, 1)] == ["To b."]
        await store.sessions.begin(session("c", flow="agent"), 0)
        store.sessions.turned(turn("", "To whom?"))
        await store.sessions._errands.finished(5)
        await store.sessions.close(session("c"))
        store.sessions.turned(turn("", "To b again."))
        assert [line.text for line in await words(store, session("b").id, 2)] == ["To b.", "To b again."]
        assert await store.sessions.words(session("a").id) == await store.sessions.words(session("c").id) == []


async def test_whose_a_turn_was_is_asked_once(server: Server, tmp_path: Path) -> None:
    """Whether its words are kept or not, a turn by capability asks for its agent's only session once, not again for its
    record; one that began before that session is nobody's."""
    async with opened(server, tmp_path) as store:
        await store.sessions.begin(session("b", flow="agent", transcript=False), 0)
        made, early = turn("", "To b."), replace(turn("", "Before b."), started=time.time() - 60)
        store.sessions.turned(made)
        store.sessions.turned(early)
        await store.sessions._errands.finished(5)
        server.say("CONFIG", "RESETSTAT")
        assert await store.sessions.alone("nora", made.started) == session("b").id
        assert await store.sessions.alone("nora", early.started) == ""
        assert "cmdstat_zrangebyscore" not in server.say("INFO", "commandstats")
        assert await store.sessions.alone("nora", made.started) == session("b").id  # forgotten, and asked for again
        assert server.say("INFO", "commandstats")["cmdstat_zrangebyscore"]["calls"] == 1


async def test_words_are_bounded(server: Server, tmp_path: Path) -> None:
    """A long line is cut; past so many lines, or so many bytes, nothing more is kept."""
    async with opened(server, tmp_path) as store:
        await store.sessions.begin(session("a"), 0)
        await store.sessions.begin(session("b"), 0)
        store.sessions.turned(turn(session("a").id, "x" * 100_000, "y" * 100_000))
        assert [len(line.text) for line in await words(store, session("a").id, 2)] == [LONGEST_LINE] * 2
        words_b = f"gateway:words:{session('b').id}"
        server.say("RPUSH", words_b, *(["x"] * (MOST_LINES - 1)))
        store.sessions.turned(turn(session("b").id, "The last.", "Too much."))
        for _ in range(300):
            store.sessions.turned(turn(session("a").id, "é" * 8000))
        await store.sessions._errands.finished(10)
        assert server.say("LLEN", words_b) == MOST_LINES
        assert (
            sum(len(text.encode()) for text in server.say("LRANGE", f"gateway:words:{session('a').id}", 0, -1)) < 2**21
        )


@pytest.mark.parametrize("days", [1, 30])
async def test_everything_of_a_session_goes_by_itself(server: Server, tmp_path: Path, days: int) -> None:
    """Record, words and transcript expire so many days after the session's key; the list then forgets it."""
    async with opened(server, tmp_path, days=days) as store:
        one = session("a")
        await store.sessions.begin(one, 0)
        store.sessions.turned(turn(one.id, "Hello?"))
        await words(store, one.id, 1)
        await store.sessions.settle(Transcript(one.id, "ready", "none", "x"), one.expires)
        for kind in ("session", "words", "transcript"):
            assert days * 86_400 < server.say("TTL", f"gateway:{kind}:{one.id}") <= days * 86_400 + 3661
        server.say("DEL", f"gateway:session:{one.id}")
        assert await store.sessions.listed() == []
        assert server.say("ZCARD", "gateway:sessions") == 0


async def test_what_is_due_is_one_processs(server: Server, tmp_path: Path) -> None:
    """A session is due once it has ended; whoever claims it has it alone for a minute, until it is settled."""
    async with opened(server, tmp_path) as store, opened(server, tmp_path / "other") as other:
        one, two = session("a"), session("b")
        await store.sessions.begin(one, 0)
        await store.sessions.begin(two, 0)
        assert await store.sessions.claim(10) == []
        await store.sessions.close(one)
        claimed = await asyncio.gather(store.sessions.claim(10), other.sessions.claim(10))
        assert sorted(claimed) == [[], [one.id]]
        line = Spoken("user", "Hi.", 1.5)
        kept = Transcript(one.id, "ready", "both", "It is there.", (line, Spoken("assistant", "Ho.")))
        assert await other.sessions.settled(one.id) is None
        await store.sessions.settle(kept, one.expires)
        assert await other.sessions.settled(one.id) == kept
        assert server.say("ZSCORE", "gateway:sessions:due", one.id) is None


async def test_records_that_cannot_be_read_are_passed_over(server: Server, tmp_path: Path) -> None:
    """A record, a line or a transcript that somebody else wrote breaks nothing."""
    async with opened(server, tmp_path) as store:
        await store.sessions.begin(session("a"), 0)
        await store.sessions.begin(session("b"), 0)
        server.say("HSET", f"gateway:session:{session('b').id}", "started", "soon")
        server.say(
            "RPUSH", f"gateway:words:{session('a').id}", "}", '{"role": "cat", "text": "x"}', "[1]", '{"role": "user"}'
        )
        server.say("SET", f"gateway:transcript:{session('a').id}", '{"lines": 3}')
        assert [each.id for each in await store.sessions.listed()] == [session("a").id]
        assert await store.sessions.words(session("a").id) == []
        assert await store.sessions.settled(session("a").id) is None


async def test_without_the_store_nothing_begins_and_no_turn_is_kept_up(server: Server, tmp_path: Path) -> None:
    """A begin raises StoreUnavailable at once; a turn's end costs microseconds and raises nothing."""
    async with opened(server, tmp_path) as store:
        server.kill()
        with pytest.raises(StoreUnavailable):
            await store.sessions.begin(session(), 0)
        began = time.monotonic()
        for _ in range(2000):
            store.sessions.turned(turn(session().id, "Hello?", "Yes."))
        assert time.monotonic() - began < 0.5
