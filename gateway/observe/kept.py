"""What a worker counts, in files that outlive it: a killed one's counts stay, and who takes its number adds to them.

The files are those of prometheus_client's multiprocess mode, and its collector adds them up. Its own values for that
mode take the folder from the environment and the name from the process's id, so that files would pile up over restarts;
these are told both. A value is eight bytes that are written at once, and an entry counts only when it is whole: a kill
leaves no half of either.
"""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from prometheus_client import values
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.metrics_core import Metric
from prometheus_client.mmap_dict import MmapedDict, mmap_key
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

SIZE = 1 << 20
"""Bytes of a file, some four thousand series. They are asked for at once: on a full disk a file that grew under a
memory map would kill its process."""


class Files:
    """The files of one worker's number, open. While they are, every metric that this process makes is kept in them.

    Raises OSError where they cannot be opened.
    """

    def __init__(self, folder: Path, number: int) -> None:
        self._open: dict[str, MmapedDict] = {}
        try:
            for kind in ("counter", "histogram"):
                self._open[kind] = _opened(folder / f"{kind}_{number}.db")
        except OSError:
            self.close()
            raise
        values.ValueClass = _kept(self._open)  # the library has one kind of value, for all of its metrics

    def close(self) -> None:
        """What is made from now on is kept in memory again."""
        values.ValueClass = values.MutexValue
        for each in self._open.values():
            each.close()  # type: ignore[no-untyped-call]  # it does not say


def _opened(path: Path) -> MmapedDict:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.posix_fallocate(descriptor, 0, SIZE)
    finally:
        os.close(descriptor)
    return MmapedDict(str(path))  # type: ignore[no-untyped-call]  # it does not say


def _kept(files: dict[str, MmapedDict]) -> type:
    """The class of a value in these files. Each is added to by one thread at a time."""

    class Kept:
        _multiprocess = True

        def __init__(self, kind: str, *key: Any, **_: Any) -> None:
            """`key`: of the metric and of this series the name, the labels' names and values, and the words."""
            self._file = files[kind]
            self._key = mmap_key(*key)
            self._value: float = self._file.read_value(self._key)[0]  # type: ignore[no-untyped-call]

        def inc(self, amount: float) -> None:
            self._value += amount
            self._file.write_value(self._key, self._value, 0.0)  # type: ignore[no-untyped-call]

        def get(self) -> float:
            return self._value

        def get_exemplar(self) -> None:
            """There are none."""

    return Kept


class Merged(Collector):
    """What all workers counted, living and ended, by the names of this one's metrics."""

    def __init__(self, folder: Path, counted: Iterable[MetricWrapperBase]) -> None:
        self._folder = folder
        self._counted = tuple(counted)

    def describe(self) -> Iterator[Metric]:
        """Without a value."""
        for each in self._counted:
            yield from each.describe()

    def collect(self) -> Iterator[Metric]:
        """Read all files, those of processes that write to them too."""
        written = [str(path) for path in self._folder.glob("*.db") if path.stat().st_size]  # none yet: it just starts
        found = {one.name: one for one in MultiProcessCollector.merge(written)}  # type: ignore[no-untyped-call]
        for each in self.describe():
            if each.name in found:
                each.samples = found[each.name].samples
            yield each
