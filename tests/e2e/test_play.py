"""`gateway play` as a person runs it: beside a sandbox, from standard input, and until Ctrl-C."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import av
import pytest

from tests.e2e.conftest import gateway
from tests.peer.stage import pcm, waved
from tests.sandboxed import Sandbox, sandbox_process, sandboxed
from tests.serving import ROOT


def environ(sandbox: Sandbox, **more: str) -> dict[str, str]:
    """What the command is run with."""
    return {"SIMLI_URL": sandbox.url, "SIMLI_API_KEY": sandbox.key, **more}


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with sandbox_process() as sandbox:
        yield sandbox


def test_a_file_to_an_agents_face_and_what_was_measured(running: Sandbox, tmp_path: Path) -> None:
    """The table has every measure within 80 columns, the film plays, and the status is 0."""
    arguments = ("play", "nora", str(waved(tmp_path / "tone.wav", 1.5)), "--record", str(tmp_path / "face.mp4"))
    done = gateway(*arguments, environ=environ(running))
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert all(len(line) <= 80 for line in lines)
    for label in (
        "connected",
        "START",
        "first picture",
        "first audible sound",
        "round trip",
        "jitter",
        "mouth",
        "recorded",
    ):
        assert any(line.startswith(label) and line[24:25] not in ("", "-") for line in lines), done.stdout
    with av.open(str(tmp_path / "face.mp4")) as film:
        assert [stream.type for stream in film.streams] == ["video", "audio"]
    again = gateway(*arguments, environ=environ(running))
    assert again.returncode == 65 and "exists" in again.stderr


@pytest.mark.parametrize(
    ("more", "asked", "status", "says"),
    [
        ({"SIMLI_API_KEY": "wrongwrongwrongwrong"}, "nora tone.wav", 77, "key"),
        ({}, "invalid-face tone.wav", 65, "INVALID_FACE_ID"),
        ({}, "nora nowhere.wav", 65, "There is no file"),
        ({}, "nora tone.wav --rate 8000", 65, "--format"),
    ],
)
def test_what_is_wrong_is_one_line(
    more: dict[str, str], asked: str, status: int, says: str, *, running: Sandbox, tmp_path: Path
) -> None:
    """A wrong key, an unknown face and a source that is not there each have a status and a sentence of their own."""
    waved(tmp_path / "tone.wav", 0.5)
    done = gateway("play", *asked.split(), environ={**environ(running), **more}, cwd=tmp_path)
    assert done.returncode == status and says in done.stderr and "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


async def test_standard_input_until_ctrl_c() -> None:
    """Raw samples from a pipe that never ends; Ctrl-C ends the session at Simli, prints the table, and status 0."""
    async with sandboxed() as sandbox:
        process = subprocess.Popen(  # noqa: ASYNC220 it starts in a moment
            [sys.executable, "-m", "gateway", "play", "nora", "-", "--format", "s16le"],
            cwd=ROOT,
            env={"PATH": os.defpath, "PYTHONPATH": str(ROOT), **environ(sandbox)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert process.stdin is not None
        process.stdin.write(pcm(1.0))
        process.stdin.flush()
        async with asyncio.timeout(15):
            while not (await sandbox.state())["running"]:  # noqa: ASYNC110 another process's number
                await asyncio.sleep(0.05)
        await asyncio.sleep(1.5)
        process.send_signal(signal.SIGINT)
        out, err = await asyncio.to_thread(process.communicate, timeout=10)
        assert process.returncode == 0, err
        assert b"by you" in out and b"Traceback" not in err
        assert not (await sandbox.state())["running"]
