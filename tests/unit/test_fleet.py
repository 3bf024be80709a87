"""What a process does because another one asked: each `opened` is one."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from gateway import fleet
from gateway.errors import Fault
from gateway.fleet import Fleet
from gateway.types.administration import Reloaded
from tests.stores import Server, opened, until

pytestmark = pytest.mark.parametrize("server", ["valkey"], indirect=True)
"""Signals are tested on both kinds where they are made (`store/test_signals.py`)."""


@dataclass
class Process:
    """What is served in one, and how often it was looked for."""

    answer: Reloaded = field(default_factory=Reloaded)
    seconds: float = 0.0
    read_: int = 0
    repointed: int = 0

    async def read(self) -> Reloaded:
        await asyncio.sleep(self.seconds)
        self.read_ += 1
        return self.answer

    async def repoint(self) -> None:
        self.repointed += 1

    @asynccontextmanager
    async def joined(self, server: Server, var: Path, patience: float = 5.0) -> AsyncIterator[Fleet]:
        """It runs, and listens."""
        before = server.say("PUBSUB", "NUMSUB", "gateway:signals")[1]
        async with (
            opened(server, var) as store,
            fleet.opened(store, self.read, self.repoint, patience=patience) as joined,
        ):
            await until(lambda: server.say("PUBSUB", "NUMSUB", "gateway:signals")[1] == before + 1)
            yield joined


async def test_all_processes_reload(server: Server, tmp_path: Path) -> None:
    """Whoever is asked answers when each of the others has, with how many did and how many could not."""
    one = Process(Reloaded(("agent nora",)))
    slow, broken = Process(seconds=0.2), Process(Reloaded(faults=(Fault("emil.md", 1, "", "is broken"),)))
    async with (
        one.joined(server, tmp_path) as asked,
        slow.joined(server, tmp_path),
        broken.joined(server, tmp_path),
    ):
        assert await asked.reload() == Reloaded(("agent nora",), others=1, behind=1)
        assert (one.read_, slow.read_, broken.read_) == (1, 1, 1)


async def test_a_process_whose_files_are_broken_asks_nobody(server: Server, tmp_path: Path) -> None:
    """What it could not read itself, others need not try."""
    one, other = Process(Reloaded(faults=(Fault("emil.md", 1, "", "is broken"),))), Process()
    async with one.joined(server, tmp_path) as asked, other.joined(server, tmp_path):
        assert await asked.reload() == one.answer
        await asyncio.sleep(0.1)
        assert other.read_ == 0


async def test_nobody_waits_for_a_process_that_is_silent_or_gone(server: Server, tmp_path: Path) -> None:
    """One that does not answer in time is behind; one that has ended meanwhile is none."""
    one, silent = Process(), Process(seconds=20.0)
    async with one.joined(server, tmp_path, 1.5) as asked:
        async with silent.joined(server, tmp_path):
            began = time.monotonic()
            assert await asked.reload() == Reloaded(others=0, behind=1)
            assert 1.4 < time.monotonic() - began < 2.5
            asking = asyncio.create_task(asked.reload())
            await asyncio.sleep(0.1)
        assert await asking == Reloaded(others=0, behind=0)


async def test_without_the_store_this_process_reloads(server: Server, tmp_path: Path) -> None:
    """It says that nobody knows of the others."""
    one = Process(Reloaded(("agent nora",)))
    async with one.joined(server, tmp_path) as asked:
        server.kill()
        await until(lambda: asked.store.missing == ["store"])
        assert await asked.reload() == Reloaded(("agent nora",), others=None)


async def test_another_version_is_served_by_all_others(server: Server, tmp_path: Path) -> None:
    """The one that has made it serves it already; files are not read for it."""
    one, other = Process(), Process()
    async with one.joined(server, tmp_path) as maker, other.joined(server, tmp_path):
        fleet.elsewhere(maker.store).serve()
        assert await until(lambda: other.repointed == 1) < 0.5
        assert (one.repointed, one.read_, other.read_) == (0, 0, 0)


async def test_what_was_told_while_nobody_listened_is_made_up_for(server: Server, tmp_path: Path) -> None:
    """A process whose line to the store broke looks at files and pointers when it stands again."""
    one = Process()
    async with one.joined(server, tmp_path):
        assert (one.read_, one.repointed) == (0, 0)
        server.say("CLIENT", "KILL", "TYPE", "pubsub")
        assert await until(lambda: (one.read_, one.repointed) == (1, 1)) < 2.0
