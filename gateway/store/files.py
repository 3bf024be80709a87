"""Small private files under `var`: replaced in one rename, read by nobody else."""

import os
import secrets
from contextlib import suppress
from pathlib import Path


def private_directory(path: Path) -> None:
    """Make the directory, or take everybody else's rights off it. Raises OSError, also where it is another user's."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    if path.stat().st_uid != os.geteuid():
        raise PermissionError(f"{path} belongs to another user")
    path.chmod(0o700)


def replaced(path: Path, text: str) -> None:
    """Write `text` with mode 0600; a reader sees the old file or the new one, also after a crash. Raises OSError."""
    beside = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}")
    try:
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with open(descriptor, "w", encoding="utf-8") as file:  # noqa: PTH123  (a descriptor has no path)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:
        with suppress(OSError):
            beside.unlink()
        raise
