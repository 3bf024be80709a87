"""What is known of every target: its health by what it is, so that it is the same in all routes and after a reload."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

from gateway.errors import UpstreamAuthFailed, UpstreamTLSError
from gateway.settings import Breaker as Rule
from gateway.settings import Target
from gateway.types import Ask
from gateway.upstream.breaker import Breaker
from gateway.upstream.candidate import Health, Plan
from gateway.upstream.mending import Learned
from gateway.upstream.pace import Pace
from gateway.upstream.probing import recovered

logger = logging.getLogger("gateway.upstream")


class Identity(NamedTuple):
    """Two targets with the same are one."""

    url: str
    model: str
    key: str

    @property
    def name(self) -> str:
        """What workers call it among themselves. It says nothing of the key."""
        return f"{self.model}@{self.url}"


@dataclass(slots=True)
class Known:
    """One target, and how it is probed."""

    health: Health
    ask: Ask
    seconds: float
    probe: asyncio.Task[None] | None = None
    published: float = 0.0
    """Until when this worker said last that it is left out."""


def unpublished(target: str, until: float) -> None:
    """No other worker is told."""


@dataclass(slots=True)
class Targets:
    """All targets of this worker. `publish` is told a target's name and until when (seconds since the epoch) it is left
    out; it must not wait."""

    publish: Callable[[str, float], None] = unpublished
    clock: Callable[[], float] = time.perf_counter
    epoch: Callable[[], float] = time.time
    known: dict[Identity, Known] = field(default_factory=dict)

    def health(self, target: Target, ask: Ask, rule: Rule) -> Health:
        """What is known of the target; from now on it is probed with `ask`, and left out as `rule` says."""
        identity = Identity(target.url or target.embedded, target.model, target.key)
        known = self.known.get(identity)
        if known is None:
            breaker = Breaker(
                rule, self.clock, opened=partial(self._opened, identity), publish=partial(self._published, identity)
            )
            known = self.known[identity] = Known(Health(breaker, Pace(), Learned()), ask, target.first_token)
        known.ask, known.seconds = ask, target.first_token
        known.health.breaker.rule = rule
        return known.health

    def keep(self, plans: Mapping[str, Plan]) -> None:
        """Forget the targets that no route has any more. Their running streams end by themselves."""
        used = {id(each.health) for plan in plans.values() for each in plan.candidates}
        for identity, known in list(self.known.items()):
            if id(known.health) not in used:
                del self.known[identity]
                if known.probe is not None:
                    known.probe.cancel()

    def told(self, target: str, until: float) -> None:
        """Another worker leaves this target out until then (seconds since the epoch).

        What this one published itself comes back to it, and may be out of date by then: it changes nothing.
        """
        for identity, known in self.known.items():
            if identity.name == target and until != known.published:
                known.health.breaker.told(until - self.epoch())

    async def aclose(self) -> None:
        """End the probes."""
        probes = [known.probe for known in self.known.values() if known.probe is not None]
        for probe in probes:
            probe.cancel()
        await asyncio.gather(*probes, return_exceptions=True)

    def _published(self, identity: Identity, seconds: float) -> None:
        until = self.epoch() + seconds
        if (known := self.known.get(identity)) is not None:
            known.published = until
        self.publish(identity.name, until)

    def _opened(self, identity: Identity) -> None:
        known = self.known.get(identity)
        if known is None:  # a stream of a target that was removed
            return
        error = known.health.breaker.error
        grave = isinstance(error, UpstreamAuthFailed | UpstreamTLSError)  # nothing that passes by itself
        why = f"{error.code}: {error.message}" if error else "another worker says so"
        logger.log(logging.ERROR if grave else logging.WARNING, "%s is left out (%s)", identity.name, why)
        known.probe = asyncio.create_task(self._recovered(identity, known), name=f"probe {identity.name}")

    async def _recovered(self, identity: Identity, known: Known) -> None:
        breaker, _, learned = known.health
        await recovered(breaker, known.ask, known.seconds, learned, self.clock)
        logger.info("%s is back", identity.name)


def missing(plans: Iterable[Plan]) -> list[str]:
    """The targets that are left out at the moment, as `upstream:route/model`."""
    out = (
        each.named("")
        for plan in plans
        for each in plan.candidates
        if each.health.breaker.state != "closed" or each.health.breaker.cools
    )
    return [f"upstream:{name}" for name in dict.fromkeys(out)]
