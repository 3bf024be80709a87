"""What is tested, on real sockets: an application in this loop, or the gateway as a process of its own."""

import asyncio
import contextlib
import os
import re
import secrets
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any

import uvicorn
from starlette.applications import Starlette

from gateway.http.protocol import Wire, listening
from gateway.settings import Settings

ROOT = Path(__file__).resolve().parents[1]
WORDS = 4000
"""Characters of a log that an error quotes."""
SERVING = re.compile(r"serving on (http://\S+)")


class Prompt(uvicorn.Server):
    """uvicorn looks ten times a second whether it is to end; hundreds of tests need not wait for that."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.over = asyncio.Event()

    async def main_loop(self) -> None:
        """Until it is over; the tick sets the date in the headers."""
        await self.on_tick(0)
        await self.over.wait()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Ctrl-C ends a test."""
        super().handle_exit(sig, frame)
        self.over.set()


@contextlib.asynccontextmanager
async def serve(app: Any, *, grace: int = 5, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[str]:
    """Serve an ASGI application with uvicorn in this loop; its URL, without a slash at the end.

    Leaving ends it as SIGTERM does: what runs may finish within `grace` seconds, then the lifespan ends.
    """
    with listening() as listener:
        listener.bind((host, port))
        config = uvicorn.Config(
            app,
            http=Wire,
            proxy_headers=False,
            server_header=False,
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=grace,
        )
        server = Prompt(config)
        running = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            while not server.started and not running.done():  # noqa: ASYNC110 uvicorn has no event for it
                await asyncio.sleep(0.002)
            if running.done():
                await running
                raise RuntimeError("The application did not start; its log says why.")
            yield f"http://{host}:{listener.getsockname()[1]}"
        finally:
            server.over.set()
            await running


def seen(app: Starlette) -> list[Any]:
    """What the endpoints of an application see: its lifespan's state, once it is served."""
    states: list[Any] = []
    inner = app.router.lifespan_context

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[Any]:
        async with inner(app) as state:
            states.append(state)
            yield state

    app.router.lifespan_context = lifespan
    return states


class Gateway:
    """A gateway process: where it serves and what it wrote."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        self.url = ""
        self.lines: list[str] = []
        self._found = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def log(self) -> str:
        """Everything it wrote to standard output and standard error so far."""
        return "".join(self.lines)

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line)
            if not self.url and (match := SERVING.search(line)):
                self.url = match[1].rstrip("/")
                self._found.set()
        self._found.set()

    def wait_until_ready(self, within: float) -> None:
        """Return once `/readyz` says 200."""
        deadline = time.monotonic() + within
        self._found.wait(within)
        while self.url and self.process.poll() is None and time.monotonic() < deadline:
            if self._ready():
                return
            time.sleep(0.02)
        status = self.process.poll()
        became = f"is not ready after {within:g} s" if status is None else f"ended with status {status}"
        raise RuntimeError(f"The gateway {became}. Its last words:\n{self.log[-WORDS:]}")

    def _ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=2) as answer:
                return bool(answer.status == 200)
        except OSError:  # refused, reset, too slow, or 503
            return False

    def stop(self, within: float) -> int:
        """SIGTERM, and SIGKILL to its group when it does not end; the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(within)
        except subprocess.TimeoutExpired as slow:
            self.process.send_signal(signal.SIGABRT)  # PYTHONFAULTHANDLER: every thread's stack into the log
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(2)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self._reader.join(2)
            last = f"Its last words:\n{self.log[-WORDS:]}"
            raise RuntimeError(f"SIGTERM did not end the gateway in {within:g} s. {last}") from slow
        finally:
            self._reader.join(5)
            assert self.process.stdout is not None
            self.process.stdout.close()
        return status


def unnoticed(config: str) -> str:
    """The same settings with `server.drain_notice = 0`, where they do not name it."""
    if "drain_notice" in config:
        return config
    table = re.sub(r"^\s*\[server\]\s*$", "[server]\ndrain_notice = 0", config, count=1, flags=re.MULTILINE)
    return table if table != config else f"server.drain_notice = 0\n{config}"


@contextlib.contextmanager
def gateway_process(
    config: str = "",
    environ: Mapping[str, str] | None = None,
    *,
    arguments: Sequence[str] = (),
    directory: Path = ROOT,
    within: Callable[[Sequence[str]], Sequence[str]] = lambda command: command,
    ready_within: float = 60.0,
    stop_within: float = 15.0,
) -> Iterator[Gateway]:
    """Run `python -m gateway serve` on a free port until it is ready, and stop it with SIGTERM.

    `config` is the text of its TOML file, which lies in a temporary directory; relative paths in it are
    relative to that, so name prompts and knowledge absolutely (`ROOT / "prompts"`). The environment is only `environ`;
    `GATEWAY_VAR` is the temporary directory unless it is in there. Unless `config` says otherwise, SIGTERM gives load
    balancers no notice: nothing would be served meanwhile, and every test would wait for it. `within` puts another
    command in front of it, which must become it.
    """
    with tempfile.TemporaryDirectory(prefix="gateway-") as place:
        file = Path(place, "gateway.toml")
        file.write_text(unnoticed(config), encoding="utf-8")
        served = ["serve", "--config", str(file), "--port", "0", *arguments]
        gateway = Gateway(
            subprocess.Popen(
                within([sys.executable, "-m", "gateway", *served]),
                cwd=directory,
                env={
                    "PATH": os.defpath,
                    "PYTHONUNBUFFERED": "1",
                    "PYTHONFAULTHANDLER": "1",
                    "GATEWAY_VAR": place,
                    **(environ or {}),
                },
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                encoding="utf-8",
                errors="replace",
                start_new_session=True,
            )
        )
        try:
            gateway.wait_until_ready(ready_within)
            yield gateway
        finally:
            gateway.stop(stop_within)


class Shared:
    """A store that the gateways of one test run share, each with a prefix of its own: to start one costs a tenth of a
    second, and most tests are about something else. Empty: each gateway has its own."""

    url = ""


PATIENT = 1.0
"""Seconds for an answer of the shared store: a busy machine must not count as a store that is away."""


def sharing(settings: Settings) -> Settings:
    """The settings with the shared store in the place of one of the gateway's own."""
    if settings.redis_url or not Shared.url:
        return settings
    store = replace(settings.store, prefix=f"t{secrets.token_hex(8)}", timeout=max(settings.store.timeout, PATIENT))
    return replace(settings, redis_url=Shared.url, store=store)
