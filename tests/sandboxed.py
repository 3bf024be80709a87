"""A sandbox to test against: in this loop, or as a process of its own. Both are met by URL only."""

import asyncio
import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import uvicorn
from starlette.types import ASGIApp

from gateway.sandbox.app import create_app
from gateway.sandbox.options import Options
from gateway.sandbox.talk.senses import Senses
from gateway.settings import SANDBOX_KEY
from tests.serving import ROOT, Prompt

SERVING = re.compile(r"sandbox on (http://\S+)")


def caller(**options: Any) -> httpx.AsyncClient:
    """An HTTP client for loopback: it loads no certificates, which would take longer than most tests."""
    return httpx.AsyncClient(trust_env=False, verify=False, **options)


@dataclass
class Sandbox:
    """A running sandbox, and what it says of itself."""

    url: str
    """Without a slash at the end."""
    key: str = field(default=SANDBOX_KEY, repr=False)
    """The API key that it takes."""

    async def _own(self, method: str, path: str, body: Any = None) -> Any:
        async with caller(base_url=self.url) as client:
            answer = await client.request(method, f"/sandbox/{path}", json=body)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    async def state(self) -> dict[str, Any]:
        """All that its page shows."""
        found: dict[str, Any] = await self._own("GET", "state.json")
        return found

    async def calls(self, operation: str = "") -> list[dict[str, Any]]:
        """Every call that was made, oldest first; or those of one operation."""
        made = reversed((await self.state())["calls"])
        return [call for call in made if operation in {"", call["operation"]}]

    async def agents(self) -> list[dict[str, Any]]:
        """Every agent that there is. Capabilities in it are hidden."""
        found: list[dict[str, Any]] = (await self.state())["agents"]
        return found

    async def session(self, id_: str) -> dict[str, Any]:
        """One session."""
        return next(one for one in (await self.state())["sessions"] if one["id"] == id_)

    async def fault(self, operation: str, kind: str = "", **more: Any) -> None:
        """Set a fault: `status`, `body`, `headers`, `delay`, `count`, `after`, or a kind."""
        await self._own("POST", "faults", {"operation": operation, "kind": kind, **more})

    async def mend(self) -> None:
        """No faults, and the behaviour that it began with."""
        await self._own("DELETE", "faults")
        await self._own("DELETE", "behaviour")

    async def forget(self) -> None:
        """All as it was at the start: no agents, sessions, calls or faults."""
        await self._own("DELETE", "state.json")

    async def behave(self, **wanted: Any) -> None:
        """Set fields of its behaviour; with `session=`, of one session's."""
        await self._own("POST", "behaviour", wanted)

    async def say(self, room_url: str, text: str, **more: Any) -> dict[str, Any]:
        """A typed turn in a room: what was said, or why nothing was."""
        async with caller(timeout=30) as client:
            answer = await client.post(f"{room_url}/say", json={"text": text, **more})
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def leave(self, room_url: str) -> None:
        """End a session, as a person who closes the page."""
        async with caller() as client:
            assert (await client.post(f"{room_url}/leave")).status_code == 204


@contextlib.asynccontextmanager
async def sandboxed(key: str = SANDBOX_KEY, *, hears: Senses | None = None, **options: Any) -> AsyncIterator[Sandbox]:
    """A sandbox in this loop, on a free port. It takes a few milliseconds, and babbles, which is always the same."""
    async with served(create_app(Options(key=key, **{"voice": "babble", **options}), hears)) as url:
        yield Sandbox(url, key)


@contextlib.asynccontextmanager
async def served(app: ASGIApp) -> AsyncIterator[str]:
    """The URL of an application that is served as the sandbox is, with its WebSockets."""
    config = uvicorn.Config(
        app,
        host="127.0.0.1",
        port=0,
        log_config=None,
        access_log=False,
        lifespan="on",
        ws="websockets-sansio",
        ws_max_size=1024 * 1024,
        timeout_graceful_shutdown=1,
    )
    server = Prompt(config)
    running = asyncio.create_task(server.serve())
    try:
        while not server.started and not running.done():  # noqa: ASYNC110 uvicorn has no event for it
            await asyncio.sleep(0.002)
        if running.done():
            await running
            raise RuntimeError("The application did not start; its log says why.")
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.over.set()
        await running


@contextlib.contextmanager
def sandbox_process(
    key: str = SANDBOX_KEY, *, port: int = 0, voice: str = "babble", within: float = 30.0
) -> Iterator[Sandbox]:
    """`python -m gateway sandbox` on a free port, until this is left."""
    process = subprocess.Popen(
        [sys.executable, "-m", "gateway", "sandbox", "--port", str(port), "--voice", voice],
        cwd=ROOT,
        env={"PATH": os.defpath, "PYTHONUNBUFFERED": "1", "SIMLI_API_KEY": key},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        deadline = time.monotonic() + within
        while not (found := SERVING.search(line := process.stdout.readline())):
            if not line or time.monotonic() > deadline:
                raise RuntimeError("The sandbox did not start; standard error says why.")
        yield Sandbox(found[1], key)
    finally:
        process.send_signal(signal.SIGTERM)
        status = process.wait(15)
        process.stdout.close()
    assert status == 0
