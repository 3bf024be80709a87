"""What is so at the moment that somebody asks: read then, and kept nowhere."""

from collections.abc import Callable, Collection, Iterator, Mapping
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


class Present(Collector):
    """The gauges."""

    def __init__(self, reading: Callable[[], Reading], version: str) -> None:
        self._reading = reading
        self._version = version

    def describe(self) -> Iterator[Metric]:
        """Nothing is looked up for their names."""
        yield from self._made(Reading(0, 0.0, draining=False, missing=(), breakers={}, knowledge={}))

    def collect(self) -> Iterator[Metric]:
        """All of them, of now."""
        yield from self._made(self._reading())

    def _made(self, now: Reading) -> Iterator[Metric]:
        build = GaugeMetricFamily("gateway_build_info", "Always 1; the version is the label.", labels=("version",))
        build.add_metric((self._version,), 1)
        yield build
        yield GaugeMetricFamily("gateway_inflight_streams", "Turns that run.", now.streams)
        yield GaugeMetricFamily("gateway_eventloop_lag_seconds", "How late the event loop is.", now.lag)
        yield GaugeMetricFamily("gateway_draining", "1 from the moment that it is to stop.", int(now.draining))
        yield GaugeMetricFamily(
            "gateway_store_up", "0 while the store takes no writes.", int("store" not in now.missing)
        )
        missing = GaugeMetricFamily("gateway_missing", "1 for each thing that it does without.", labels=("what",))
        for what in dict.fromkeys(now.missing):
            missing.add_metric((what,), 1)
        yield missing
        says = f"Whether a target is asked: {', '.join(f'{number} {state}' for state, number in STATES.items())}."
        breakers = GaugeMetricFamily("gateway_breaker_state", says, labels=("target",))
        for target, state in now.breakers.items():
            breakers.add_metric((target,), STATES[state])
        yield breakers
        knowledge = GaugeMetricFamily(
            "gateway_knowledge_served", "Whether a version of the collection is searched.", labels=("collection",)
        )
        for collection, version in now.knowledge.items():
            knowledge.add_metric((collection,), int(bool(version)))
        yield knowledge
