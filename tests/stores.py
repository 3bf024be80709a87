"""Real servers for the store: the packaged Valkey, and Debian's redis-server where it is installed."""

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from gateway import store
from gateway.settings import Settings
from gateway.store import Store, embedded
from gateway.types import Quota, Rate
from gateway.types.knowledge import Ingesting, IngestJob

ROOT = Path(__file__).resolve().parents[1]
HELD = Quota("agent:held", Rate(streams=3))
INGESTED = IngestJob("job_0123456789abcdef", "running", 1.0, None, (Ingesting("lighthouse"),), (), (), "")
KINDS = ("valkey", "redis")


def program(kind: str) -> str:
    """The server's path; skips the test where Debian's is not installed."""
    if kind == "valkey":
        return str(embedded.binary())
    found = shutil.which("redis-server")
    if found is None:
        pytest.skip("redis-server is not installed (apt install redis-server)")
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Server:
    """One server on a port of 127.0.0.1, with its data in `directory`."""

    def __init__(self, kind: str, directory: Path, *arguments: str) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._argv = [
            *(program(kind), "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(directory)),
            *("--save", "", "--appendonly", "yes", "--appendfsync", "everysec", *arguments),
        ]
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, *arguments: str) -> None:
        """Start it, and return when it answers."""
        self.process = subprocess.Popen([*self._argv, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 10
        while True:
            try:
                self.say("PING")
            except redis.exceptions.BusyLoadingError:
                return
            except redis.exceptions.RedisError:
                assert time.monotonic() < deadline, "the server does not answer"
                time.sleep(0.01)
            else:
                return

    def kill(self) -> None:
        """SIGKILL, and wait for its end."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def restart(self) -> None:
        """Kill it and start it again, with what it has written."""
        self.kill()
        self.start()

    def pause(self) -> None:
        """It stays connected and answers nothing."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def say(self, *command: str | int) -> Any:
        """A command, past the gateway."""
        with redis.Redis(
            port=self.port, decode_responses=True, socket_timeout=5, retry=Retry(NoBackoff(), 0)
        ) as client:
            return client.execute_command(*command)


@contextlib.contextmanager
def running(kind: str, directory: Path, *arguments: str) -> Iterator[Server]:
    server = Server(kind, directory, *arguments)
    server.start()
    try:
        yield server
    finally:
        server.kill()


@pytest.fixture(params=KINDS)
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    """A server of each kind, empty."""
    directory = tmp_path / "server"
    directory.mkdir()
    with running(request.param, directory) as started:
        yield started


def settings(var: Path, url: str = "", timeout: float = 0.05, days: int = 30) -> Settings:
    given = Settings(var=var, redis_url=url)
    return replace(given, store=replace(given.store, timeout=timeout, kept_days=days))


@contextlib.asynccontextmanager
async def opened(
    server: Server, var: Path, *, lease: float = 30.0, limit: float = 2.0, missed: float = 5.0, days: int = 30
) -> AsyncIterator[Store]:
    """A store on `server`, as a process with `var` has it; there, unless the server is not.

    `limit` is `store.timeout`: long, where a busy machine must not count as a slow store; `days`, `store.kept_days`.
    """
    async with store.opened(settings(var, server.url, limit, days), lease=lease, missed=missed) as given:
        if server.process is not None:
            assert await given.reached(5)
        yield given


@contextlib.contextmanager
def worker(
    var: Path, url: str = "", *, lease: float = 30.0, streams: int = 0, missed: float = 5.0
) -> Iterator[tuple[int, str]]:
    """A process with a store of its own, killed at the end: its pid, and the key that it has made.

    It holds so many places of `HELD`, and ingests `INGESTED`.
    """
    argv = [sys.executable, "-m", "tests.stores", str(var), url, str(lease), str(streams), str(missed)]
    process = subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    try:
        yield process.pid, process.stdout.readline().strip()
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


async def _hold(var: Path, url: str, lease: float, streams: int, missed: float) -> None:
    async with store.opened(settings(var, url, 1.0), lease=lease, missed=missed) as given:
        assert await given.reached(10)
        made = await given.keys.create(name="a worker's")
        for _ in range(streams):
            assert (await given.admit([HELD])).allowed
        await given.ingests.begin(INGESTED)
        sys.stdout.write(f"{made.text}\n")
        sys.stdout.flush()
        await asyncio.sleep(60)


async def until(true: Callable[[], bool], seconds: float = 5.0) -> float:
    """Wait until it is true; how long that took."""
    began = time.monotonic()
    while not true():
        assert time.monotonic() - began < seconds, "it did not become true in time"
        await asyncio.sleep(0.005)
    return time.monotonic() - began


def alive(pid: int) -> bool:
    """Whether the process runs; a zombie does not."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


if __name__ == "__main__":
    asyncio.run(_hold(Path(sys.argv[1]), sys.argv[2], float(sys.argv[3]), int(sys.argv[4]), float(sys.argv[5])))
