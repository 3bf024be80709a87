"""Keys and generations: made, recognised, revoked, on every process, with the store and without."""

import asyncio
import json
import re
import stat
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import InvalidValue, StoreUnavailable
from gateway.store import Store
from gateway.store.changes import since
from gateway.store.known import REMEMBERED
from gateway.types import Key, Rate
from tests.stores import Server, opened, until


@asynccontextmanager
async def pair(server: Server, tmp_path: Path) -> AsyncIterator[tuple[Store, Store]]:
    """Two workers, each with a `var` of its own."""
    async with opened(server, tmp_path / "one") as one, opened(server, tmp_path / "two") as two:
        yield one, two


async def test_a_key_is_made_of_what_a_double_click_selects(server: Server, tmp_path: Path) -> None:
    """A key is `gw_`, 12 small letters and digits, `_`, 43 letters and digits: 256 bits, different each time."""
    async with opened(server, tmp_path) as store:
        made = [await store.keys.create() for _ in range(20)]
    assert all(re.fullmatch(r"gw_[a-z0-9]{12}_[A-Za-z0-9]{43}", text) for _, text in made)
    assert len({text for _, text in made}) == len({key.id for key, _ in made}) == 20
    assert all(text.split("_")[1] == key.id for key, text in made)


async def test_a_key_is_recognised_on_every_worker_at_once(server: Server, tmp_path: Path) -> None:
    """What one worker makes, another recognises well within a second, with everything that belongs to it."""
    async with pair(server, tmp_path) as (one, two):
        expires = time.time() + 3600
        made = await one.keys.create(
            scope="chat", name="Kiosk, Hall ③", agent="nora", rate=Rate(60, 2), expires=expires
        )
        assert one.keys.recognise(made.text) == made.key
        took = await until(lambda: two.keys.recognise(made.text) is not None, 1.0)
        assert two.keys.recognise(made.text) == made.key
        assert (made.key.scope, made.key.name, made.key.agent) == ("chat", "Kiosk, Hall ③", "nora")
        assert (made.key.rate, made.key.expires) == (Rate(60, 2), expires)
        assert took < 1.0


async def test_a_key_is_revoked_on_every_worker_within_a_second(server: Server, tmp_path: Path) -> None:
    """A revoked key is still known, as revoked, on the worker that revoked it and within a second on the others."""
    async with pair(server, tmp_path) as (one, two):
        made = await one.keys.create()
        await until(lambda: two.keys.recognise(made.text) is not None)
        revoked = await one.keys.revoke(made.key.id)
        assert revoked is not None
        assert revoked.revoked is not None
        assert one.keys.recognise(made.text) == revoked
        await until(lambda: two.keys.recognise(made.text) == revoked, 1.0)
        assert await two.keys.revoke(made.key.id) == revoked
        assert await two.keys.revoke("zzzzzzzzzzzz") is None


async def test_a_lost_signal_costs_a_second(server: Server, tmp_path: Path) -> None:
    """A worker whose line for signals is cut at that moment learns of a revocation all the same, in about a second."""
    async with pair(server, tmp_path) as (one, two):
        made = await one.keys.create()
        await until(lambda: two.keys.recognise(made.text) is not None)
        server.say("CLIENT", "KILL", "TYPE", "pubsub")
        server.say("ACL", "SETUSER", "default", "resetchannels")  # nobody can listen again
        await one.keys.revoke(made.key.id)

        def gone() -> bool:
            known = two.keys.recognise(made.text)
            return known is not None and known.revoked is not None

        assert await until(gone) < 1.5


async def test_what_is_no_key_is_unknown(server: Server, tmp_path: Path) -> None:
    """Anything that somebody may present as a key is looked at without failing, and is unknown."""
    forms = ["gw_abcdefghijkl_" + "A" * 43, "gw_ABCDEFGHIJKL_" + "A" * 43, "gw_*_*", "gw_", "gw__"]
    async with opened(server, tmp_path) as store:
        await store.keys.create()
        for presented in ("", "x" * 70_000, "\udcff\0", "ä" * 50, *forms):
            assert store.keys.recognise(presented) is None


