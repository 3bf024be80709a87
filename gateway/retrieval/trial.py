"""A version is opened by a child process first: a damaged index kills whoever opens it, and no exception
tells.

Whoever builds a version tries it and leaves a stamp in it, so that a service starts without trying again. The
stamp holds what the graph's files looked like; where they changed since, it counts for nothing. (Chroma's
SQLite file is written to whenever it is opened, and its damage is an error, not a death.)
"""

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

Try: TypeAlias = Callable[[Path], str]
"""From a version's directory to what is wrong with it, or nothing: `fault`."""
STAMP = "tried.json"
TIMEOUT = 600.0
"""Seconds for a child to look every passage up: far more than it takes."""


def fault(path: Path, *, timeout: float = TIMEOUT) -> str:
    """What is wrong with the version in a directory; empty where a child found every passage in it."""
    if stamped(path):
        return ""
    command = [sys.executable, "-m", "gateway.retrieval.probe", str(path)]
    try:
        ended = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)  # noqa: S603 (our own module)
    except subprocess.TimeoutExpired:
        return f"its index was not read within {timeout:.0f} s"
    if ended.returncode < 0:
        return f"its index kills its reader ({signal.Signals(-ended.returncode).name})"
    if ended.returncode:
        return (ended.stderr.strip().splitlines() or [f"its reader ended with {ended.returncode}"])[-1]
    stamp(path)
    return ""


def stamp(path: Path) -> None:
    """Say that the version was tried as it is now."""
    try:
        (path / STAMP).write_text(json.dumps(_looks(path)), "utf-8")
    except OSError:  # a version may lie on a read-only disk: then it is tried at each start
        return


def stamped(path: Path) -> bool:
    """Whether the version was tried as it lies there now. Looks only: nothing is started and nothing written."""
    try:
        return bool(json.loads((path / STAMP).read_text("utf-8")) == _looks(path))
    except (OSError, ValueError):
        return False


def _looks(path: Path) -> dict[str, list[int]]:
    """Size and time of each file of the graph."""
    return {
        file.relative_to(path).as_posix(): [file.stat().st_size, file.stat().st_mtime_ns]
        for file in sorted((path / "chroma").rglob("*"))
        if file.is_file() and not file.name.startswith("chroma.sqlite3")
    }
