"""gateway/observe/log.py: how lines are written; what is in them is told by `tests/contract` and `test_redaction.py`"""

import fcntl
import os
import subprocess
import sys

from tests.serving import ROOT

PROGRAM = """
import logging
import sys

from gateway import observe

observe.configure("json")
for _ in range(150):
    logging.getLogger("gateway").info("%s", sys.argv[1] * 9000)
"""


def writing(letter: str, into: int) -> "subprocess.Popen[bytes]":
    """A process that logs long lines of this letter."""
    return subprocess.Popen([sys.executable, "-c", PROGRAM, letter], cwd=ROOT, stderr=into)


def test_lines_of_several_processes_on_one_pipe_are_whole() -> None:
    """Longer ones than a pipe takes at once, and a reader that is slower than they are."""
    reads, writes = os.pipe()
    programs = [writing(letter, writes) for letter in "abc"]
    os.close(writes)
    found = bytearray()
    with os.fdopen(reads, "rb", buffering=0) as pipe:
        while some := pipe.read(5000):
            found += some
    assert [each.wait(10) for each in programs] == [0, 0, 0]
    lines = bytes(found).splitlines()
    assert len(lines) == 450
    assert [line for line in lines if not line.startswith(b'{"ts"') or len(set(line[-9000:-3])) != 1] == []


def test_a_process_that_stands_still_stops_no_other_ones_lines() -> None:
    """It has the pipe for itself and never lets go: a line waits for a fiftieth of a second."""
    reads, writes = os.pipe()
    with os.fdopen(reads, "rb") as pipe, os.fdopen(writes, "wb") as mine:
        fcntl.lockf(mine, fcntl.LOCK_EX)
        short = PROGRAM.replace("* 9000", "").replace("150", "3")
        program = subprocess.Popen([sys.executable, "-c", short, "a"], cwd=ROOT, stderr=writes)
        assert program.wait(10) == 0
        assert [pipe.readline()[:5] for _ in range(3)] == [b'{"ts"'] * 3


def test_a_log_that_nobody_reads_holds_nobody_up() -> None:
    """A process with more to say than a pipe holds ends all the same; what was lost is said when somebody reads."""
    reads, writes = os.pipe()
    again = f"{PROGRAM}\nprint('full', flush=True)\ninput()\nlogging.getLogger('gateway').info('the last one')\n"
    program = subprocess.Popen(
        [sys.executable, "-c", again, "a"], cwd=ROOT, stderr=writes, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    os.close(writes)
    with os.fdopen(reads, "rb", buffering=0) as pipe, program:
        assert program.stdout is not None
        assert program.stdin is not None
        assert program.stdout.readline() == b"full\n"
        some = pipe.read(1 << 20) or b""  # what there is
        program.stdin.write(b"\n")
        program.stdin.close()
        *lines, note, last = (some + pipe.readall()).splitlines()
        assert program.wait(10) == 0
    whole = [line for line in lines if line.startswith(b'{"ts"') and line.endswith(b'"}')]
    lost = int(note.partition(b'"message":"')[2].partition(b" lines of the log were lost: nobody read it")[0])
    assert len(whole) + lost == 150
    assert lost > 100
    assert b"the last one" in last
