"""The folder that the workers of one supervisor share while it lives: `{var}/workers/…`.

Its lock is inherited by the workers, so that it is free when the last of them has ended, however that was. A folder
whose lock is free was left behind, and is removed by the next supervisor.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from gateway.errors import ConfigurationError, Fault

LOCK = "lock"


class Folder(NamedTuple):
    """Where it is, and the descriptor that says it is in use."""

    path: Path
    lock: int


@contextmanager
def folder(var: Path) -> Iterator[Folder]:
    """An empty one for the length of the block. Raises ConfigurationError where it cannot be made."""
    place = (var / "workers").absolute()
    try:
        found = _made(place)
    except OSError as error:
        problem = (
            f"workers need a folder in {place}, which cannot be made ({error.strerror}): GATEWAY_VAR names another"
        )
        raise ConfigurationError([Fault("settings", 0, "var", problem)]) from None
    try:
        yield found
    finally:
        os.close(found.lock)
        _removed(found.path)


def _made(place: Path) -> Folder:
    place.mkdir(parents=True, exist_ok=True, mode=0o700)
    for left in place.iterdir():
        _removed(left)
    path = Path(tempfile.mkdtemp(dir=place))
    lock = os.open(path / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
    except OSError:
        os.close(lock)
        raise
    return Folder(path, lock)


def _removed(path: Path) -> None:
    """Remove it, unless somebody uses it, or it has no lock yet."""
    with suppress(OSError):
        lock = os.open(path / LOCK, os.O_RDWR | os.O_CLOEXEC)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(path, ignore_errors=True)
        finally:
            os.close(lock)
