"""Programs that are killed and started again at the same address while others rely on them."""

import asyncio
import contextlib
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

from gateway.cli.serve import HANDED
from gateway.processes import guard
from tests.bench.targets import family, free_port
from tests.serving import ROOT

WITHIN = 10.0
"""Seconds until a program must answer."""


class Program:
    """A program that listens on a port of 127.0.0.1. It is killed with this process, however that ends."""

    def __init__(self, command: Sequence[str], port: int) -> None:
        self.port = port
        self._command = [sys.executable, "-I", "-S", str(guard.__file__), *command]
        self._running: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start it, and wait until it accepts connections."""
        self._running = await asyncio.create_subprocess_exec(
            *self._command,
            cwd=ROOT,
            env={"PATH": f"{os.defpath}:/usr/local/bin"},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )
        deadline = time.monotonic() + WITHIN
        while time.monotonic() < deadline and self._running.returncode is None:
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                writer.close()
                return
            await asyncio.sleep(0.02)
        raise RuntimeError(f"{self._command[4:]} does not answer (status {self._running.returncode}).")

    async def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        if self._running is not None:
            self.signalled(signal.SIGKILL)
            await self._running.wait()
            self._running = None

    def signalled(self, number: signal.Signals) -> None:
        """Send a signal to the program and to what watches it."""
        if self._running is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._running.pid, number)


@contextlib.asynccontextmanager
async def _running(command: Callable[[int], Sequence[str]]) -> AsyncIterator[Program]:
    port = free_port()
    program = Program(command(port), port)
    try:
        await program.start()
        yield program
    finally:
        await program.kill()


@contextlib.asynccontextmanager
async def upstream_process(*, chunks: int, first: float, gap: float) -> AsyncIterator[Program]:
    """The scripted upstream as a process of its own, at `http://127.0.0.1:{port}/v1`."""
    pace = ["--chunks", str(chunks), "--first", str(first), "--gap", str(gap)]
    # The guard's interpreter is isolated; this one finds the tests in its working directory.
    async with _running(lambda port: [sys.executable, "-m", "tests.upstream", "--port", str(port), *pace]) as program:
        yield program


def redis_program() -> str | None:
    """Path of Debian's redis-server, if it is installed."""
    return shutil.which("redis-server", path=f"{os.defpath}:/usr/local/bin")


@contextlib.asynccontextmanager
async def redis_process() -> AsyncIterator[Program]:
    """Debian's redis-server at `redis://127.0.0.1:{port}/0`, keeping what it is told across a kill."""
    with tempfile.TemporaryDirectory(prefix="redis-") as place:
        kept = ["--dir", str(Path(place)), "--appendonly", "yes", "--save", ""]
        async with _running(
            lambda port: [redis_program() or "redis-server", "--port", str(port), "--bind", "127.0.0.1", *kept]
        ) as program:
            yield program


class EmbeddedStore:
    """The store that a gateway process has started, and starts again by itself when it is killed."""

    def __init__(self, gateway: int) -> None:
        self._gateway = gateway

    async def kill(self) -> None:
        """SIGKILL."""
        (store,) = (member for member in family(self._gateway) if _runs(member) == "valkey-server")
        os.kill(store, signal.SIGKILL)

    async def start(self) -> None:
        """Nothing to do: the gateway does it."""


def gateways(pid: int) -> dict[str, int]:
    """A gateway's own processes by a name: it alone, or the supervisor and its workers."""
    commands = {member: Path(f"/proc/{member}/cmdline").read_bytes().split(b"\0") for member in family(pid)}
    workers = [member for member, command in commands.items() if HANDED.encode() in command]
    if not workers:
        return {"gateway": pid}
    return {"supervisor": pid, **{f"worker {number}": member for number, member in enumerate(workers, 1)}}


def _runs(pid: int) -> str:
    """The name of the program that a process runs; empty where it is gone."""
    try:
        return Path(f"/proc/{pid}/exe").readlink().name
    except OSError:
        return ""
