"""What is so at the moment that somebody asks: read then, and kept nowhere."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

STATES: Mapping[str, int] = {"closed": 0, "half-open": 1, "open": 2}


class Reading(NamedTuple):
    """What is so now, in this process."""

    streams: int
    """Turns that run."""
    lag: float
    """Seconds that the event loop is late."""
    draining: bool
    missing: Collection[str]
    """What it does without, as `/readyz` names it."""
    breakers: Mapping[str, Literal["closed", "open", "half-open"]]
    """By `route/model`."""
    knowledge: Mapping[str, str]
    """The version of each collection that is served; empty: none."""


NOTHING = Reading(0, 0.0, draining=False, missing=(), breakers={}, knowledge={})


def joined(readings: Sequence[Reading]) -> Reading:
    """Of all processes: turns are summed, of the rest the worst counts. A collection is served where all of those serve
    it that have it."""
    breakers: dict[str, Literal["closed", "open", "half-open"]] = {}
    knowledge: dict[str, str] = {}
    for each in readings:
        for target, state in each.breakers.items():
            breakers[target] = max(state, breakers.get(target, state), key=STATES.__getitem__)
        for collection, version in each.knowledge.items():
            knowledge[collection] = min(version, knowledge.get(collection, version))
    return Reading(
        streams=sum(each.streams for each in readings),
        lag=max((each.lag for each in readings), default=0.0),
        draining=any(each.draining for each in readings),
        missing=[what for each in readings for what in each.missing],
        breakers=breakers,
        knowledge=knowledge,
    )


class With(Collector):
    """What another collector has, and how many sessions run where the store says so. It is one number for all
    processes that share a store: they are not to be added up."""

    def __init__(self, others: Collector, sessions: int | None) -> None:
        self._others = others
        self._sessions = sessions

    def collect(self) -> Iterator[Metric]:
        """All of it; nothing of sessions where nobody knows."""
        yield from self._others.collect()
        if self._sessions is not None:
            says = "Sessions at Simli that began and have not ended, in all processes that share the store."
            yield GaugeMetricFamily("simli_sessions_active", says, self._sessions)


class Present(Collector):
    """The gauges, of all processes together."""

    def __init__(self, readings: Callable[[], Sequence[Reading]], version: str) -> None:
        self._readings = readings
        self._version = version

    def describe(self) -> Iterator[Metric]:
        """Nothing is looked up for their names."""
        yield from self._made([])

    def collect(self) -> Iterator[Metric]:
        """All of them, of now."""
        yield from self._made(self._readings())

    def _made(self, readings: Sequence[Reading]) -> Iterator[Metric]:
        now = joined(readings)
        build = GaugeMetricFamily("gateway_build_info", "Always 1; the version is the label.", labels=("version",))
        build.add_metric((self._version,), 1)
        yield build
        says = "Processes that serve here; what is said beside this is of all of them."
        yield GaugeMetricFamily("gateway_workers", says, len(readings))
        yield GaugeMetricFamily("gateway_inflight_streams", "Turns that run; the sum.", now.streams)
        says = "How late the event loop is; the latest one."
        yield GaugeMetricFamily("gateway_eventloop_lag_seconds", says, now.lag)
        says = "1 from the moment that it is to stop; that any of them is."
        yield GaugeMetricFamily("gateway_draining", says, int(now.draining))
        says = "0 while the store takes no writes; of any of them."
        yield GaugeMetricFamily("gateway_store_up", says, int("store" not in now.missing))
        says = "1 for each thing that it does without; that any of them does."
        missing = GaugeMetricFamily("gateway_missing", says, labels=("what",))
        for what in dict.fromkeys(now.missing):
            missing.add_metric((what,), 1)
        yield missing
        states = ", ".join(f"{number} {state}" for state, number in STATES.items())
        says = f"Whether a target is asked: {states}; the worst of them."
        breakers = GaugeMetricFamily("gateway_breaker_state", says, labels=("target",))
        for target, state in now.breakers.items():
            breakers.add_metric((target,), STATES[state])
        yield breakers
        says = "Whether a version of the collection is searched; by all of them."
        knowledge = GaugeMetricFamily("gateway_knowledge_served", says, labels=("collection",))
        for collection, version in now.knowledge.items():
            knowledge.add_metric((collection,), int(bool(version)))
        yield knowledge
