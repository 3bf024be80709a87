"""Programs that a run starts where they are missing: a sandbox, a gateway, the ingest before it. Each writes a log."""

import asyncio
import contextlib
import json
import logging
import re
import socket
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from gateway.processes import Child, ChildError
from gateway.settings import Settings
from gateway.settings.values import SANDBOX_KEY, loopback

LOOK = 3.0
"""Seconds for a program to say that it is there."""
STARTS = 60.0
INGESTS = 150.0
ENDS = 8.0
SERVED = re.compile(r"sandbox on (http://\S+)")
ROUTE = "smoke"
PACE = 12.0
"""Words a second of the embedded answerer: else it would be done before anybody could interrupt it."""
OTHERS = ("HOST", "PORT", "GATEWAY_CONFIG", "GATEWAY_VAR", "GATEWAY_PUBLIC_URL", "REDIS_URL", "CHROMA_URL", "TUNNEL")
"""Variables that a program of the run's own does not get: they are about the gateway that is configured."""
SHARED = ("models", "embeddings")
"""What is dear to make, and the same for every gateway of this machine."""
logger = logging.getLogger("gateway.smoke")


@dataclass(frozen=True, slots=True)
class Program:
    """A gateway that is to be started."""

    url: str
    config: Path
    environ: Mapping[str, str] = field(repr=False)
    folder: Path = Path()
    """Where its log goes."""


def sandbox(settings: Settings, folder: Path, started: Callable[[str], None]) -> Child:
    """A sandbox on a free port; `started` is told its URL."""
    found: list[str] = []
    write = _log(folder / "sandbox.log")

    def hear(line: str) -> None:
        write(line)
        if match := SERVED.search(line):
            found.append(match[1].rstrip("/"))
            started(found[-1])

    async def there() -> bool:
        return bool(found) and await answers(f"{found[-1]}/sandbox/state.json")

    environ = {**_environ(settings), "SIMLI_API_KEY": SANDBOX_KEY}
    return _child("sandbox", ("sandbox", "--port", "0"), environ, there, hear)


def own_gateway(settings: Settings, config: Path | None, folder: Path) -> Program:
    """A gateway on a free port with a GATEWAY_VAR of its own: its keys and sessions are nobody else's."""
    port = _free_port()
    environ = {
        **_environ(settings),
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "GATEWAY_VAR": str(_own_var(settings.var.absolute())),
        "SIMLI_URL": settings.simli_url,
        "SIMLI_API_KEY": settings.simli_key,
    }
    return Program(f"http://127.0.0.1:{port}", config or _written(settings, folder), environ, folder)


def serving(program: Program) -> Child:
    """The gateway, as a child."""

    async def there() -> bool:
        return await answers(f"{program.url}/readyz")

    write = _log(program.folder / "gateway.log")
    return _child("gateway", ("serve", "--config", str(program.config)), program.environ, there, write)


async def ingested(program: Program) -> None:
    """Its knowledge is there; what has not changed since the last run costs a second. Raises ChildError."""
    command = [*_command("ingest"), "--config", str(program.config)]
    process = await asyncio.create_subprocess_exec(
        *command,
        env=dict(program.environ),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(INGESTS):
            said, _ = await process.communicate()
    except TimeoutError:
        raise ChildError(f"`gateway ingest` took more than {INGESTS:g} s.") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        last = said.decode(errors="replace").strip().splitlines()[-6:]
        raise ChildError("\n".join([f"`gateway ingest` ended with {process.returncode}:", *last]))


async def answers(url: str, headers: Mapping[str, str] | None = None) -> bool:
    """Whether a GET of it is a 200, soon."""
    local = loopback(urlsplit(url).hostname or "")
    try:
        async with httpx.AsyncClient(timeout=LOOK, trust_env=not local, verify=not url.startswith("http:")) as http:
            return (await http.get(url, headers=headers)).status_code == 200
    except (httpx.HTTPError, ValueError):
        return False


def _command(name: str) -> tuple[str, ...]:
    return (sys.executable, "-P", "-m", "gateway", name)


def _child(
    name: str,
    command: Sequence[str],
    environ: Mapping[str, str],
    health: Callable[[], Awaitable[bool]],
    hear: Callable[[str], None],
) -> Child:
    return Child(
        name=name,
        argv=(*_command(command[0]), *command[1:]),
        health=health,
        env={**environ, "PYTHONUNBUFFERED": "1"},
        start_timeout=STARTS,
        stop_timeout=ENDS,
        log=logger,
        level=logging.DEBUG,
        hears=lambda: hear,
    )


def _log(file: Path) -> Callable[[str], None]:
    """Writes a line to it, and keeps no file open."""

    def write(line: str) -> None:
        with contextlib.suppress(OSError), file.open("a", encoding="utf-8") as out:
            out.write(f"{line}\n")

    return write


def _environ(settings: Settings) -> dict[str, str]:
    return {name: value for name, value in settings.environ.items() if name not in OTHERS}


def _own_var(var: Path) -> Path:
    own = var / "smoke" / "gateway"
    own.mkdir(parents=True, exist_ok=True)
    for shared in SHARED:
        (var / shared).mkdir(exist_ok=True)
        if not (own / shared).exists():
            (own / shared).symlink_to(var / shared, target_is_directory=True)
    return own


def _written(settings: Settings, folder: Path) -> Path:
    """Settings for the gateway of the run, where no file was named."""
    lines = [f"prompts = {_toml(settings.prompts)}"]
    if embedded := _embedded(settings):
        lines.append(f'default_route = "{ROUTE}"')
    lines += [
        "[knowledge]",
        f"directory = {_toml(settings.knowledge.directory)}",
        "[server]",
        "drain_notice = 0",
        "drain_timeout = 2",
    ]
    if embedded:
        lines += [f"[[routes.{ROUTE}.targets]]", 'embedded = "extractive"', f"pace = {PACE}"]
    file = folder / "gateway.toml"
    file.write_text("\n".join([*lines, ""]), encoding="utf-8")
    return file


def _embedded(settings: Settings) -> bool:
    """Whether nothing better than the embedded answerer is there."""
    route = settings.routes.get(settings.default_route)
    return bool(route and route.targets and route.targets[0].embedded == "extractive")


def _toml(path: Path) -> str:
    return json.dumps(str(path.absolute()))


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
