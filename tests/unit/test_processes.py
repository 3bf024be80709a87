"""Supervised children, with real processes."""

import asyncio
import logging
import os
import signal
import sys
import textwrap
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.processes import Child, ChildError, supervised

ROOT = Path(__file__).parents[2]
WRITES_ITS_PID = "import os, pathlib, sys, time; pathlib.Path(sys.argv[1]).write_text(str(os.getpid())); "


def python(code: str, *arguments: object) -> list[str]:
    return [sys.executable, "-I", "-S", "-c", code, *map(str, arguments)]


def alive(pid: int) -> bool:
    """Whether the process runs; a zombie that nobody has reaped does not."""
    stat = Path(f"/proc/{pid}/stat")
    if stat.parent.parent.joinpath("self").exists():
        return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def until(true: Callable[[], bool], seconds: float = 5.0) -> float:
    began = time.monotonic()
    while not true():
        assert time.monotonic() - began < seconds, "it did not become true in time"
        await asyncio.sleep(0.01)
    return time.monotonic() - began


def written(path: Path) -> Callable[[], Awaitable[bool]]:
    async def health() -> bool:
        return has_text(path)

    return health


def has_text(path: Path) -> bool:
    return path.exists() and bool(path.read_text())


def sleeper(path: Path, code: str = "time.sleep(60)") -> Child:
    return Child("sleeper", python(WRITES_ITS_PID + code, path), written(path), backoff=0.05)


async def test_block_is_entered_when_the_child_is_healthy(tmp_path: Path) -> None:
    """Inside the block the child serves, leads no group of ours, and after the block it is gone."""
    file = tmp_path / "pid"
    async with supervised(sleeper(file, "time.sleep(60)")) as process:
        pid = int(file.read_text())
        assert process.ready
        assert alive(pid)
        assert os.getpgid(pid) == process.group != os.getpgid(0)
        assert os.getsid(pid) != os.getsid(0)
    assert not alive(pid)
    assert not process.ready


async def test_dead_child_is_restarted(tmp_path: Path) -> None:
    """A child that is killed comes back as another process, and is awaited until it is healthy again."""
    file = tmp_path / "pid"
    async with supervised(sleeper(file)) as process:
        first = int(file.read_text())
        file.unlink()
        os.kill(first, signal.SIGKILL)
        await until(lambda: process.restarts == 1 and process.ready)
        second = int(file.read_text())
        assert second != first
        assert alive(second)
    assert not alive(second)


async def test_dead_guard_takes_the_child_along(tmp_path: Path) -> None:
    """Where the guard is killed, the child it led does not live on beside its successor."""
    file = tmp_path / "pid"
    async with supervised(sleeper(file)) as process:
        first = int(file.read_text())
        os.kill(process.group, signal.SIGKILL)
        await until(lambda: process.restarts == 1 and process.ready)
        assert not alive(first)


