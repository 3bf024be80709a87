"""`python -m tests.published [--slower N] [--only NAME]`: every published client against a sandbox of its own process.

Needs what `make contract-simli` installs: `npm ci` in this folder, simli-ai in var/published, Chromium.
"""

import argparse
import asyncio
import functools
import os
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import orjson

from gateway.peer.chromium import chromium
from tests.published.browser import pages, ran
from tests.published.verdict import faults
from tests.sandboxed import Sandbox, sandbox_process

ROOT = Path(__file__).resolve().parents[2]
FACE = "tmp9i8bbq7c"


class Published(NamedTuple):
    """A client: its package and its version, its dialect, and the program or page that runs it."""

    name: str
    version: str
    dialect: str
    runs: str


PYTHON = (
    Published("simli-ai", "2.1.0", "today's", "simli_ai_2"),
    Published("simli-ai", "0.1.25", "WebSocket", "simli_ai_0"),
)
JAVASCRIPT = (
    Published("simli-client", "3.0.1", "today's", "simli-client-3"),
    Published("simli-client", "1.2.20", "WebSocket", "simli-client-1"),
    Published("simli-client", "1.0.5", "REST", "simli-client-rest"),
    Published("the guide's", "sample", "WebSocket", "seed"),
)
Session = Callable[[str], Awaitable[Mapping[str, Any]]]
"""Runs "conversation" or "ended"; its result."""
HEADINGS = ("client", "dialect", "connect ms", "fps", "moving", "level", "pitch", "SPEAK", "SKIP", "STOP")
ROW = "{:<19} {:<9} {:>11} {:>3} {:>6} {:>5} {:>6} {:>5} {:>4} {:>4}"
"""Connect twice; then frames a second, those that differ, what was heard of 440 Hz at 0.26, and milliseconds to
SPEAK, from SKIP to silence, and to STOP of a session of one second."""


async def in_python(client: Published, sandbox: Sandbox, what: str) -> Mapping[str, Any]:
    """One session in a process of its own, with the client as pip installed it."""
    installed = ROOT / "var" / "published" / f"{client.name}-{client.version}"
    if not (installed / "simli").is_dir():
        return {"error": f"not installed in {installed.relative_to(ROOT)}"}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", f"tests.published.{client.runs}", what, sandbox.url, sandbox.key, FACE),
        cwd=ROOT,
        env={"PATH": os.defpath, "PYTHONPATH": f"{installed}:{ROOT}"},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(60):
            out, err = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        return {"error": "nothing within 60 s"}
    if process.returncode:
        return {"error": f"status {process.returncode}: " + " | ".join(err.decode(errors="replace").splitlines()[-3:])}
    result: dict[str, Any] = orjson.loads(out.splitlines()[-1])
    return result


async def left(sandbox: Sandbox) -> int:
    """How many sessions the sandbox still counts, three seconds after the client said that it is done."""
    deadline = time.monotonic() + 3
    async with httpx.AsyncClient() as http:
        while True:
            answer = await http.get(f"{sandbox.url}/ratelimiter/sessions", headers={"x-simli-api-key": sandbox.key})
            running = int(answer.json()["currentUsage"])
            if not running or time.monotonic() > deadline:
                return running
            await asyncio.sleep(0.05)


def row(client: Published, session: Mapping[str, Any], ended: Mapping[str, Any]) -> str:
    """A line of the table."""
    named = f"{client.name} {client.version}"
    if "error" in session or "error" in ended:
        return ROW.format(named, client.dialect, *["-"] * 8)
    return ROW.format(
        named,
        client.dialect,
        f"{session['connect_ms']:.0f}, {ended['connect_ms']:.0f}",
        f"{session['per_second']:.0f}",
        f"{session['changed'] / session['frames']:.0%}",
        f"{session['tone_level']:.2f}",
        f"{session['tone_hertz']:.0f} Hz",
        f"{session['speak_ms']:.0f}",
        f"{session['skip_ms']:.0f}",
        f"{ended['stop_ms']:.0f}",
    )


async def checked(client: Published, sandbox: Sandbox, session: Session, slower: float) -> list[str]:
    """Run both sessions of a client, print its line, return its faults."""
    whole = await session("conversation")
    remaining = await left(sandbox)
    ended = await session("ended")
    print(row(client, whole, ended), flush=True)  # noqa: T201 a program's table
    found = faults(whole, ended, slower=slower)
    if remaining:
        found.append("its session goes on after it said DONE and closed")
    for fault in found:
        print(f"    {fault}", flush=True)  # noqa: T201 a program's table
    return found


async def run(only: str, slower: float) -> int:
    """Every client, one after another; the exit status."""
    python = [client for client in PYTHON if only in client.runs]
    javascript = [client for client in JAVASCRIPT if only in client.runs]
    found: list[str] = []
    with sandbox_process() as sandbox:
        print(ROW.format(*HEADINGS), flush=True)  # noqa: T201 a program's table
        for client in python:
            found += await checked(client, sandbox, functools.partial(in_python, client, sandbox), slower)
        if javascript:
            async with pages([client.runs for client in javascript]) as url, chromium() as browser:
                for client in javascript:
                    told = (sandbox.url, sandbox.key, FACE)
                    session = functools.partial(ran, browser, f"{url}/{client.runs}/", told)
                    found += await checked(client, sandbox, session, slower)
    count = len(python) + len(javascript)
    print(f"{count} published clients, {len(found)} faults")  # noqa: T201 a program's last line
    return 1 if found or not count else 0


def main() -> int:
    """Read the arguments, run."""
    parser = argparse.ArgumentParser(prog="python -m tests.published")
    parser.add_argument("--slower", type=float, default=1.0, help="how many times slower than an idle machine this is")
    parser.add_argument("--only", default="", help="part of the name of a program or page")
    arguments = parser.parse_args()
    return asyncio.run(run(arguments.only, arguments.slower))


if __name__ == "__main__":
    sys.exit(main())
