"""What is wrong on the command line of a load is said before anything is started."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.serving import ROOT


@pytest.mark.parametrize("given", [("--users", "a"), ("--seconds", "900"), ("--workers", "0"), ("--target", "no.url")])
def test_nothing_is_started_for_what_cannot_be(given: tuple[str, str], tmp_path: Path) -> None:
    """A sentence with the value, status 2, no gateway and no folder of a report."""
    command = [sys.executable, "-m", "tests.load", *given, "--out", str(tmp_path / "load")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert given[1] in done.stderr and len(done.stderr.splitlines()) == 1
    assert not list(tmp_path.glob("load/*"))
