"""The sample knowledge, really ingested, once for all: what did not change since the last run costs nothing."""

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.serving import ROOT

VAR = ROOT / "var" / "tests"


def gateway(
    *arguments: str, environ: dict[str, str] | None = None, cwd: Path = ROOT
) -> subprocess.CompletedProcess[str]:
    """Run one command of the gateway to its end."""
    return subprocess.run(
        [sys.executable, "-m", "gateway", *arguments],
        cwd=cwd,
        env={"PATH": os.defpath, "GATEWAY_VAR": str(VAR), "PYTHONPATH": str(ROOT), **(environ or {})},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture(scope="session")
def var() -> Path:
    """GATEWAY_VAR with both sample collections in it. Of several processes that test, one ingests."""
    VAR.mkdir(parents=True, exist_ok=True)
    with (VAR / "tested.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = gateway("ingest")
    assert done.returncode == 0, done.stderr
    return VAR
