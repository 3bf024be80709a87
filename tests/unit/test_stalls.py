"""Measurements that the machine spoiled."""

import subprocess
import sys
from pathlib import Path
from textwrap import indent

import pytest

ROOT = Path(__file__).parents[2]
STANDS_STILL = "import array; sorted(array.array('d', range(3_000_000, 0, -1)) * 2)"
"""One call into C that lasts for more than a tenth of a second, in which nothing else of the process runs."""
LATE = """
from pathlib import Path
TRIES = Path(__file__).with_name("tries")
def test_late():
    tries = len(TRIES.read_text()) if TRIES.exists() else 0
    TRIES.write_text("x" * (tries + 1))
{before}
    assert tries >= {fails}
"""


IN_LINE = """
import os, subprocess, sys, time
code = f"import time\\nwhile time.monotonic() < {time.monotonic() + 1.5}: pass"
several = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(4)]
for each in several:
    os.sched_setaffinity(each.pid, [min(os.sched_getaffinity(0))])
for each in several:
    each.wait()
"""
"""Four processes want one core for a second and a half, and this one waits for them."""


def ran(folder: Path, fails: int, before: str) -> tuple[int, str, int]:
    """A test that fails so many times: pytest's status, its summary, and how often it was run."""
    (folder / "test_late.py").write_text(LATE.format(before=indent(before, "    "), fails=fails))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.stalls", "-p", "no:cacheprovider", "--rootdir", "."]
    done = subprocess.run(
        [*command, "test_late.py"],
        cwd=folder,
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(ROOT)},
        check=False,
    )
    return done.returncode, done.stdout, len((folder / "tries").read_text())


@pytest.mark.parametrize(("fails", "status", "tries"), [(1, 0, 2), (2, 0, 3), (3, 1, 3)])
def test_a_stall_makes_a_failure_no_proof(tmp_path: Path, fails: int, status: int, tries: int) -> None:
    """A test that fails while the process stands still is run again, twice at most, and the summary says so."""
    found = ran(tmp_path, fails, STANDS_STILL)
    assert (found[0], found[2]) == (status, tries), found[1]
    assert "run again, since this machine stood still" in found[1] and "test_late: " in found[1]


def test_a_child_that_stands_in_line_makes_a_failure_no_proof(tmp_path: Path) -> None:
    """A test that fails while a process that it has started waits for a core is run again."""
    status, said, tries = ran(tmp_path, 1, IN_LINE)
    assert (status, tries) == (0, 2), said
    assert "run again, since this machine stood still" in said


def test_a_failure_without_a_stall_stands(tmp_path: Path) -> None:
    """A test that fails on a machine that keeps up is run once."""
    status, said, tries = ran(tmp_path, 1, "pass")
    assert (status, tries) == (1, 1), said
    assert "run again" not in said
