"""What is said on standard output once it serves."""

import os
import subprocess
import sys

from tests.serving import ROOT

PROGRAM = """
from gateway import observe
from gateway.cli.announcing import announce
from gateway.settings import Settings

observe.configure("text")
announce("http://x:1", Settings(), {})
print("goes on", flush=True)
"""


def test_a_standard_output_that_nobody_reads_keeps_nothing_from_serving() -> None:
    """The log says where it serves, in a line; the process goes on and ends properly."""
    reads, writes = os.pipe()
    os.close(reads)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], check=False, cwd=ROOT, stdout=writes, stderr=subprocess.PIPE, timeout=30
    )
    os.close(writes)
    assert (done.returncode, done.stderr.count(b"\n")) == (0, 1)
    assert b"serving on http://x:1; standard output takes nothing (Broken pipe)" in done.stderr
