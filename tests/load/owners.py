"""Which worker serves which connection, seen from outside: whose descriptors the kernel's connections are."""

from collections.abc import Iterable, Mapping
from pathlib import Path


def owners(port: int, pids: Iterable[int]) -> Mapping[int, int]:
    """Of each connection to `port` of 127.0.0.1, by its caller's port, the process that holds it. Linux only."""
    callers: dict[str, int] = {}
    for line in Path("/proc/net/tcp").read_text("ascii").splitlines()[1:]:
        fields = line.split()
        here, there, inode = fields[1], fields[2], fields[9]
        if int(here.rpartition(":")[2], 16) == port and inode != "0":
            callers[f"socket:[{inode}]"] = int(there.rpartition(":")[2], 16)
    found: dict[int, int] = {}
    for pid in pids:
        for name in _held(pid):
            if callers.get(name):
                found[callers[name]] = pid
    return found


def workers(supervisor: int) -> list[int]:
    """The processes of a supervisor's workers, the store's left out."""
    found = []
    for each in Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text("ascii").split():
        try:
            if b"--handed" in Path(f"/proc/{each}/cmdline").read_bytes():
                found.append(int(each))
        except OSError:  # it has just ended
            continue
    return found


def _held(pid: int) -> list[str]:
    names = []
    try:
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            try:
                names.append(str(descriptor.readlink()))
            except OSError:
                continue
    except OSError:
        return []
    return names
