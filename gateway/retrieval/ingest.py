"""Brings the files of `knowledge/` into sealed versions, and tells what it did, event by event.

What is up to date is found by the files' hashes alone, without a model or an index being loaded. What is not
is built by a child process (build.py): a library that crashes takes the child with it and leaves every
version as it was.
"""

import errno
import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryFile
from typing import TypeAlias

from gateway.errors import DiskFull, Fault, KnowledgeError, NotWritable
from gateway.retrieval import library, split, versions


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be ingested."""

    knowledge: str
    var: str
    characters: int
    collections: tuple[str, ...]
    """Empty: every folder of `knowledge`."""
    nice: int = 0
    """How far the child that builds stands back: a service that answers beside it gives it what it has to spare."""
    chroma_url: str = field(default="", repr=False)
    """The server that versions are brought to; empty: they stay under `var`."""
    patience: float = 0.0
    """Seconds that a collection is waited for that another process is writing."""


@dataclass(slots=True, eq=False)
class Stop:
    """Ends an ingest from another thread. Killing the child leaves every version as it was."""

    asked: bool = False
    child: "subprocess.Popen[str] | None" = field(default=None, repr=False)

    def ask(self) -> None:
        """Now."""
        self.asked = True
        if self.child is not None:
            with suppress(ProcessLookupError):
                self.child.kill()


@dataclass(frozen=True, slots=True)
class Progress:
    """Vectors of a collection that are there, of those that it takes."""

    collection: str
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Note:
    """Something that a person should know and that is no fault."""

    text: str


@dataclass(frozen=True, slots=True)
class Done:
    """A collection is up to date."""

    collection: str
    version: str
    files: int
    passages: int
    embedded: int
    cached: int
    seconds: float
    built: bool
    """False: there was a version of exactly these files."""


Event: TypeAlias = Progress | Note | Done | Fault
FULL = "No room is left on the disk under GATEWAY_VAR"
READ_ONLY = "GATEWAY_VAR lies on a disk that takes no writes"
LEAST_FREE = 16 * 2**20
"""Bytes: a small collection's version and the vectors' journal. A larger one may need more, and is refused later."""
EVENTS: Mapping[str, type[Event]] = {kind.__name__: kind for kind in (Progress, Note, Done, Fault)}


def encoded(event: Event) -> str:
    """One line of JSON."""
    return json.dumps([type(event).__name__, asdict(event)], ensure_ascii=False)


def decoded(line: str) -> Event:
    """The event in a line."""
    name, fields = json.loads(line)
    return EVENTS[name](**fields)


def collections(knowledge: Path) -> list[str]:
    """The folders of `knowledge`, which are its collections."""
    if not knowledge.is_dir():
        return []
    return sorted(path.name for path in knowledge.iterdir() if path.is_dir() and not path.name.startswith("."))


def writable(var: Path) -> None:
    """Raise NotWritable or DiskFull where no version could be made: said at once, not after minutes of work."""
    try:
        root = var / "knowledge"
        root.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=root):
            pass
        free = shutil.disk_usage(root).free
    except OSError as error:
        raise refused(error) from error
    if free < LEAST_FREE:
        raise DiskFull(f"{FULL}: {free // 2**20} MiB are free, an ingest needs {LEAST_FREE // 2**20} MiB at least.")


def short(directory: Path) -> bool:
    """Whether so little room is left that whatever has just failed has failed for want of it."""
    try:
        return shutil.disk_usage(directory).free < LEAST_FREE
    except OSError:
        return False


def refused(error: OSError) -> NotWritable | DiskFull | KnowledgeError:
    """What an operating system's refusal to write means."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull(f"{FULL}.")
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return NotWritable(f"{READ_ONLY}.")
    return KnowledgeError(f"{error.filename or 'the disk'}: {error.strerror or error}")


def ingest(job: Job, stop: Stop | None = None) -> Iterator[Event]:
    """Bring every collection of the job up to date. The thread that iterates waits for the child."""
    knowledge = Path(job.knowledge)
    there = collections(knowledge)
    asked = list(dict.fromkeys(job.collections or there))
    if not asked:
        yield Fault(str(knowledge), 0, "", "holds no collection: put Markdown or text files into a folder in it")
    with library.opened(Path(job.var), job.chroma_url) as shelves:
        changed: list[str] = []
        yield from _checked(job, shelves, asked, there, changed)
        if changed:
            yield from _built(replace(job, collections=tuple(changed)), shelves, stop or Stop())


