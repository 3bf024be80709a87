"""Who has the store open: each `opened` is a process."""

import asyncio
from pathlib import Path

from tests.stores import Server, opened, until


async def test_every_process_is_known_while_it_lives(server: Server, tmp_path: Path) -> None:
    """From its beginning on, and not a moment longer where it ends properly."""
    async with opened(server, tmp_path / "one") as one:
        async with opened(server, tmp_path / "two") as two:
            both = {one.members.name, two.members.name}
            async with asyncio.timeout(2):
                while await one.members.living() != both:  # noqa: ASYNC110 nothing tells of it
                    await asyncio.sleep(0.01)
        assert await one.members.living() == {one.members.name}
        assert await one.members.dead(both) == {two.members.name}


async def test_a_store_that_was_away_makes_nobody_dead(server: Server, tmp_path: Path) -> None:
    """Where it lost everything, nobody is taken for dead before each had the time to say that it lives."""
    async with opened(server, tmp_path, missed=1.0) as store:
        names = {store.members.name, "0123456789abcdef"}
        await asyncio.sleep(0.1)
        assert await store.members.dead(names) == {"0123456789abcdef"}
        server.kill()
        await until(lambda: store.missing == ["store"])
        server.start()
        server.say("FLUSHALL")
        await until(lambda: store.missing == [])
        assert await store.members.dead(names) == frozenset()
        await asyncio.sleep(1.1)
        assert await store.members.dead(names) == {"0123456789abcdef"}
