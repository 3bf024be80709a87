"""Small private files under `var`: replaced in one rename, read by nobody else."""

import os
import secrets
from contextlib import suppress
from pathlib import Path


def private_directory(path: Path) -> None:
    """Make the directory, or take everybody else's rights off it. Raises OSError, also where it is another user's."""
    path.parent.mkdir(parents=True, exist_ok=True)
    owner = os.geteuid()
    if owner == 0 and path.parent.stat().st_uid != owner:
        # What root's server writes there, the server of the user who runs the gateway could not read.
        raise PermissionError(f"{path.parent} belongs to another user, as whom it is to be done")
    path.mkdir(mode=0o700, exist_ok=True)
    if path.stat().st_uid != owner:
        raise PermissionError(f"{path} belongs to another user")
    path.chmod(0o700)


def private(path: Path, flags: int) -> int:
    """Open a file with mode 0600 where it is new; made by root, it is the directory's owner's. Raises OSError."""
    new = not path.exists()
    descriptor = os.open(path, flags | os.O_CREAT | os.O_CLOEXEC, 0o600)
    if new and os.geteuid() == 0:
        place = path.parent.stat()
        os.fchown(descriptor, place.st_uid, place.st_gid)
    return descriptor


def beside(path: Path) -> Path:
    """A name that nobody else uses, for what is to be renamed to `path`."""
    return path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}")


def written(path: Path, text: str) -> None:
    """Write a new private file, down to the disk. Raises OSError."""
    with open(private(path, os.O_WRONLY | os.O_EXCL), "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def replaced(path: Path, text: str) -> None:
    """Write `text` with mode 0600; a reader sees the old file or the new one, also after a crash. Raises OSError."""
    new = beside(path)
    try:
        written(new, text)
        new.replace(path)
    except BaseException:
        with suppress(OSError):
            new.unlink()
        raise
