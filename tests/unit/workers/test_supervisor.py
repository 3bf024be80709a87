"""So many workers at any time: started, kept, rolled and ended. The workers write down their life."""

import asyncio
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from gateway.errors import ConfigurationError
from gateway.workers import Folder, Handed, NotServing, Pace, Plan, Supervisor, folder, words
from gateway.workers.life import LATE

WORKER = """
import json, os, pathlib, signal, socket, sys, time
place, handed = pathlib.Path(sys.argv[1]), json.loads(sys.argv[2])
link = socket.socket(fileno=handed["link"])
note = lambda word: (place / "lives").open("a").write(f"{handed['number']} {os.getpid()} {word}\\n")
note("first" if handed["first"] else "begins")
if (place / "fault").exists():
    note("fault")
    sys.exit(78)
signal.signal(signal.SIGTERM, lambda *_: link.send(b"t"))
link.send(b"R")
link.settimeout(0.05)
while True:
    try:
        if not (place / f"still{os.getpid()}").exists():
            link.send(b"b")
        said = link.recv(1)
    except TimeoutError:
        continue
    except OSError:
        said = b""
    note(said.decode() or "gone")
    if said in (b"h" if (place / "stubborn").exists() and said else b"elr"):
        sys.exit(int((place / "status").read_text()) if (place / "status").exists() else 0)
"""
BRISK = Pace(start=10.0, silence=0.5, evidence=0.3, backoff=0.1, longest=0.4, steady=60.0)


@dataclass
class Stage:
    """A supervisor, and what its workers wrote."""

    supervisor: Supervisor
    place: Path

    def lives(self) -> list[tuple[int, int, str]]:
        """What happened: number, process, word."""
        lines = (self.place / "lives").read_text().splitlines()
        return [(int(number), int(pid), word) for number, pid, word in map(str.split, lines)]

    def began(self) -> list[tuple[int, int]]:
        """Number and process of each worker that was ever started."""
        return [(number, pid) for number, pid, word in self.lives() if word in {"first", "begins"}]

    def heard(self, word: bytes) -> list[int]:
        """The processes that were told a word."""
        return [pid for _, pid, said in self.lives() if said == word.decode()]


@asynccontextmanager
async def staged(place: Path, count: int, pace: Pace = BRISK, *, start: bool = True) -> AsyncIterator[Stage]:
    """So many tiny workers, kept for the length of the block, and ended at its end."""
    with folder(place) as shared, socket.create_server(("127.0.0.1", 0)) as listener:
        argv = [sys.executable, "-I", "-S", "-c", WORKER, str(place)]
        supervisor = Supervisor(Plan(argv, {}, [listener], shared, count), pace)
        try:
            if start:
                await supervisor.start()
            yield Stage(supervisor, place)
        finally:
            await supervisor.end(words.END, asyncio.Event())


async def until(true: Callable[[], bool], seconds: float = 10.0) -> None:
    """Wait for it."""
    ends = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < ends, "it did not become true in time"
        await asyncio.sleep(0.01)


def runs(pid: int) -> bool:
    """Whether the process is there."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_all_serve_and_the_first_one_alone_speaks_for_all(tmp_path: Path) -> None:
    """After the start each number has one process; one of them was started before the others, and knows it."""
    async with staged(tmp_path, 3) as stage:
        assert sorted(number for number, _ in stage.began()) == [0, 1, 2]
        assert [word for _, _, word in stage.lives()] == ["first", "begins", "begins"]
        pids = [pid for _, pid in stage.began()]
        assert all(os.getpgid(pid) == pid for pid in pids)
    assert sorted(stage.heard(words.END)) == sorted(pids)
    assert not any(runs(pid) for pid in pids)


async def test_what_cannot_start_is_said_with_its_status(tmp_path: Path) -> None:
    """Where the first worker ends before it serves, no other one is started, and its status is known."""
    (tmp_path / "fault").touch()
    async with staged(tmp_path, 3, start=False) as stage:
        with pytest.raises(NotServing, match=r"worker 0 \(process \d+\) ended with status 78 before it served") as told:
            await stage.supervisor.start()
        assert told.value.status == 78
        assert len(stage.began()) == 1


async def test_a_dead_worker_is_replaced_and_its_number_taken_again(tmp_path: Path) -> None:
    """SIGKILL of one: another process has its number soon, and the others are left alone."""
    async with staged(tmp_path, 2) as stage:
        before = stage.began()
        os.kill(before[0][1], signal.SIGKILL)
        await until(lambda: len(stage.began()) == 3)
        assert stage.began()[2][0] == before[0][0]
        assert runs(before[1][1])


async def test_pauses_grow_for_one_that_dies_young(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The first restart is at once, those after it at growing distances up to a bound."""
    async with staged(tmp_path, 1) as stage:
        (tmp_path / "fault").touch()
        os.kill(stage.began()[0][1], signal.SIGKILL)
        await until(lambda: caplog.text.count("started again") == 5)
        (tmp_path / "fault").unlink()
    pauses = [record.getMessage().rpartition("again ")[2] for record in caplog.records if "again" in record.message]
    assert pauses == ["at once", "in 0.1 s", "in 0.2 s", "in 0.4 s", "in 0.4 s"]