async def test_a_key_is_wrong_where_one_character_is(server: Server, tmp_path: Path) -> None:
    """No other text than the key itself is taken: not one character more, less or else."""
    async with opened(server, tmp_path) as store:
        text = (await store.keys.create()).text
        for wrong in (text[:-1], text + "A", text + "\n", text.upper(), text[:-1] + ("a" if text[-1] != "a" else "b")):
            assert store.keys.recognise(wrong) is None
        assert store.keys.recognise(text) is not None


async def test_the_key_itself_is_kept_nowhere(server: Server, tmp_path: Path) -> None:
    """Neither the store's data nor anything under `var` holds a key's text or its secret half."""
    async with opened(server, tmp_path / "var") as store:
        made = await store.keys.create(name="x")
        store.keys.recognise(made.text)
        server.say("BGREWRITEAOF")
        held = json.dumps([server.say("HGETALL", name) for name in ("gateway:keys", "gateway:used")])
        secret = made.text.rpartition("_")[2]
        files = contents(tmp_path)
    assert made.key.digest in held
    assert secret not in held
    assert files
    assert not any(secret.encode() in content for content in files)
    assert secret not in repr(made.key)


def contents(directory: Path) -> list[bytes]:
    return [path.read_bytes() for path in directory.rglob("*") if path.is_file()]


async def test_the_last_use_is_noted(server: Server, tmp_path: Path) -> None:
    """A list of keys says when each was last used, to the minute; noting it costs the turn nothing."""
    async with opened(server, tmp_path) as store:
        used, unused = await store.keys.create(name="a"), await store.keys.create(name="b")
        for _ in range(1000):
            store.keys.recognise(used.text)
        await until(lambda: server.say("HLEN", "gateway:used") == 1)
        listed = await store.keys.listed()
    assert [entry.key for entry in listed] == [used.key, unused.key]
    assert listed[0].used is not None
    assert abs(listed[0].used - time.time()) < 60
    assert listed[1].used is None


async def test_a_key_that_makes_no_sense_is_not_made(server: Server, tmp_path: Path) -> None:
    """What cannot be kept as it is meant is refused, and the error names the parameter."""
    nonsense: list[tuple[dict[str, Any], str]] = [
        ({"name": "x" * 101}, "name"),
        ({"name": "two\nlines"}, "name"),
        ({"agent": "../nora"}, "agent"),
        ({"agent": "x" * 101}, "agent"),
        ({"rate": Rate(-1, 0)}, "rate"),
        ({"expires": 1.0}, "expires"),
        ({"expires": float("nan")}, "expires"),
        ({"expires": float("inf")}, "expires"),
    ]
    async with opened(server, tmp_path) as store:
        for given, param in nonsense:
            with pytest.raises(InvalidValue) as caught:
                await store.keys.create(**given)
            assert caught.value.param == param
        assert await store.keys.listed() == []


async def test_generations_are_counted_for_all(server: Server, tmp_path: Path) -> None:
    """Rotations on two workers at once are counted one by one, and each worker knows the last within a second."""
    async with pair(server, tmp_path) as (one, two):
        assert one.generations.current("nora") == 0
        rotated = await asyncio.gather(*(store.generations.rotate("nora") for store in (one, two) * 5))
        assert sorted(rotated) == list(range(1, 11))
        await until(lambda: one.generations.current("nora") == two.generations.current("nora") == 10, 1.0)
        assert one.generations.current("emil") == 0
        with pytest.raises(InvalidValue):
            await one.generations.rotate("no agent")


async def test_a_store_that_lost_everything_is_mended(server: Server, tmp_path: Path) -> None:
    """After FLUSHALL keys, revocations and generations are back within two seconds: nobody is locked out or let in."""
    async with pair(server, tmp_path) as (one, two):
        good, bad = await one.keys.create(), await one.keys.create()
        revoked = await one.keys.revoke(bad.key.id)
        await one.generations.rotate("nora")
        await until(lambda: two.generations.current("nora") == 1)
        server.say("FLUSHALL")
        assert await until(lambda: server.say("HLEN", "gateway:keys") == 2) < 2
        await until(lambda: server.say("HGET", "gateway:generations", "nora") == "1")
        for store in (one, two):
            assert store.keys.recognise(good.text) == good.key
            assert store.keys.recognise(bad.text) == revoked
            assert await store.generations.rotate("emil") >= 1