async def test_restarts_back_off(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A child that cannot come back is tried again at growing distances, and the reason is logged."""
    file = tmp_path / "runs"
    code = (
        "import pathlib, sys, time; p = pathlib.Path(sys.argv[1]); "
        "again = p.exists(); p.write_text('x'); time.sleep(0.1); sys.exit('no luck' if again else 0)"
    )
    child = replace(sleeper(file), argv=python(code, file), health=first_only(), backoff=0.02, backoff_limit=0.08)
    with caplog.at_level(logging.WARNING, "gateway.processes"):
        async with supervised(child) as process:
            await until(lambda: process.restarts == 3)
            assert not process.ready
    delays = [record.getMessage().rpartition("next start in ")[2] for record in caplog.records]
    assert delays[:3] == ["0.02 s", "0.04 s", "0.08 s"]
    assert "no luck" in caplog.text


def first_only() -> Callable[[], Awaitable[bool]]:
    answers = iter([True])

    async def health() -> bool:
        return next(answers, False)

    return health


async def test_stop_reaches_grandchildren(tmp_path: Path) -> None:
    """What the child itself has started ends with it."""
    file = tmp_path / "grandchild"
    inner = WRITES_ITS_PID + "time.sleep(60)"
    code = (
        "import subprocess, sys, time; "
        f"subprocess.Popen([sys.executable, '-c', {inner!r}, sys.argv[1]]); time.sleep(60)"
    )
    async with supervised(Child("parent", python(code, file), written(file))):
        grandchild = int(file.read_text())
        assert alive(grandchild)
    await until(lambda: not alive(grandchild), 1.0)


async def test_stop_is_sigterm_first(tmp_path: Path) -> None:
    """A child that handles SIGTERM gets the time to put things away."""
    file, put_away = tmp_path / "pid", tmp_path / "put-away"
    code = (
        "import signal; signal.signal(signal.SIGTERM, lambda *_: "
        "(pathlib.Path(sys.argv[2]).write_text('yes'), sys.exit())); "
        "pathlib.Path(sys.argv[1]).write_text('ready'); time.sleep(60)"
    )
    argv = python("import os, pathlib, sys, time; " + code, file, put_away)
    async with supervised(Child("tidy", argv, written(file))):
        pass
    assert put_away.read_text() == "yes"


async def test_stop_is_sigkill_at_last(tmp_path: Path) -> None:
    """A child that ignores SIGTERM is killed after `stop_timeout`."""
    file = tmp_path / "pid"
    code = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + WRITES_ITS_PID + "time.sleep(60)"
    child = Child("stubborn", python(code, file), written(file), stop_timeout=0.3)
    async with supervised(child):
        pid = int(file.read_text())
        began = time.monotonic()
    assert 0.3 <= time.monotonic() - began < 1.5
    while alive(pid):  # the guard is waited for, and dies of the same signal
        assert time.monotonic() - began < 5
        await asyncio.sleep(0.01)


async def test_child_that_ends_at_once_is_an_error_with_its_last_lines(tmp_path: Path) -> None:
    """The start fails with the status and what the child said last, not with a timeout."""
    argv = python("import sys; print('loading'); sys.exit('the model file is broken')")
    with pytest.raises(ChildError) as caught:
        async with supervised(Child("broken", argv, written(tmp_path / "never"))):
            pytest.fail("it does not serve")
    assert "broken ended with status 1 before it served" in caught.value.message
    assert "the model file is broken" in caught.value.message
    assert "loading" in caught.value.message


async def test_program_that_does_not_exist_is_named(tmp_path: Path) -> None:
    """A missing program is said by its name."""
    with pytest.raises(ChildError, match="/no/such/program: No such file or directory"):
        async with supervised(Child("absent", ["/no/such/program"], written(tmp_path / "never"))):
            pytest.fail("it does not serve")


async def test_child_that_never_serves_is_stopped(tmp_path: Path) -> None:
    """Past `start_timeout` the start fails and nothing is left running."""
    file = tmp_path / "pid"
    child = replace(sleeper(file), health=written(tmp_path / "never"), start_timeout=0.3)
    with pytest.raises(ChildError, match=r"did not serve within 0\.3 s"):
        async with supervised(child):
            pytest.fail("it does not serve")
    assert not alive(int(file.read_text()))


async def test_output_is_logged_line_by_line(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Both output streams become log lines under the child's name, at the level asked for."""
    file = tmp_path / "pid"
    said = "print('out', flush=True); print('err', file=sys.stderr, flush=True); print('é' * 9000, flush=True); "
    argv = python("import sys; " + said + WRITES_ITS_PID + "time.sleep(60)", file)
    with caplog.at_level(logging.DEBUG, "gateway.processes"):
        async with supervised(Child("speaker", argv, written(file), level=logging.DEBUG)):
            await until(lambda: "é" in caplog.text)
    lines = [record.getMessage() for record in caplog.records if record.levelno == logging.DEBUG]
    assert lines[:2] == ["speaker: out", "speaker: err"]
    assert all(len(line) < 5000 for line in lines)


async def test_cancelled_start_leaves_nothing(tmp_path: Path) -> None:
    """A start that is given up, as by Ctrl-C, stops what it had begun."""
    file = tmp_path / "pid"

    async def enter() -> None:
        async with supervised(replace(sleeper(file), health=written(tmp_path / "never"))):
            pytest.fail("it does not serve")

    task = asyncio.create_task(enter())
    await until(lambda: has_text(file))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not alive(int(file.read_text()))


async def test_failing_health_check_is_the_start_s_error(tmp_path: Path) -> None:
    """A refused connection means "not yet"; any other exception ends the start and the child."""
    file = tmp_path / "pid"
    asked = 0

    async def health() -> bool:
        nonlocal asked
        asked += 1
        if asked < 3 or not file.exists():
            raise ConnectionRefusedError
        raise LookupError("no such field")

    with pytest.raises(LookupError, match="no such field"):
        async with supervised(replace(sleeper(file), health=health)):
            pytest.fail("it does not serve")
    assert asked >= 3
    assert not alive(int(file.read_text()))


async def test_child_and_grandchild_die_with_a_parent_that_is_sigkilled(tmp_path: Path) -> None:
    """However the gateway ends, within a second nothing of what it started runs."""
    child, grandchild = tmp_path / "child", tmp_path / "grandchild"
    inner = WRITES_ITS_PID + "time.sleep(60)"
    outer = f"import subprocess; subprocess.Popen([sys.executable, '-c', {inner!r}, sys.argv[2]]); time.sleep(60)"
    script = tmp_path / "parent.py"
    script.write_text(
        textwrap.dedent(f"""
        import asyncio, pathlib
        from gateway.processes import Child, supervised

        async def health():
            return pathlib.Path({str(grandchild)!r}).exists()

        async def main():
            argv = {python(WRITES_ITS_PID + outer, child, grandchild)!r}
            async with supervised(Child("child", argv, health)):
                print("ready", flush=True)
                await asyncio.sleep(60)

        asyncio.run(main())
        """)
    )
    parent = await asyncio.create_subprocess_exec(
        sys.executable, str(script), cwd=ROOT, env={"PYTHONPATH": str(ROOT)}, stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout is not None
    assert await parent.stdout.readline() == b"ready\n"
    await until(lambda: has_text(grandchild))
    pids = [int(child.read_text()), int(grandchild.read_text())]
    assert all(map(alive, pids))
    parent.kill()
    await parent.communicate()
    took = await until(lambda: not any(map(alive, pids)), 1.0)
    assert took < 1.0


async def test_nothing_is_left_as_a_zombie(tmp_path: Path) -> None:
    """Children that died and children that were stopped are reaped."""
    file = tmp_path / "pid"
    groups = []
    async with supervised(sleeper(file)) as process:
        groups.append(process.group)
        os.kill(int(file.read_text()), signal.SIGKILL)
        await until(lambda: process.restarts == 1 and process.ready)
        groups.append(process.group)
    for group in groups:
        with pytest.raises(ProcessLookupError):  # a zombie can still be sent signals
            os.kill(group, 0)