async def test_one_that_stands_still_is_killed_with_evidence(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A worker without a beat is ended by SIGABRT, which the log says, and another one serves."""
    async with staged(tmp_path, 1) as stage:
        (tmp_path / f"still{stage.began()[0][1]}").touch()
        await until(lambda: len(stage.began()) == 2)
    assert "its event loop stands still for 0.5 s" in caplog.text
    assert "was ended by SIGABRT" in caplog.text


async def test_nobody_is_killed_when_the_whole_machine_stood_still(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Where the supervisor stood still too, who was silent meanwhile has all the time again to say a word."""
    async with staged(tmp_path, 1) as stage:
        pid = stage.began()[0][1]
        os.kill(pid, signal.SIGSTOP)
        time.sleep(BRISK.silence + 2 * LATE)  # noqa: ASYNC251  (the loop stands still)
        os.kill(pid, signal.SIGCONT)
        await asyncio.sleep(BRISK.silence)
        assert stage.began() == [(0, pid)]
    assert "is killed" not in caplog.text


async def test_one_that_hears_no_signal_is_killed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A stopped process, which SIGABRT does not end, is ended by SIGKILL."""
    async with staged(tmp_path, 1) as stage:
        os.kill(stage.began()[0][1], signal.SIGSTOP)
        await until(lambda: len(stage.began()) == 2)
    assert "was ended by SIGKILL" in caplog.text


async def test_a_roll_replaces_one_after_another(tmp_path: Path) -> None:
    """Each old worker retires when its replacement serves; never are more than one too many there."""
    async with staged(tmp_path, 3) as stage:
        old = [pid for _, pid in stage.began()]
        stage.supervisor.roll()
        await until(lambda: sorted(stage.heard(words.RETIRE)) == sorted(old))
        await until(lambda: not any(runs(pid) for pid in old))
        assert len(stage.began()) == 6
        assert max(number for number, _ in stage.began()) == 3
        words_ = [word for _, _, word in stage.lives()]
        assert words_[3:] == ["begins", "r"] * 3


async def test_a_roll_during_a_roll_follows_it(tmp_path: Path) -> None:
    """Asked twice more while it rolls, it rolls once more."""
    async with staged(tmp_path, 2) as stage:
        stage.supervisor.roll()
        await until(lambda: len(stage.began()) == 3)
        stage.supervisor.roll()
        stage.supervisor.roll()
        await until(lambda: len(stage.heard(words.RETIRE)) == 4)
        await asyncio.sleep(0.3)
        assert len(stage.began()) == 6


async def test_a_roll_that_fails_leaves_what_serves(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A replacement that does not come up ends the roll with an error; nobody retires, and the next roll works."""
    async with staged(tmp_path, 2) as stage:
        old = [pid for _, pid in stage.began()]
        (tmp_path / "fault").touch()
        stage.supervisor.roll()
        await until(lambda: "the rolling restart is given up" in caplog.text)
        assert all(runs(pid) for pid in old)
        assert stage.heard(words.RETIRE) == []
        (tmp_path / "fault").unlink()
        stage.supervisor.roll()
        await until(lambda: sorted(stage.heard(words.RETIRE)) == sorted(old))


async def test_one_that_is_asked_alone_retires(tmp_path: Path) -> None:
    """SIGTERM to one worker: another one takes its place, then it retires."""
    async with staged(tmp_path, 2) as stage:
        asked = stage.began()[1][1]
        os.kill(asked, signal.SIGTERM)
        await until(lambda: stage.heard(words.RETIRE) == [asked])
        assert len(stage.began()) == 3


async def test_who_is_in_a_hurry_is_passed_on(tmp_path: Path) -> None:
    """Workers that take their time for the end are told when somebody asks twice."""
    async with staged(tmp_path, 2) as stage:
        (tmp_path / "stubborn").touch()
        hurry = asyncio.Event()
        ending = asyncio.create_task(stage.supervisor.end(words.LEAVE, hurry))
        await until(lambda: len(stage.heard(words.LEAVE)) == 2)
        assert not ending.done()
        hurry.set()
        assert await ending


async def test_a_reload_is_passed_on(tmp_path: Path) -> None:
    """Every worker hears of it."""
    async with staged(tmp_path, 2) as stage:
        stage.supervisor.reload()
        await until(lambda: len(stage.heard(words.RELOAD)) == 2)


async def test_an_end_that_is_not_proper_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Where a worker ends with another status than 0, so does the whole."""
    async with staged(tmp_path, 1) as stage:
        (tmp_path / "status").write_text("3")
        assert not await stage.supervisor.end(words.LEAVE, asyncio.Event())
    assert "ended with status 3" in caplog.text


async def test_the_end_comes_in_the_middle_of_a_start(tmp_path: Path) -> None:
    """A start that is cancelled leaves no process behind."""
    async with staged(tmp_path, 4, start=False) as stage:
        starting = asyncio.create_task(stage.supervisor.start())
        await until((tmp_path / "lives").exists)
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting
        assert await stage.supervisor.end(words.END, asyncio.Event())
        assert not any(runs(pid) for _, pid in stage.began())


async def test_a_supervisor_that_is_gone_is_noticed(tmp_path: Path) -> None:
    """However the supervisor ends, each worker's socket says so."""
    code = (
        "import asyncio, pathlib, socket, sys\n"
        "from gateway.workers import Plan, Supervisor, folder\n"
        "async def main(place, argv):\n"
        "    with folder(place) as shared:\n"
        "        await Supervisor(Plan(argv, {}, [], shared, 2)).start()\n"
        "        print('served', flush=True)\n"
        "        await asyncio.sleep(60)\n"
        "asyncio.run(main(pathlib.Path(sys.argv[1]), sys.argv[2:]))\n"
    )
    argv = [sys.executable, "-I", "-S", "-c", WORKER, str(tmp_path)]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, str(tmp_path), *argv, stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[3]
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"served\n"
    process.kill()
    await process.wait()
    await until(lambda: (tmp_path / "lives").read_text().count("gone") == 2)


def test_a_folder_is_empty_and_goes_with_its_supervisor(tmp_path: Path) -> None:
    """It holds its lock and nothing else; one that was left behind goes, one in use stays."""
    left = tmp_path / "workers" / "left"
    left.mkdir(parents=True)
    (left / "lock").touch()
    with folder(tmp_path) as first, folder(tmp_path) as second:
        assert not left.exists()
        assert first.path != second.path
        assert [path.name for path in first.path.iterdir()] == ["lock"]
        assert isinstance(first, Folder)
    assert list((tmp_path / "workers").iterdir()) == []


def test_a_folder_that_cannot_be_made_is_a_fault(tmp_path: Path) -> None:
    """Where `var` takes no folder, a sentence says what is needed."""
    (tmp_path / "workers").touch()
    with pytest.raises(ConfigurationError, match="workers need a folder in "), folder(tmp_path):
        pass


def test_what_is_handed_over_survives_the_command_line() -> None:
    """What a worker reads is what was written for it; anything else is refused in a sentence."""
    handed = Handed(3, "/somewhere/x", [5, 6], 7, [8], first=True)
    assert Handed.read(handed.written()) == handed
    assert handed.worker == (3, Path("/somewhere/x"))
    for wrong in ("{}", "[]", "x", "3"):
        with pytest.raises(ValueError, match=r"."):
            Handed.read(wrong)
