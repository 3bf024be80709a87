"""Where callers reach the gateway: by its tunnel while one is open, else by GATEWAY_PUBLIC_URL.

A gateway with a tunnel writes the URL down under `var`, and holds a lock on the file as long as it lives: commands
beside it know the URL, and nobody takes that of a dead one.
"""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp

from gateway.errors import ConfigurationError, Fault
from gateway.settings import Settings, loopback

FILE = "public-url"
LONGEST = 2048
LIVES = b'{"status":"ok"}'
_READERS = 0.5
"""Seconds: a reader holds its lock for no time at all."""


def url(settings: Settings) -> str:
    """The public URL of now, without a slash at the end; empty where there is none. Reads a small file."""
    return tunnelled(settings.var) or settings.public_url


def tunnelled(var: Path) -> str:
    """The URL of the tunnel that is open for the gateway of this `var`; empty where none is."""
    try:
        with (var / FILE).open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return file.read(LONGEST).partition(b"\n")[0].decode("ascii", "replace")
    except OSError:
        pass
    return ""


@contextmanager
def kept(var: Path) -> Iterator[Callable[[str], None]]:
    """A function that writes the tunnel's URL down (it raises OSError), for as long as the block runs.

    Raises ConfigurationError where another gateway of this `var` has a tunnel, or nothing can be written.
    """
    try:
        var.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(var / FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ConfigurationError([Fault("--tunnel", 0, "", f"{var / FILE}: {error.strerror}")]) from None
    try:
        _locked(descriptor, var)
        os.ftruncate(descriptor, 0)

        def write(found: str) -> None:
            line = f"{found}\n".encode("ascii", "replace")[:LONGEST]
            os.pwrite(descriptor, line, 0)
            os.ftruncate(descriptor, len(line))

        yield write
        with suppress(OSError):  # who holds no lock any more is not believed anyway
            write("")
    finally:
        os.close(descriptor)


def _locked(descriptor: int, var: Path) -> None:
    ends = time.monotonic() + _READERS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() < ends:
                time.sleep(0.01)
                continue
            problem = f"another gateway keeps its tunnel's URL in {var}: name another folder with GATEWAY_VAR"
            raise ConfigurationError([Fault("--tunnel", 0, "", problem)]) from None
        return


async def problem(url: str, patience: float) -> str:
    """Why `{url}/livez` is not that of a gateway; empty where it is. Never raises."""
    try:
        timeout = aiohttp.ClientTimeout(total=patience)
        # What leads out of this network may be a proxy; on this machine there is none.
        proxied = not loopback(urlsplit(url).hostname or "")
        async with (
            aiohttp.ClientSession(timeout=timeout, trust_env=proxied) as session,
            session.get(f"{url}/livez") as answer,
        ):
            if answer.status == 200 and (await answer.content.read(64)).strip() == LIVES:
                return ""
            return f"is not a gateway's (status {answer.status})"
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        return f"cannot be reached ({type(error).__name__})"
