"""A plugin of pytest's: a measurement that the machine spoiled is made again.

The tests hold hundreds of times, some of a few milliseconds, on machines that others use too. Now and then such a
machine lets a process stand still for a tenth of a second, or the collector walks over all that four thousand tests
have left, and what is late then says nothing of the gateway. So a thread looks at the clock a hundred times a second,
and a few times a second asks the kernel how long each process that this one has started stood in line for a core: many
tests are about such a process. A test that failed while one of them stood still is run once more, twice at most. A test
that fails without a stall fails; so does one that fails three times. The summary says which were run again, and how
long the stall was.
"""

import contextlib
import gc
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from _pytest.runner import runtestprotocol

LOOK_S = 0.01
"""Seconds between two looks at the clock."""
STALL_S = 0.05
"""From so many seconds between them on, a process stood still: what it does in C gives way every 5 ms."""
COUNT_S = 0.2
"""Seconds between two counts of what the children waited."""
LINE_S = 0.1
"""Seconds of them that a child stood in line, from which on it stood still: half of the time."""
ATTEMPTS = 3
TIDY_S = 20.0
"""Seconds between two collections of what tests have left: outside of tests, for it takes a quarter of a second, in
which nothing else of the process runs. What is left then is not looked at again, so those within a test are short."""
PROPERTY = "run again after a stall of ms"


class Stalls:
    """The longest time for which this process, or one that it has started, stood still since it was asked last."""

    def __init__(self) -> None:
        self._longest = 0.0
        self._waited: dict[int, float] = {}
        threading.Thread(target=self._look, name="stalls", daemon=True).start()

    def _look(self) -> None:
        before = counted = time.monotonic()
        while True:
            time.sleep(LOOK_S)
            now = time.monotonic()
            if (late := now - before - LOOK_S) >= STALL_S:
                self._longest = max(self._longest, late)
            if now - counted >= COUNT_S:
                self._count()
                now = counted = time.monotonic()  # what counting takes is no stall
            before = now

    def _count(self) -> None:
        """See what the children waited since the last count; of one that is new, nothing is known yet."""
        waited = {pid: seconds for pid in children() if (seconds := in_line(pid)) is not None}
        more = [seconds - self._waited[pid] for pid, seconds in waited.items() if pid in self._waited]
        if more and (most := max(more)) >= LINE_S:
            self._longest = max(self._longest, most)
        self._waited = waited

    def longest(self) -> float:
        """Seconds, 0 where nothing stood still for longer than it may; asking begins anew."""
        found, self._longest = self._longest, 0.0
        return found


def children() -> Iterator[int]:
    """The processes that this one has started, and those that they have; none where the system does not tell."""
    for listed in Path("/proc/self/task").glob("*/children"):
        with contextlib.suppress(OSError):  # the thread has ended
            for pid in map(int, listed.read_text().split()):
                yield pid
                with contextlib.suppress(OSError):
                    yield from map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())


def in_line(pid: int) -> float | None:
    """Seconds that its first thread, which is its event loop's, could run and had no core; None of one that is over."""
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9
    except (OSError, IndexError):
        return None


class Again:
    """Runs tests, and runs them again."""

    def __init__(self, stalls: Stalls) -> None:
        self._stalls = stalls
        self._tidied = 0.0

    @pytest.hookimpl
    def pytest_collection_finish(self) -> None:
        """What was collected stays until the end."""
        self._tidy()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> bool:
        """One test: its reports are those of its last attempt."""
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        stood: list[float] = []
        while True:
            self._stalls.longest()
            reports = runtestprotocol(item, log=False, nextitem=nextitem)
            stall = self._stalls.longest()
            failed = any(report.failed for report in reports)
            if not failed or not stall or len(stood) + 1 == ATTEMPTS:
                break
            stood.append(stall)
        for report in reports:
            report.user_properties += [(PROPERTY, round(1000 * stall)) for stall in stood]
            item.ihook.pytest_runtest_logreport(report=report)
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        if time.monotonic() - self._tidied > TIDY_S:
            self._tidy()
        return True

    def _tidy(self) -> None:
        gc.collect()
        gc.freeze()
        self._tidied = time.monotonic()


def pytest_configure(config: pytest.Config) -> None:
    """Every process that runs tests watches itself."""
    config.pluginmanager.register(Again(Stalls()), "again")


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say which tests were run again."""
    said = sorted(_said(terminalreporter.stats))
    if said:
        terminalreporter.section("run again, since this machine stood still")
        for line in said:
            terminalreporter.write_line(line)


def _said(stats: dict[str, list[Any]]) -> Iterator[str]:
    for outcome in ("passed", "failed"):
        for report in stats.get(outcome, ()):
            stalls = [value for name, value in report.user_properties if name == PROPERTY]
            if stalls and report.when == "call":
                yield f"{report.nodeid}: {outcome}, after {' and '.join(map(str, stalls))} ms"
