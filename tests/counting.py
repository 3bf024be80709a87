"""`python -m tests.counting FOLDER NUMBER`: a process that counts turns as a worker of a gateway does.

It reads one command a line, and answers each with a line of JSON: `turns 5`, `streams 5`, `scrape`. It ends when there
are no more.
"""

import asyncio
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import orjson

from gateway.observe.metrics import Known, Metrics
from gateway.observe.present import NOTHING, Reading
from gateway.observe.shared import shared
from gateway.types import Attempted, Turn, Worker
from tests.scraped import Scraped, read
from tests.serving import ROOT


class Counting:
    """Such a process, as its tests have it."""

    def __init__(self, folder: Path, number: int) -> None:
        command = [sys.executable, "-m", "tests.counting", str(folder), str(number)]
        self._process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def told(self, command: str) -> Any:
        """What it answers."""
        self.begun(command)
        return self.answer()

    def begun(self, command: str) -> None:
        """It does it; nobody waits."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{command}\n".encode())
        self._process.stdin.flush()

    def answer(self) -> Any:
        """To the oldest command that was begun."""
        assert self._process.stdout is not None
        return orjson.loads(self._process.stdout.readline())

    def scraped(self) -> Scraped:
        """Its metrics."""
        self.begun("scrape")
        return self.answered()

    def answered(self) -> Scraped:
        """Its metrics, when a scrape was begun."""
        return read(self.answer())

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        self._process.send_signal(signal.SIGKILL)
        self._closed()

    def leave(self) -> None:
        """It ends as a worker does that may finish."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        self._closed()

    def _closed(self) -> None:
        self._process.wait(10)
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            with suppress(BrokenPipeError):
                pipe.close()


@contextmanager
def counting(folder: Path, *numbers: int) -> Iterator[list[Counting]]:
    """Workers with these numbers, each of which counts; those that are still there leave at the end."""
    workers = [Counting(folder, number) for number in numbers]
    try:
        for each in workers:
            each.told("turns 0")
        yield workers
    finally:
        for each in workers:
            each.leave()


def turn() -> Turn:
    """One that failed over, and was answered."""
    attempts = [Attempted("main/first", "upstream_timeout", 50.0), Attempted("main/second", "", 120.0, "fallback")]
    timings = {"retrieve": 3.0, "upstream": 120.0, "ttft": 125.0, "total": 900.0}
    usage = {"prompt_tokens": 100, "completion_tokens": 32}
    known: dict[str, Any] = {"agent": "nora", "route": "main", "target": "main/second", "phase": "done"}
    return Turn("req_1", 0.0, 0.0, **known, attempts=attempts, timings=timings, usage=usage)


async def served(worker: Worker, commands: IO[str]) -> None:
    """Do what it is told."""
    now = NOTHING

    def reading() -> Reading:
        return now

    known = Known(lambda: {"nora"}, lambda: {"main"}, lambda: {"main/first", "main/second"})
    async with shared(worker) as place:
        metrics = Metrics(known, reading, "1.2.3", place)
        noting = asyncio.create_task(metrics.noted())
        while words := (await asyncio.to_thread(commands.readline)).split():
            answer: Any = None
            match words:
                case ["turns", count]:
                    for _ in range(int(count)):
                        metrics.turned(turn())
                case ["streams", count]:
                    now = NOTHING._replace(streams=int(count))
                    answer = now.streams
                case ["scrape"]:
                    answer = metrics.exposed("")[0].decode()
            sys.stdout.buffer.write(orjson.dumps(answer) + b"\n")
            sys.stdout.flush()
        noting.cancel()


if __name__ == "__main__":
    asyncio.run(served(Worker(int(sys.argv[2]), Path(sys.argv[1])), sys.stdin))
