"""The program between the gateway and a child: it kills the child's process group when the gateway is gone.

Run by path (`python -I -S guard.py PROGRAM ARGUMENT…`), so it imports nothing but the standard library and is
quick to start. Standard input is a lifeline: the gateway holds the other end of that pipe and never writes.
However the gateway ends, SIGKILL included, the kernel closes its end, and end of file is what is read here.

A pipe serves every Unix alike. Linux' PR_SET_PDEATHSIG would spare this process, but it reaches the direct
child only (grandchildren live on), it fires when the *thread* that forked ends, and setting it needs code
between fork and exec of a process with threads, which can deadlock
(https://docs.python.org/3/library/subprocess.html#subprocess.Popen, `preexec_fn`).
"""

import os
import select
import signal
import sys
from collections.abc import Sequence
from typing import NoReturn

_OURS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
"""Signals sent to the group are for the child: the guard outlives them to report how the child ended."""


def guard(argv: Sequence[str]) -> NoReturn:
    """Run `argv` and end as it ends: 128 + N where signal N ended it. Kill the group when stdin closes."""
    awake, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    for number in _OURS:
        signal.signal(number, signal.SIG_IGN)
    child = os.fork()
    if child == 0:
        _become(argv)
    while True:
        readable, _, _ = select.select([0, awake], [], [])
        if 0 in readable:
            os.killpg(0, signal.SIGKILL)
        os.read(awake, 64)
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            code = os.waitstatus_to_exitcode(status)
            os._exit(code if code >= 0 else 128 - code)


def _become(argv: Sequence[str]) -> NoReturn:
    # An ignored signal stays ignored through exec, and Python ignores SIGPIPE.
    for number in (*_OURS, signal.SIGPIPE):
        signal.signal(number, signal.SIG_DFL)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    try:
        os.execvp(argv[0], list(argv))  # noqa: S606  (no shell is the point)
    except OSError as error:
        os.write(2, f"{argv[0]}: {error.strerror}\n".encode())
        os._exit(127)


if __name__ == "__main__":
    guard(sys.argv[1:])
