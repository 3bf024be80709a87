"""Where the gateways of this `var` listen: who serves writes it down, and commands beside it need not be told.

Each has a file of its own, and holds a lock on it as long as it lives: what a dead one left behind is not believed.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit

FOLDER = "listening"
LONGEST = 512
"""Bytes of a URL at most."""
EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 nothing is bound here
_READERS = 0.5
"""Seconds: a reader holds its lock for no time at all."""


def address(host: str, port: int) -> str:
    """The URL by which this machine reaches what listens there."""
    host = host.strip("[]")
    host = EVERYWHERE.get(host, host)
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


@contextmanager
def noted(var: Path, url: str) -> Iterator[None]:
    """Let commands beside it know, while the block runs, that a gateway listens at `url`.

    Where nothing can be written nobody knows, and the gateway serves even so.
    """
    path = var / FOLDER / urlsplit(url).netloc
    with ExitStack() as stack:
        with suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            file = stack.enter_context(_held(path))
            file.truncate(0)
            file.write(f"{url}\n".encode("ascii", "replace"))
            file.flush()
            stack.callback(_removed, path)
        yield


def found(var: Path) -> list[str]:
    """The URLs at which gateways of this `var` listen now, sorted; a glance into a small folder."""
    with suppress(OSError):
        return [url for path in sorted((var / FOLDER).iterdir()) if (url := _read(path))]
    return []


def _read(path: Path) -> str:
    """The URL in a file that somebody holds; empty where nobody does."""
    with suppress(OSError), path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return file.read(LONGEST).partition(b"\n")[0].decode("ascii", "replace")
    return ""


def _held(path: Path) -> BinaryIO:
    """The file, open and locked. Raises BlockingIOError where another gateway holds it, OSError."""
    ends = time.monotonic() + _READERS
    while True:
        file = path.open("ab")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(file.fileno()), path.stat()):
                return file
        except FileNotFoundError:  # who held it before has just removed it
            pass
        except OSError:
            if time.monotonic() > ends:
                file.close()
                raise
        file.close()
        time.sleep(0.01)


def _removed(path: Path) -> None:
    with suppress(OSError):
        path.unlink()