async def test_the_snapshot_serves_before_the_store_does(server: Server, tmp_path: Path) -> None:
    """A worker that starts without its store knows keys and generations from `var/keys.json`, which has mode 0600."""
    async with opened(server, tmp_path) as store:
        good, bad = await store.keys.create(agent="nora", rate=Rate(5)), await store.keys.create()
        revoked = await store.keys.revoke(bad.key.id)
        await store.generations.rotate("nora")
    assert stat.S_IMODE((tmp_path / "keys.json").stat().st_mode) == 0o600
    server.kill()
    async with opened(server, tmp_path) as store:
        assert store.missing == ["store"]
        assert store.keys.recognise(good.text) == good.key
        assert store.keys.recognise(bad.text) == revoked
        assert store.generations.current("nora") == 1
        for write in (
            store.keys.create,
            lambda: store.keys.revoke(good.key.id),
            lambda: store.generations.rotate("nora"),
        ):
            with pytest.raises(StoreUnavailable):
                await write()
        assert store.keys.recognise(good.text) == good.key


async def test_a_rotated_capability_never_comes_back(server: Server, tmp_path: Path) -> None:
    """Where the store lost its data while nobody ran, the greater generation of the snapshot counts and is put back."""
    async with opened(server, tmp_path) as store:
        made = await store.keys.create()
        for _ in range(3):
            await store.generations.rotate("nora")
    server.say("FLUSHALL")
    async with opened(server, tmp_path) as store:
        assert store.generations.current("nora") == 3
        assert await store.generations.rotate("nora") == 4
        assert store.keys.recognise(made.text) == made.key
        await until(lambda: server.say("HLEN", "gateway:keys") == 1)


async def test_keys_of_another_store_open_nothing(server: Server, tmp_path: Path) -> None:
    """A snapshot of one store does not bring its keys into another; what it takes away stays taken away."""
    async with opened(server, tmp_path / "here") as store:
        elsewhere, revoked = await store.keys.create(), await store.keys.create()
        await store.keys.revoke(revoked.key.id)
        await store.generations.rotate("nora")
    server.say("FLUSHALL")
    async with opened(server, tmp_path / "there") as store:
        here = await store.keys.create()
    async with opened(server, tmp_path / "here") as store:
        assert store.keys.recognise(elsewhere.text) is None
        assert store.keys.recognise(here.text) == here.key
        known = store.keys.recognise(revoked.text)
        assert known is not None
        assert known.revoked is not None
        assert store.generations.current("nora") == 1


async def test_records_that_cannot_be_read_are_left_out(server: Server, tmp_path: Path) -> None:
    """What somebody else wrote among the keys opens nothing and breaks nothing."""
    async with opened(server, tmp_path) as store:
        made = await store.keys.create()
        text: str = server.say("HGET", "gateway:keys", made.key.id)
        broken = ["", "[]", "null", "{}", text.replace("chat", "root"), text.replace(made.key.id, "aaaaaaaaaaaa")]
        for index, record in enumerate([*broken, text.replace('"requests":0', '"requests":"0"'), "[" * 100_000]):
            server.say("HSET", "gateway:keys", f"{index:012d}", record)
        server.say("HSET", "gateway:generations", "nora", "many")
        server.say("SET", "gateway:mark", "changed")
        other = await store.keys.create()
        assert [entry.key for entry in await store.keys.listed()] == [made.key, other.key]
        assert store.generations.current("nora") == 0
        assert not store.missing


async def test_many_keys_are_read_without_holding_turns_up(server: Server, tmp_path: Path) -> None:
    """Five thousand keys are read in pages: the event loop is never held for long, and all of them are known."""
    async with opened(server, tmp_path) as store:
        made = await store.keys.create()
    text: str = server.say("HGET", "gateway:keys", made.key.id)
    ids = [f"{index:012d}" for index in range(5000)]
    server.say("HSET", "gateway:keys", *(part for id_ in ids for part in (id_, text.replace(made.key.id, id_))))
    server.say("SET", "gateway:mark", "changed")
    async with opened(server, tmp_path / "other") as store:
        longest = 0.0
        done = asyncio.create_task(until(lambda: len(_known(store)) == 5001, 20))
        while not done.done():
            began = time.perf_counter()
            await asyncio.sleep(0)
            longest = max(longest, time.perf_counter() - began)
        await done
        assert not store.missing
    assert longest < 0.2


