"""GATEWAY_SECRET, or the one that lies under `var`: made once, for all processes, readable by its owner only."""

import logging
import os
import re
import secrets
from contextlib import suppress
from pathlib import Path

from gateway.errors import ConfigurationError, Fault
from gateway.settings import Settings
from gateway.store.files import beside, written

logger = logging.getLogger("gateway.store")

LEAST = 32
"""Characters, as of GATEWAY_SECRET."""


def found(settings: Settings) -> str:
    """The secret. Raises ConfigurationError where the file under `var` is too short, or open to others."""
    return settings.secret or kept(settings.var / "secret")


def kept(path: Path) -> str:
    """The secret in `path`, made if nobody has made one. Processes that race for it agree on one."""
    try:
        with suppress(FileExistsError):
            _make(path)
        text, mode, owner = _read(path)
    except OSError as error:
        if path.exists():
            raise ConfigurationError([Fault(str(path), 0, "", f"cannot be read ({error.strerror})")]) from None
        logger.warning(
            "%s cannot be written (%s): this process makes up a secret of its own, and path capabilities of agents "
            "do not work until GATEWAY_SECRET is set",
            path,
            error.strerror,
        )
        return secrets.token_urlsafe(LEAST)
    if mode & 0o077 or (os.geteuid() != 0 and owner not in (os.geteuid(), 0)):
        problem = (
            f"others can read or change it (mode {mode:04o}); `chmod 600` it, or delete it and have a new one made"
        )
        raise ConfigurationError([Fault(str(path), 0, "", problem)])
    if not re.fullmatch(rf"[\x21-\x7e]{{{LEAST},512}}", text):
        problem = f"must hold {LEAST} to 512 printable ASCII characters without blanks; delete it and have one made"
        raise ConfigurationError([Fault(str(path), 0, "", problem)])
    return text


def _make(path: Path) -> None:
    """Complete before it has its name: nobody can read half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists():
        return
    new = beside(path)
    try:
        written(new, f"{secrets.token_urlsafe(LEAST)}\n")
        os.link(new, path)  # unlike a rename, refuses where there is one
    finally:
        new.unlink(missing_ok=True)


def _read(path: Path) -> tuple[str, int, int]:
    with path.open("rb") as file:
        status = os.fstat(file.fileno())
        return file.read(1024).decode("utf-8", "replace").strip(), status.st_mode & 0o7777, status.st_uid
