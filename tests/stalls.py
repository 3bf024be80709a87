"""A plugin of pytest's: a measurement that the machine spoiled is made again.

The tests hold hundreds of times, some of a few milliseconds, on machines that others use too. Now and then such a
machine lets a process stand still for a tenth of a second, or the collector walks over all that four thousand tests
have left, and what is late then says nothing of the gateway. So a thread looks at the clock a hundred times a second,
and a test that failed while this process stood still is run once more, twice at most. A test that fails without a stall
fails; so does one that fails three times. The summary says which were run again, and how long the stall was.
"""

import gc
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from _pytest.runner import runtestprotocol

LOOK_S = 0.01
"""Seconds between two looks at the clock."""
STALL_S = 0.05
"""From so many seconds between them on, a process stood still: what it does in C gives way every 5 ms."""
ATTEMPTS = 3
TIDY_S = 20.0
"""Seconds between two collections of what tests have left: outside of tests, for it takes a quarter of a second, in
which nothing else of the process runs. What is left then is not looked at again, so those within a test are short."""
PROPERTY = "run again after a stall of ms"


class Stalls:
    """The longest time for which this process stood still since it was asked last."""

    def __init__(self) -> None:
        self._longest = 0.0
        threading.Thread(target=self._look, name="stalls", daemon=True).start()

    def _look(self) -> None:
        before = time.monotonic()
        while True:
            time.sleep(LOOK_S)
            now = time.monotonic()
            self._longest = max(self._longest, now - before - LOOK_S)
            before = now

    def longest(self) -> float:
        """Seconds; asking begins anew."""
        found, self._longest = self._longest, 0.0
        return found


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
            if not failed or stall < STALL_S or len(stood) + 1 == ATTEMPTS:
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
