"""What the processes use: CPU, memory, descriptors, by the names that Prometheus's clients have for it."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from prometheus_client import ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

SPENT = ("process_cpu_seconds", "CPU time of user and system; of all workers there were, to the second, the sum.")
"""Name and words of the only one that must not go down when a process ends."""
_USED = {
    "process_virtual_memory_bytes": "Virtual memory; of several workers, the sum.",
    "process_resident_memory_bytes": "Resident memory; of several workers, the sum, shared memory for each.",
    "process_start_time_seconds": "When the process started, in seconds since 1970; of several workers, the oldest.",
    "process_open_fds": "Descriptors that are open; of several workers, the sum.",
    "process_max_fds": "Descriptors that may be open; of several workers, the sum.",
}


class Used(Collector):
    """Of the processes with these ids, read from /proc when somebody asks: nothing on a machine without it."""

    def __init__(self, processes: Callable[[], Sequence[int]], *, spent: bool) -> None:
        """`spent`: with their CPU time, which nobody else counts."""
        self._processes = processes
        self._spent = spent

    def describe(self) -> Iterator[Metric]:
        """Without a value."""
        for name, says in _USED.items():
            yield GaugeMetricFamily(name, says)
        if self._spent:
            yield CounterMetricFamily(*SPENT)

    def collect(self) -> Iterator[Metric]:
        """All of them, of now. One that has just ended counts no more."""
        found: dict[str, list[float]] = {}
        for process in self._processes():
            for family in ProcessCollector(pid=partial(int, process), registry=None).collect():
                found.setdefault(family.name, []).append(family.samples[0].value)
        for name, says in _USED.items():
            if name in found:
                one = min if name == "process_start_time_seconds" else sum
                yield GaugeMetricFamily(name, says, one(found[name]))
        if self._spent and SPENT[0] in found:
            yield CounterMetricFamily(*SPENT, sum(found[SPENT[0]]))
