"""`python -m tests.bench.counted`: a sandbox that says how many tasks it runs, whenever it is sent a line.

Nothing else of a sandbox's process can be seen only from within. It ends when its standard input does.
"""

import asyncio
import contextlib
import gc
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import uvloop

from gateway.sandbox.avatar.face import drawn
from tests.bench.targets import cpu_seconds
from tests.sandboxed import Sandbox, sandboxed
from tests.serving import ROOT

PAGE_KB = os.sysconf("SC_PAGE_SIZE") / 1024


@dataclass(frozen=True, slots=True)
class Held:
    """What a process holds."""

    tasks: int
    descriptors: int
    kilobytes: float
    """Resident."""


def held(tasks: int, pid: int) -> Held:
    """The rest of it, from outside."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return Held(tasks, len(list(Path(f"/proc/{pid}/fd").iterdir())), pages * PAGE_KB)


@dataclass
class Counted:
    """The sandbox's process."""

    sandbox: Sandbox
    pid: int
    _asks: IO[str]
    _answers: IO[str]

    def held(self) -> Held:
        """What it holds now, rubbish collected."""
        self._asks.write("\n")
        self._asks.flush()
        return held(int(self._answers.readline()), self.pid)

    def cpu(self) -> float:
        """Seconds of processor time so far."""
        return cpu_seconds(self.pid)


@contextlib.contextmanager
def counted() -> Iterator[Counted]:
    """The process, until this is left."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.bench.counted"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin and process.stdout
        if not (url := process.stdout.readline().strip()):
            raise RuntimeError("The sandbox did not start; standard error says why.")
        try:
            yield Counted(Sandbox(url), process.pid, process.stdin, process.stdout)
        finally:
            process.stdin.close()
            process.wait(15)


async def main() -> None:
    """Serve, and answer."""
    loop = asyncio.get_running_loop()
    await asyncio.to_thread(drawn)  # as a sandbox's process does beside its start
    async with sandboxed() as sandbox:
        print(sandbox.url, flush=True)
        while await loop.run_in_executor(None, sys.stdin.readline):
            gc.collect()
            print(len(asyncio.all_tasks()), flush=True)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
