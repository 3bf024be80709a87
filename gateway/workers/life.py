"""One worker from its start to its end: a program of its own, watched, and ended where it stands still."""

import asyncio
import logging
import signal
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from gateway.workers import words
from gateway.workers.folder import Folder
from gateway.workers.link import Link
from gateway.workers.words import Handed

logger = logging.getLogger("gateway.workers")


@dataclass(frozen=True, slots=True)
class Plan:
    """What is run. The last argument of each worker's command line is its `Handed`."""

    argv: Sequence[str]
    environ: Mapping[str, str]
    """The whole environment."""
    sockets: Sequence[socket.socket]
    """They listen already; every worker inherits them, so that there is one queue of callers."""
    folder: Folder
    count: int


@dataclass(frozen=True, slots=True)
class Pace:
    """How long things may take. Durations are seconds."""

    start: float = 120.0
    """Until a worker serves."""
    silence: float = 10.0
    """Without a beat, after which a worker's event loop stands still."""
    evidence: float = 2.0
    """From SIGABRT, at which it writes down where it stands, to SIGKILL."""
    backoff: float = 0.5
    """Between the second death in a row and the start after it (after the first there is none); doubled each time."""
    longest: float = 10.0
    steady: float = 30.0
    """A worker that served for so long before it died is started again as if it were the first time."""


USUAL = Pace()
LATE = 0.5
"""Seconds after which a look is late."""


class Life:
    """A worker's process. `over` is done when it has ended, and is its exit status: -N where signal N ended it."""

    def __init__(
        self,
        number: int,
        process: asyncio.subprocess.Process,
        end: socket.socket,
        pace: Pace,
        asked: Callable[["Life"], None],
    ) -> None:
        self.number = number
        self.began = self._since = time.monotonic()
        self.ready = asyncio.Event()
        self._process = process
        self._pace = pace
        self._asked = asked
        self._link = Link(end, self._said, lambda: None)
        self._timer: asyncio.TimerHandle | None = None
        self._look()
        self.over = asyncio.create_task(self._followed(), name=f"worker {number}")

    def __str__(self) -> str:
        return f"worker {self.number} (process {self._process.pid})"

    @property
    def age(self) -> float:
        """Seconds since its start."""
        return time.monotonic() - self.began

    def say(self, word: bytes) -> None:
        """Say a word of `words` to it. One that does not serve yet does not hear END before it would: it is ended."""
        self._link.say(word)
        if word in {words.END, words.LEAVE} and not self.ready.is_set():
            self._signalled(signal.SIGTERM)

    async def served(self) -> bool:
        """Wait until it serves, or has ended; whether it serves."""
        ready = asyncio.create_task(self.ready.wait())
        try:
            await asyncio.wait({ready, self.over}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            ready.cancel()
        return not self.over.done()

    async def _followed(self) -> int:
        try:
            return await self._process.wait()
        finally:
            self._link.close()
            if self._timer is not None:
                self._timer.cancel()

    def _said(self, word: bytes) -> None:
        if word == words.READY:
            self.ready.set()
        if self.ready.is_set():
            self._since = time.monotonic()
        if word == words.READY:
            if self._timer is not None:
                self._timer.cancel()
            self._look()
        elif word == words.ASKED:
            self._asked(self)

    def _look(self) -> None:
        """Look again and again whether it is alive.

        Who comes late to a look stood still himself, and perhaps the whole machine: what was said meanwhile may not be
        read yet, and what was to be done not be done. Then all the time begins anew.
        """
        loop = asyncio.get_running_loop()
        if self._timer is not None and not self._timer.cancelled() and loop.time() - self._timer.when() > LATE:
            self._since = time.monotonic()
        silence = time.monotonic() - self._since
        limit = self._pace.silence if self.ready.is_set() else self._pace.start
        if silence < limit:
            self._timer = loop.call_later(min(limit / 4, limit - silence + 0.01), self._look)
            return
        why = "its event loop stands still for" if self.ready.is_set() else "it does not serve after"
        logger.error("%s is killed: %s %.1f s; where it stands follows", self, why, silence)
        self._signalled(signal.SIGABRT)
        self._timer = loop.call_later(self._pace.evidence, self._signalled, signal.SIGKILL)

    def _signalled(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            self._process.send_signal(number)


async def begun(plan: Plan, pace: Pace, number: int, asked: Callable[[Life], None], *, first: bool) -> Life:
    """Start worker `number`. `asked` is called where somebody asks it alone to end. Raises OSError.

    It leads a process group of its own: Ctrl-C at a terminal is for the supervisor, who passes it on.
    """
    ours, theirs = socket.socketpair()
    try:
        sockets = [each.fileno() for each in plan.sockets]
        handed = Handed(number, str(plan.folder.path), sockets, theirs.fileno(), [plan.folder.lock], first)
        process = await asyncio.create_subprocess_exec(
            *plan.argv,
            handed.written(),
            env=plan.environ,
            stdin=asyncio.subprocess.DEVNULL,
            pass_fds=(*sockets, theirs.fileno(), plan.folder.lock),
            process_group=0,
        )
    except BaseException:
        ours.close()
        raise
    finally:
        theirs.close()
    return Life(number, process, ours, pace, asked)


def ending(status: int) -> str:
    """An exit status in words."""
    if status >= 0:
        return f"ended with status {status}"
    with suppress(ValueError):
        return f"was ended by {signal.Signals(-status).name}"
    return f"was ended by signal {-status}"
