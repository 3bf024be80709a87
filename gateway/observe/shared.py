"""A worker's place beside the others: any of them may be asked for the metrics, and answers for all.

What is counted is in files (`kept.py`). Of what is so now each process knows only its own: it writes that down once a
second, and whenever it is asked itself. A lock that ends with its process tells who lives, so that nothing of a killed
one counts, and one that hangs is seen by how old its words are.
"""

import asyncio
import fcntl
import logging
import os
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import orjson
from prometheus_client import Counter

from gateway.errors import NotWritable
from gateway.observe.kept import Files
from gateway.observe.present import NOTHING, Reading
from gateway.observe.process import SPENT
from gateway.types import Worker

logger = logging.getLogger("gateway")

EACH = 1.0
"""Seconds between two notes of a worker."""
LATE = 2 * EACH
"""Seconds after which a note should have been followed by another one."""
FOLDER = "metrics"
_READERS = 1.0
"""Seconds until a lock must be free: who reads holds it for no time at all."""


class Living(NamedTuple):
    """One of the workers."""

    process: int
    reading: Reading


class Shared:
    """One worker's place, as long as it has it. What it does may be asked for in any thread."""

    def __init__(self, folder: Path, number: int) -> None:
        """Raises OSError."""
        self.folder = folder
        self._number = number
        self._turn = threading.Lock()
        self._files = Files(folder, number)
        self.spent = Counter(*SPENT, registry=None)
        """CPU seconds of all processes that had this number."""
        self._counted = 0.0
        self._open = True
        self._written = True

    def note(self, reading: Reading) -> None:
        """Write down what is so now, for the others. Never raises OSError."""
        with self._turn:
            if not self._open:
                return
            self._spend()
            told = {"process": os.getpid(), "at": time.monotonic(), **reading._asdict()}
            try:
                part = self.folder / f"{self._number}.part"
                part.write_bytes(orjson.dumps(told, default=list))
                part.replace(_note(self.folder, self._number))
                self._written = True
            except OSError as error:
                if self._written:
                    says = f"{self.folder} cannot be written ({error.strerror})"
                    logger.warning("%s: other workers' /metrics show this one as it was before; make room there", says)
                self._written = False

    def others(self) -> Iterator[Living]:
        """Of every other worker that lives, what it wrote last. Reads a small file for each."""
        for path in sorted(self.folder.glob("*.lock")):
            if path.stem != str(self._number) and _held(path):
                try:
                    living = _read(_note(self.folder, int(path.stem)))
                except (OSError, ValueError, KeyError):  # it has only just come, or goes
                    continue
                yield living

    def close(self) -> None:
        """It is a worker no more; what it counted stays."""
        with self._turn:
            self._open = False
            self._spend()
            _note(self.folder, self._number).unlink(missing_ok=True)
            self._files.close()

    def _spend(self) -> None:
        now = time.process_time()
        self.spent.inc(now - self._counted)
        self._counted = now


@asynccontextmanager
async def shared(worker: Worker | None) -> AsyncIterator[Shared | None]:
    """The worker's place, for as long as the block runs; none where there is no worker. Metrics that the block makes
    are kept in its files.

    Raises NotWritable where its folder takes no files, or its number is another process's.
    """
    if worker is None:
        yield None
        return
    folder = worker.directory / FOLDER
    lock = -1
    try:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            lock = os.open(folder / f"{worker.number}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            await _locked(lock)
            _note(folder, worker.number).unlink(missing_ok=True)  # that of a killed one
            place = Shared(folder, worker.number)
        except TimeoutError:
            says = f"Another process counts as worker {worker.number} in {folder}"
            raise NotWritable(f"{says}: end it, or start the workers again.") from None
        except OSError as error:
            says = f"{folder} takes no files of metrics ({error.strerror})"
            raise NotWritable(f"{says}: make room there, or name another folder with GATEWAY_VAR.") from None
        try:
            yield place
        finally:
            place.close()
    finally:
        if lock >= 0:
            os.close(lock)


async def _locked(lock: int) -> None:
    """Raises TimeoutError."""
    ends = time.monotonic() + _READERS
    while True:
        try:
            return fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > ends:
                raise TimeoutError from None
        await asyncio.sleep(0.01)


def _held(path: Path) -> bool:
    """Whether the process lives that this lock is of."""
    with suppress(OSError), path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _note(folder: Path, number: int) -> Path:
    return folder / f"{number}.json"


def _read(path: Path) -> Living:
    """Raises OSError; ValueError and KeyError for what no worker wrote."""
    told = orjson.loads(path.read_bytes())
    known = {name: told[name] for name in Reading._fields if name in told}  # another release's may have others
    reading = NOTHING._replace(**known)
    if (silent := time.monotonic() - told["at"]) > LATE:
        reading = reading._replace(lag=max(reading.lag, silent - EACH))
    return Living(told["process"], reading)