def _known(store: Store) -> dict[str, Key]:
    return dict(store.keys._register.known.keys)


async def test_a_sessions_key_is_forgotten_soon_after_it_expired(server: Server, tmp_path: Path) -> None:
    """By every process, its snapshot and the store; until then it is known and refused; the list never shows it."""
    async with opened(server, tmp_path) as store:
        person = await store.keys.create(expires=time.time() + 60)
        young = await store.keys.create(session=lambda id_: f"ses_{id_}", expires=time.time() + 60)
        assert store.keys.recognise(young.text) == young.key and young.key.session == f"ses_{young.key.id}"
        assert [entry.key for entry in await store.keys.listed()] == [person.key]
    old = time.time() - REMEMBERED - 1
    for id_ in (person.key.id, young.key.id):
        record = {**json.loads(server.say("HGET", "gateway:keys", id_)), "created": old, "expires": old}
        server.say("HSET", "gateway:keys", id_, json.dumps(record))
        server.say("HSET", "gateway:used", id_, "1")
    text = (tmp_path / "keys.json").read_text()
    told = json.loads(text)
    (tmp_path / "keys.json").write_text(
        json.dumps({**told, "keys": [{**key, "created": old, "expires": old} for key in told["keys"]]})
    )
    server.say("SET", "gateway:mark", "changed")
    async with opened(server, tmp_path) as store, opened(server, tmp_path / "other") as other:
        await until(lambda: set(_known(store)) == set(_known(other)) == {person.key.id})
        assert store.keys.recognise(young.text) is None and store.keys.recognise(person.text) is not None
        await until(lambda: server.say("HKEYS", "gateway:keys") == [person.key.id])
        assert server.say("HKEYS", "gateway:used") == [person.key.id]
        await until(lambda: young.key.id not in (tmp_path / "keys.json").read_text())


@pytest.mark.parametrize(
    ("lines", "before", "changed"),
    [
        (["b c two @", "a b one"], "a", {"one", "two", "@"}),
        (["b c two", "a b one"], "b", {"two"}),
        (["c d three", "b c two", "a b one"], "b", {"two"}),
        (["b c two"], "a", None),
        (["x c two", "a b one"], "a", None),
        (["a b one"], "a", None),
        ([], "a", None),
        ([" c one"], "", None),
        (["", " ", "c", "b c two", "nothing"], "b", {"two"}),
    ],
)
def test_changes_are_followed_from_mark_to_mark(lines: list[str], before: str, changed: set[str] | None) -> None:
    """What has changed up to mark `c` is told line by line; one that is missing, or is no such line, tells nothing."""
    assert since(lines, before, "c") == changed


async def test_one_change_costs_one_key(server: Server, tmp_path: Path) -> None:
    """A new key, a revoked one and a generation are read by the other process alone, and nothing by the one that made
    them: no process reads all keys again."""
    async with pair(server, tmp_path) as (one, two):
        first = await one.keys.create()
        await until(lambda: two.keys.recognise(first.text) is not None)
        await asyncio.gather(one.keys._register.refresh(), two.keys._register.refresh())  # their first reading is over
        server.say("CONFIG", "RESETSTAT")
        made = [await one.keys.create(session=lambda id_: f"ses_{id_}", expires=time.time() + 60) for _ in range(20)]
        await until(lambda: all(two.keys.recognise(text) == key for key, text in made))
        revoked = await one.keys.revoke(first.key.id)
        await one.keys.revoke(made[0].key.id)
        await one.generations.rotate("nora")
        await until(lambda: two.keys.recognise(first.text) == revoked and two.generations.current("nora") == 1, 1.0)
        told = server.say("INFO", "commandstats")
        assert "cmdstat_hscan" not in told
        assert 1 <= told["cmdstat_hmget"]["calls"] <= 22 and told["cmdstat_hgetall"]["calls"] == 1
        assert (await two.keys.revoke(made[0].key.id)) == one.keys.recognise(made[0].text)


async def test_who_changes_keys_while_it_looks_reads_none_again(server: Server, tmp_path: Path) -> None:
    """A look that began before a change of one's own, and ends after it, finds nothing that it does not know."""
    async with pair(server, tmp_path) as (one, two):
        await one.keys.create()
        await asyncio.gather(one.keys._register.refresh(), two.keys._register.refresh())
        server.say("CONFIG", "RESETSTAT")
        for _ in range(60):
            await asyncio.gather(one.keys.create(), one.keys._register.refresh(), one.keys._register.refresh())
        assert "cmdstat_hscan" not in server.say("INFO", "commandstats")


