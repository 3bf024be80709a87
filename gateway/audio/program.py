"""A program that is asked over pipes: one process for all who ask, one question at a time.

A model's work is a process's so that nothing else waits for it, and one process's whoever asks, so that memory is held
once. It is started when it is needed, killed when an answer does not come, and started again after it died.

It reads questions from its standard input, whose end is its own; it writes, for each of them and once at its start, a
length in four bytes (little-endian) and so many bytes of answer.
"""

import logging
import os
import select
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from importlib.util import find_spec
from threading import Timer
from typing import IO

logger = logging.getLogger("gateway.audio")
START_S, ANSWER_S = 15.0, 10.0
"""Seconds for its start and for an answer; then it is killed."""
REST_S = 60.0
"""Seconds in which it is not tried again after it did not start."""
LARGEST = 1 << 23
"""Bytes of an answer."""


class NoAnswer(Exception):
    """It does not start, or died twice of one question, or was closed: in a clause, why."""


class _Dead(Exception):
    """The process has ended, or does not answer."""


def python(module: str, *arguments: object) -> tuple[str, ...]:
    """The command that runs a module of ours as a program."""
    return (sys.executable, "-P", "-m", module, *map(str, arguments))


class Program:
    """Who asks gets the answer or `NoAnswer`; a question that was cancelled while it waited is not asked."""

    def __init__(
        self, command: tuple[str, ...], *, needs: tuple[str, ...], name: str, without: str, answer_s: float = ANSWER_S
    ) -> None:
        """`needs`: modules without which it is not started. The log says `name`, and what becomes of it `without`."""
        self._command = command
        self._needs = needs
        self._name = name
        self._without = without
        self._answer_s = answer_s
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name.replace(" ", "-"))
        self._process: subprocess.Popen[bytes] | None = None
        self._rests_until = 0.0
        self._why = ""
        self._closed = False

    @property
    def pid(self) -> int | None:
        """The process's; None: none runs."""
        return self._process.pid if self._process else None

    @property
    def lacks(self) -> str:
        """A module that it needs and that is not installed; empty: there is none."""
        return next((module for module in self._needs if find_spec(module) is None), "")

    def asked(self, question: bytes) -> Future[bytes]:
        """The answer, when it is its turn; or `NoAnswer`."""
        try:
            return self._thread.submit(self._answered, question)
        except RuntimeError:  # closed
            refused: Future[bytes] = Future()
            refused.set_exception(NoAnswer("it was closed"))
            return refused

    def warm(self) -> None:
        """Start it, if it does not run; returns at once."""
        if not self._closed:
            self._thread.submit(self._started)

    def close(self) -> None:
        """End it, and what waits for it."""
        self._closed = True
        process = self._process
        if process is not None:
            process.kill()  # nobody waits for an answer
        self._thread.shutdown()
        self._end()

    def _answered(self, question: bytes) -> bytes:
        for _ in range(2):
            process = self._started()
            if process is None:
                raise NoAnswer("it was closed" if self._closed else self._why)
            try:
                return _answer(process, question, self._answer_s)
            except _Dead:
                self._end()
        if self._closed:
            raise NoAnswer("it was closed")
        logger.warning("%s died twice of one question: %s", self._name, self._without)
        raise NoAnswer("it died twice of one question")

    def _started(self) -> subprocess.Popen[bytes] | None:
        if self._process is not None and self._process.poll() is None:
            return self._process
        self._end()
        if self._closed or time.monotonic() < self._rests_until:
            return None
        if self.lacks:
            self._rest(f"{self.lacks} is not installed")
            return None
        # A group of its own: Ctrl-C at a terminal is for who asks, and the pipe's end is for this.
        self._process = subprocess.Popen(  # noqa: S603 our own program
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, process_group=0
        )
        if self._closed:  # meanwhile: nobody else will kill it
            self._process.kill()
        try:
            _answer(self._process, b"", START_S)
        except _Dead:
            self._rest(f"its program ended with status {self._end()}")
            return None
        return self._process

    def _rest(self, why: str) -> None:
        self._why = why
        self._rests_until = time.monotonic() + REST_S
        if not self._closed:
            logger.warning("%s does not start (%s): %s", self._name, why, self._without)

    def _end(self) -> int | None:
        process, self._process = self._process, None
        if process is None:
            return None
        process.kill()
        for pipe in (process.stdin, process.stdout):
            assert pipe is not None
            try:
                pipe.close()
            except BrokenPipeError:  # what was not written any more
                continue
        return process.wait()


def _answer(process: subprocess.Popen[bytes], asked: bytes, within: float) -> bytes:
    """Ask, and read the answer; `_Dead` where none comes in time, for then it is killed."""
    assert process.stdin is not None
    assert process.stdout is not None
    late = Timer(within, process.kill)
    late.daemon = True
    late.start()
    try:
        process.stdin.write(asked)
        process.stdin.flush()
        (size,) = struct.unpack("<I", _exactly(process.stdout, 4))
        if size > LARGEST:
            raise _Dead
        return _exactly(process.stdout, size)
    except OSError:
        raise _Dead from None
    finally:
        late.cancel()


def _exactly(pipe: IO[bytes], size: int) -> bytes:
    found = pipe.read(size)
    if len(found) < size:
        raise _Dead
    return found


class Asked:
    """The program's own side: the questions that come, and where the answers go."""

    def __init__(self) -> None:
        self._out: IO[bytes] = os.fdopen(os.dup(1), "wb", buffering=0)
        os.dup2(2, 1)  # what a library prints is no answer

    def answer(self, found: bytes = b"") -> None:
        """Write an answer; an empty one at the start says that it can be asked."""
        left = memoryview(struct.pack("<I", len(found)) + found)
        while left:
            left = left[self._out.write(left) :]

    def lines(self, idle: float) -> Iterator[bytes]:
        """One line a question, until the input ends or nobody asked for so many seconds."""
        while select.select([0], [], [], idle)[0] and (line := sys.stdin.buffer.readline()):
            yield line

    def rest(self, size: int) -> bytes:
        """What follows a question's line; shorter, when who asked is gone."""
        return sys.stdin.buffer.read(size)
