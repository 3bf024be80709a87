"""A Chroma server for tests: chromadb's own program, on loopback, in a directory that outlives it."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from gateway.retrieval.library import Library, library

PROGRAM = Path(sys.executable).with_name("chroma")


class Chroma:
    """A server that can be killed, stopped and started again at the same URL."""

    def __init__(self, data: Path) -> None:
        self.data = data
        with socket.socket() as one:
            one.bind(("127.0.0.1", 0))
            self.port = int(one.getsockname()[1])
        self.url = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Return once it answers."""
        command = [str(PROGRAM), "run", "--host", "127.0.0.1", "--port", str(self.port), "--path", str(self.data)]
        self._process = subprocess.Popen(
            command, env={"PATH": os.defpath}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 20
        while not self._answers():
            assert self._process.poll() is None, "chroma run ended"
            assert time.monotonic() < deadline, "chroma run does not answer"
            time.sleep(0.02)

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/api/v2/heartbeat", timeout=1, trust_env=False).is_success
        except httpx.HTTPError:
            return False

    def kill(self) -> None:
        """SIGKILL, where it runs."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def hold(self) -> None:
        """It accepts connections and says nothing, until it is let go."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def release(self) -> None:
        """It goes on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def library(self, var: Path) -> Library:
        """What a gateway with this `var` has of it; to be closed."""
        return library(var, self.url)


@contextmanager
def chroma(data: Path) -> Iterator[Chroma]:
    """A server that runs, and is killed at the end."""
    server = Chroma(data)
    server.start()
    try:
        yield server
    finally:
        server.kill()
