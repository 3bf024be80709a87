"""gateway/store/following.py, on Valkey and on Redis."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import orjson
import pytest

from gateway.errors import StoreUnavailable
from gateway.store import turn_records
from gateway.store.following import WAITING
from gateway.types import Turn, TurnRecord, WantedTurns
from tests.stores import Server, opened, until

CHANNEL = "gateway:turns:told"
ALL = WantedTurns(limit=1000)


def listeners(server: Server) -> int:
    """Connections that listen for turns."""
    return int(server.say("PUBSUB", "NUMSUB", CHANNEL)[1])


def record(number: int) -> str:
    """As one process tells another."""
    return orjson.dumps(turn_records.record(Turn(f"turn-{number}", 1.0, 0.0))).decode()


async def test_a_process_listens_while_somebody_wants_to_hear(server: Server, tmp_path: Path) -> None:
    """On one connection for all of them, and on none when the last has gone."""
    async with opened(server, tmp_path) as store:
        assert listeners(server) == 0
        async with aclosing(store.turns.told(ALL)) as first, aclosing(store.turns.told(ALL)) as second:
            assert await anext(first) is None and await anext(second) is None
            assert listeners(server) == 1
            server.say("PUBLISH", CHANNEL, record(1))
            server.say("PUBLISH", CHANNEL, "no record")
            server.say("PUBLISH", CHANNEL, record(2))
            for turns in (first, second):
                heard = [one.id async for one in _some(turns, 2)]
                assert heard == ["turn-1", "turn-2"]
        await until(lambda: listeners(server) == 0)


async def test_who_does_not_take_what_is_told_is_dropped(server: Server, tmp_path: Path) -> None:
    """The line of one is bounded; the others hear everything."""
    async with (
        opened(server, tmp_path) as store,
        aclosing(store.turns.told(ALL)) as slow,
        aclosing(store.turns.told(ALL)) as quick,
    ):
        assert await anext(slow) is None and await anext(quick) is None
        assert await anext(slow) is None  # it listens, and takes nothing from here on
        taking = asyncio.create_task(_taken(quick, WAITING + 100))
        for number in range(WAITING + 100):
            await store.connection.ask("PUBLISH", CHANNEL, record(number))
        async with asyncio.timeout(10):
            assert await taking == WAITING + 100
            assert len([one async for one in slow if one is not None]) == WAITING


async def test_a_feed_ends_where_the_store_goes(server: Server, tmp_path: Path) -> None:
    """While it waits; who asks then is told that the store is away; and when it is back turns are told again."""
    async with opened(server, tmp_path) as store:
        async with aclosing(store.turns.told(ALL)) as turns:
            assert await anext(turns) is None
            server.kill()
            async with asyncio.timeout(15):
                assert [one async for one in turns if one is not None] == []
        with pytest.raises(StoreUnavailable):
            await anext(store.turns.told(ALL))
        server.start()
        assert await store.reached(10)
        async with asyncio.timeout(10), aclosing(store.turns.told(ALL)) as turns:
            assert await anext(turns) is None
            server.say("PUBLISH", CHANNEL, record(1))
            assert [one.id async for one in _some(turns, 1)] == ["turn-1"]


async def _some(turns: AsyncIterator[TurnRecord | None], count: int) -> AsyncIterator[TurnRecord]:
    """So many turns of these."""
    async for one in turns:
        if one is not None:
            yield one
            count -= 1
        if not count:
            return


async def _taken(turns: AsyncIterator[TurnRecord | None], count: int) -> int:
    """Take so many."""
    return len([one async for one in _some(turns, count)])
