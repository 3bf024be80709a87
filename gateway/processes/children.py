"""A child process that is started, awaited, restarted when it dies, and stopped with all its descendants."""

import asyncio
import contextlib
import logging
import os
import signal
import sys
import time
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from gateway.errors import GatewayError

_GUARD = (sys.executable, "-I", "-S", str(Path(__file__).with_name("guard.py")))
_LINES_KEPT = 12
_LINE_LIMIT = 4000
_POLL = 0.05


class ChildError(GatewayError):
    """A child could not be started. The message holds its last lines."""

    code = "child_failed"


@dataclass(frozen=True, slots=True)
class Child:
    """What to run, how to know that it serves, and how long everything may take. Durations are seconds."""

    name: str
    argv: Sequence[str]
    health: Callable[[], Awaitable[bool]]
    """Does it serve? Asked until it says yes. An OSError means no."""
    env: Mapping[str, str] | None = None
    """Its whole environment; None: this process's own."""
    start_timeout: float = 30.0
    stop_timeout: float = 5.0
    """From SIGTERM to SIGKILL."""
    backoff: float = 0.2
    """Before the first restart; doubled for each that follows."""
    backoff_limit: float = 30.0
    steady: float = 30.0
    """A child that served for so long before it died is restarted as if it were the first time."""
    log: logging.Logger = field(default_factory=lambda: logging.getLogger("gateway.processes"))
    level: int = logging.INFO
    """What its output is logged at."""
    hears: Callable[[], Callable[[str], None]] | None = None
    """Called at each start for who is given the lines of its output, as they are logged."""


@dataclass(slots=True)
class Process:
    """The running child, as its supervisor sees it."""

    group: int = 0
    """Its process group, and the pid of the guard that leads it; another one after a restart."""
    ready: bool = False
    """It serves. False while it is being restarted."""
    restarts: int = 0
    life: "Life | None" = field(default=None, repr=False)
    """None while it does not run."""


@asynccontextmanager
async def supervised(child: Child) -> AsyncGenerator[Process, None]:
    """Run `child` for the length of the block, which is entered once it serves. Raises ChildError."""
    process = Process()
    await _start(child, process)
    keeper = asyncio.create_task(_keep(child, process), name=f"keep {child.name}")
    try:
        yield process
    finally:
        keeper.cancel()
        try:
            with contextlib.suppress(asyncio.CancelledError):
                await keeper
        finally:
            await _stop(child, process)


class _Output(asyncio.Protocol):
    """Both output streams of a child: every line is logged, the last ones are kept for the error message."""

    def __init__(self, child: Child) -> None:
        self.last: deque[str] = deque(maxlen=_LINES_KEPT)
        self.ended = asyncio.Event()
        self._child = child
        self._heard = child.hears() if child.hears else None
        self._rest = b""

    def data_received(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._said(line)
        if len(self._rest) > _LINE_LIMIT:
            self._said(self._rest)
            self._rest = b""

    def connection_lost(self, exc: Exception | None) -> None:
        del exc  # the end of a pipe, whatever the reason
        self._said(self._rest)
        self.ended.set()

    def _said(self, line: bytes) -> None:
        text = line.decode(errors="replace").rstrip()[:_LINE_LIMIT]
        if text:
            self.last.append(text)
            self._child.log.log(self._child.level, "%s: %s", self._child.name, text)
            if self._heard is not None:
                self._heard(text)


@dataclass(slots=True)
class Life:
    """From one start of a child to its end."""

    guard: asyncio.subprocess.Process
    lifeline: int
    """Write end of the guard's standard input. No other child inherits it: Python opens with O_CLOEXEC."""
    output: _Output
    pipe: asyncio.ReadTransport
    since: float


async def _start(child: Child, process: Process) -> None:
    """Spawn it and wait until it serves."""
    running = await _spawn(child)
    process.life = running
    process.group = running.guard.pid
    try:
        await _serving(child, running)
        process.ready = True
    finally:
        if not process.ready:
            await _stop(child, process)


async def _spawn(child: Child) -> Life:
    loop = asyncio.get_running_loop()
    stdin, lifeline = os.pipe()
    heard, said = os.pipe()
    output = _Output(child)
    pipe, _ = await loop.connect_read_pipe(lambda: output, os.fdopen(heard, "rb", buffering=0))
    try:
        guard = await asyncio.create_subprocess_exec(
            *_GUARD, *child.argv, stdin=stdin, stdout=said, stderr=said, env=child.env, start_new_session=True
        )
    except OSError as error:
        os.close(lifeline)
        pipe.close()
        raise ChildError(f"{child.name} cannot be started: {error}") from error
    finally:
        os.close(stdin)
        os.close(said)
    return Life(guard, lifeline, output, pipe, time.monotonic())


async def _serving(child: Child, running: Life) -> None:
    """Return once `health` says yes; raise ChildError where the child ends, or takes too long, before."""
    ended = asyncio.create_task(running.guard.wait())
    healthy = asyncio.create_task(_healthy(child.health))
    try:
        await asyncio.wait({ended, healthy}, timeout=child.start_timeout, return_when=asyncio.FIRST_COMPLETED)
        if ended.done():
            await _drained(running)
            raise _failed(child, running, f"ended with status {ended.result()} before it served")
        if not healthy.done():
            raise _failed(child, running, f"did not serve within {child.start_timeout:g} s")
        healthy.result()
    finally:
        ended.cancel()
        healthy.cancel()
        await asyncio.gather(ended, healthy, return_exceptions=True)


async def _healthy(health: Callable[[], Awaitable[bool]]) -> None:
    while True:
        with contextlib.suppress(OSError):
            if await health():
                return
        await asyncio.sleep(_POLL)


def _failed(child: Child, running: Life, why: str) -> ChildError:
    said = "\n".join(f"  {line}" for line in running.output.last) or "  (it said nothing)"
    return ChildError(f"{child.name} {why}. Its last lines:\n{said}")


async def _keep(child: Child, process: Process) -> None:
    """Start the child again whenever it dies, at growing distances."""
    delay = child.backoff
    while True:
        if (running := process.life) is not None:
            status = await running.guard.wait()
            await _stop(child, process)
            if time.monotonic() - running.since >= child.steady:
                delay = child.backoff
            child.log.warning("%s ended with status %s; next start in %g s", child.name, status, delay)
        await asyncio.sleep(delay)
        delay = min(delay * 2, child.backoff_limit)
        process.restarts += 1
        try:
            await _start(child, process)
        except ChildError as error:
            child.log.warning("%s\n%s: next start in %g s", error, child.name, delay)


async def _stop(child: Child, process: Process) -> None:
    """SIGTERM, then SIGKILL, to the whole group. The group outlives its leader where a grandchild does."""
    running, process.life, process.ready = process.life, None, False
    if running is None:
        return
    group = running.guard.pid
    try:
        if running.guard.returncode is None:
            _signal(group, signal.SIGTERM)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(running.guard.wait(), child.stop_timeout)
    finally:
        _signal(group, signal.SIGKILL)
        os.close(running.lifeline)
        await running.guard.wait()
        await _drained(running)
        running.pipe.close()


async def _drained(running: Life) -> None:
    """Wait for what was written before the end; a descendant that left the group may hold the pipe open."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(running.output.ended.wait(), 0.5)


def _signal(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):  # nobody left; macOS says so with EPERM
        os.killpg(group, number)