async def test_a_process_of_an_older_release_is_followed(server: Server, tmp_path: Path) -> None:
    """One that changes the mark and writes no line of it is understood all the same: all is read."""
    async with pair(server, tmp_path) as (one, two):
        made = await one.keys.create()
        await until(lambda: two.keys.recognise(made.text) is not None)
        record = {**json.loads(server.say("HGET", "gateway:keys", made.key.id)), "revoked": time.time()}
        server.say("HSET", "gateway:keys", made.key.id, json.dumps(record))
        server.say("SET", "gateway:mark", "0123456789abcdef")
        server.say("PUBLISH", "gateway:signals", json.dumps({"kind": "keys", "from": "older", "payload": {}}))
        await until(lambda: all(_known(store)[made.key.id].revoked is not None for store in (one, two)), 0.9)
        again = await one.keys.create()
        await until(lambda: two.keys.recognise(again.text) == again.key, 1.5)


async def test_changes_while_all_is_read_are_not_lost(server: Server, tmp_path: Path) -> None:
    """While one process reads all again and again, keys that others make and revoke then are what they became; the
    reading gives nothing back."""
    async with pair(server, tmp_path) as (one, two):
        over = asyncio.Event()

        async def read() -> None:
            while not over.is_set():
                two.keys._register.returned()
                await asyncio.gather(two.keys._register.sweep(), two.keys._register.refresh())

        reading = asyncio.create_task(read())
        made = [await one.keys.create() for _ in range(30)]
        revoked = await asyncio.gather(*(one.keys.revoke(key.id) for key, _ in made[::2]))
        await one.generations.rotate("nora")
        await until(lambda: two.generations.current("nora") == 1, 2.0)
        over.set()
        await reading
        await until(lambda: _known(one) == _known(two), 2.0)
        assert [two.keys.recognise(text) for _, text in made[::2]] == revoked
        assert [two.keys.recognise(text) for _, text in made[1::2]] == [key for key, _ in made[1::2]]


async def test_what_was_missed_for_all_that_is_found(server: Server, tmp_path: Path) -> None:
    """A record that changed without a mark, and one that the store lost, are set right by the next reading of all; a
    session's key that has expired is not given back, since another process may have forgotten it."""
    async with opened(server, tmp_path) as store:
        lost, changed = await store.keys.create(), await store.keys.create()
        brief = await store.keys.create(session=lambda id_: f"ses_{id_}", expires=time.time() + 0.05)
        record = {**json.loads(server.say("HGET", "gateway:keys", changed.key.id)), "revoked": 7.5}
        server.say("HSET", "gateway:keys", changed.key.id, json.dumps(record))
        await asyncio.sleep(0.1)
        server.say("HDEL", "gateway:keys", lost.key.id, brief.key.id)
        await store.keys._register.sweep()
        assert _known(store)[changed.key.id].revoked == 7.5
        assert sorted(server.say("HKEYS", "gateway:keys")) == sorted([lost.key.id, changed.key.id])
        assert store.keys.recognise(brief.text) == brief.key  # and refused, as expired


async def test_a_sessions_key_is_in_the_snapshot_when_the_process_ends(server: Server, tmp_path: Path) -> None:
    """Sessions' keys are not written to disk one by one, and are there when the store is away after a restart; a
    person's key that is revoked takes along what waits."""
    file = tmp_path / "keys.json"
    async with opened(server, tmp_path) as store:
        person = await store.keys.create()
        first = await store.keys.create(session=lambda id_: f"ses_{id_}", expires=time.time() + 60)
        assert first.key.id not in file.read_text()
        revoked = await store.keys.revoke(person.key.id)
        assert first.key.id in file.read_text()
        ended = await store.keys.revoke(first.key.id)
        second = await store.keys.create(session=lambda id_: f"ses_{id_}", expires=time.time() + 60)
        assert second.key.id not in file.read_text()
    server.kill()
    async with opened(server, tmp_path) as store:
        texts = (person.text, first.text, second.text)
        assert [store.keys.recognise(text) for text in texts] == [revoked, ended, second.key]