def _checked(
    job: Job, shelves: library.Library, asked: Sequence[str], there: Sequence[str], changed: list[str]
) -> Iterator[Event]:
    """What needs no building; the rest goes to `changed`."""
    knowledge = Path(job.knowledge)
    for name in asked:
        if name not in there:
            known = ", ".join(there) or "none"
            yield Fault(str(knowledge / name), 0, "", f"is no folder; collections are: {known}")
        elif not versions.NAME.fullmatch(name):
            yield Fault(str(knowledge / name), 0, "", "is no name for a collection: 3 to 64 of A-Z a-z 0-9 . _ -")
        else:
            found = unchanged(job, shelves.shelf(name))
            if isinstance(found, Done | Fault):
                yield found
            else:
                changed.append(name)


def unchanged(job: Job, shelf: library.Shelf) -> Done | Fault | None:
    """The version that these files would make, if there is one already; it is served from here on."""
    started, name = time.monotonic(), shelf.collection
    try:
        wanted = versions.fingerprint(hashes(Path(job.knowledge) / name), job.characters)
        current = shelf.current()
        for candidate in sorted(shelf.sealed(), key=lambda one: (one != current, one)):
            version = _matching(shelf, candidate, wanted)
            if version is None:
                continue
            if candidate != current:
                with shelf.written():
                    shelf.point(candidate)
            taken = time.monotonic() - started
            return Done(name, candidate, len(version.files), version.passages, 0, 0, taken, built=False)
    except OSError as error:
        found = refused(error)
        if not isinstance(found, KnowledgeError):
            return Fault(shelf.where, 0, "", found.message)
        return Fault(str(Path(job.knowledge) / name), 0, "", f"cannot be read: {error}")
    except KnowledgeError as error:
        return Fault(shelf.where, 0, "", error.message)
    return None


def _matching(shelf: library.Shelf, name: str, wanted: str) -> versions.Version | None:
    """The version, where it is sound and made from what is wanted. What an older gateway wrote may be unreadable."""
    try:
        version = shelf.version(name)
    except KnowledgeError:
        return None
    sound = version.fingerprint == wanted and not shelf.fault(name)
    return version if sound else None


def hashes(directory: Path) -> dict[str, str]:
    """sha256 of each file that is read, by its path within the collection."""
    read, _ = split.files(directory)
    return {path.relative_to(directory).as_posix(): sha256(path.read_bytes()).hexdigest() for path in read}


def _built(job: Job, shelves: library.Library, stop: Stop) -> Iterator[Event]:
    """What the child says. It ends when our end of its input closes, however we end."""
    command = [sys.executable, "-m", "gateway.retrieval.build"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:  # noqa: S603 (our own module)
        stop.child = child
        if stop.asked:
            child.kill()
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            child.stdin.write(json.dumps(asdict(job)) + "\n")
            child.stdin.flush()
            for line in child.stdout:
                yield decoded(line)
        except BrokenPipeError:
            pass  # it died before it read: its exit code tells
        finally:
            child.stdin.close()
        code = child.wait()
    if code:
        how = f"died of {signal.Signals(-code).name}" if code < 0 else f"ended with {code}"
        problem = f"the process that builds versions {how}; what was served is served still"
        if short(Path(job.var) / "knowledge"):
            problem = f"{FULL}: {problem}"
        _swept(job, shelves)
        yield Fault(job.var, 0, "", problem)


def _swept(job: Job, shelves: library.Library) -> None:
    """Delete what a child that died left half made, unless another process is at work there."""
    for name in job.collections:
        shelf = shelves.shelf(name)
        with suppress(KnowledgeError, OSError), shelf.written():
            shelf.sweep()


def rollback(shelf: library.Shelf, name: str = "") -> str:
    """Serve another sealed version, the one before the current where none is named. Returns its name."""
    collection = shelf.collection
    if not shelf.sealed():
        raise KnowledgeError(f"{collection}: there are no versions of it in {shelf.where}")
    with shelf.written():
        sealed = shelf.sealed()
        name = name or versions.before(collection, shelf.current(), sealed)
        versions.known(collection, name, sealed)
        problem = shelf.fault(name)
        if problem:
            raise KnowledgeError(f"{collection}: version {name} cannot be served: {problem}")
        shelf.point(name)
    return name
