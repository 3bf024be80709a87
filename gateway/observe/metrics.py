"""What `/metrics` says: a turn is counted once, when it has ended; what is so now is looked up when somebody asks.

Nothing is counted while a turn runs. A label holds names that are configured and words of this project, never what a
caller or an upstream wrote: everything else is `other`, so that nobody makes series without end.
"""

import asyncio
import os
from collections.abc import Callable, Container, Iterator
from itertools import pairwise
from typing import NamedTuple

from prometheus_client import CollectorRegistry, disable_created_metrics
from prometheus_client.exposition import choose_encoder

from gateway.errors import GatewayError
from gateway.observe.families import Counted, Measured
from gateway.observe.kept import Merged
from gateway.observe.present import Present, Reading, With
from gateway.observe.process import Used
from gateway.observe.shared import EACH, Living, Shared
from gateway.types import Turn

OTHER = "other"
PATIENCE = 2000.0
"""Milliseconds without a word after which a caller that hangs up was driven away."""
_HUNG_UP = "cancelled"
"""The code of an attempt that nobody waited for any more."""


class Known(NamedTuple):
    """The names that are configured now."""

    agents: Callable[[], Container[str]]
    routes: Callable[[], Container[str]]
    targets: Callable[[], Container[str]]
    """`route/model`, with the target's own model."""


class Metrics:
    """Counts turns. `reading` says what is so now; `version` is the gateway's.

    `place` is this process's among several workers: then what they say is of all of them, whichever is asked.
    """

    def __init__(self, known: Known, reading: Callable[[], Reading], version: str, place: Shared | None = None) -> None:
        self._known = known
        self._codes = frozenset(["", _HUNG_UP, *_codes(GatewayError)])
        self._reading = reading
        self._place = place
        disable_created_metrics()  # type: ignore[no-untyped-call]  # a third of the lines, and nobody asks for them
        own = CollectorRegistry()
        self._counted, self._measured = Counted(own), Measured(own)
        self._registry = own if place is None else CollectorRegistry()
        if place is not None:
            counted = (*self._counted.all, *self._measured.all, place.spent)
            self._registry.register(Merged(place.folder, counted))
        self._registry.register(Present(lambda: [one.reading for one in self._living()], version))
        self._registry.register(Used(lambda: [one.process for one in self._living()], spent=place is None))

    def turned(self, turn: Turn) -> None:
        """A turn has ended. Never waits, never raises."""
        agent, route = self._name(turn.agent, self._known.agents()), self._name(turn.route, self._known.routes())
        self._counted.requests(agent, route, turn.outcome).inc()
        self._measured.whole(agent, route).observe(turn.timings["total"] / 1000)
        if turn.code:
            self._counted.errors(turn.outcome, self._code(turn.code)).inc()
            if turn.target and turn.outcome != "client_gone":
                self._counted.midstream(self._code(turn.code)).inc()
        if turn.outcome == "client_gone":
            self._hung_up(turn)
        if turn.filler:
            self._counted.fillers(agent).inc()
        if turn.attempts:
            self._attempted(turn)
        if "retrieve" in turn.timings:
            self._looked_up(turn, agent)
        if "ttft" in turn.timings:
            self._spoke(turn, agent, route)

    def exposed(self, accept: str, sessions: int | None = None) -> tuple[bytes, str]:
        """What a scraper gets, in the form that its `Accept` asks for, and that form's media type. `sessions` run, as
        the store says; None: it does not.

        Takes some 10 µs a line, and 3 more for each worker: not for the event loop.
        """
        if self._place is not None:
            self._place.note(self._reading())
        encode, media_type = choose_encoder(accept)
        return encode(With(self._registry, sessions)), media_type

    async def noted(self) -> None:
        """Tell the other workers every second what is so now, until it is cancelled; nobody, where there are none."""
        while self._place is not None:
            await asyncio.to_thread(self._place.note, self._reading())
            await asyncio.sleep(EACH)

    def _living(self) -> list[Living]:
        """This process first, then all others that serve."""
        own = Living(os.getpid(), self._reading())
        return [own] if self._place is None else [own, *self._place.others()]

    def _hung_up(self, turn: Turn) -> None:
        self._counted.gone(turn.phase).inc()
        if "close" in turn.timings:
            self._measured.cancelled().observe(turn.timings["close"] / 1000)
        if "ttft" not in turn.timings and turn.timings["total"] >= PATIENCE:
            self._counted.abandoned().inc()

    def _attempted(self, turn: Turn) -> None:
        for one in turn.attempts:
            target, code = self._target(one.target), self._code(one.code)
            self._counted.attempts(target, one.kind, code).inc()
            if not code:
                self._measured.first_chunk(target).observe(one.milliseconds / 1000)
            elif code != _HUNG_UP:
                self._measured.failed(target, code).observe(one.milliseconds / 1000)
            if one.kind == "hedge":
                self._counted.hedges("no" if code else "yes").inc()
        for before, after in pairwise(turn.attempts):
            if after.kind in ("fallback", "continue"):
                reason = before.code or (turn.code if after.code else "upstream_truncated")
                targets = self._target(before.target), self._target(after.target)
                self._counted.fallbacks(*targets, self._code(reason)).inc()

    def _looked_up(self, turn: Turn, agent: str) -> None:
        found = turn.retrieved
        self._measured.retrieval(agent).observe(turn.timings["retrieve"] / 1000)
        self._counted.retrievals(found.outcome, found.reason).inc()
        if not found.passages and found.outcome in ("hybrid", "lexical"):
            self._counted.gaps(agent).inc()

    def _spoke(self, turn: Turn, agent: str, route: str) -> None:
        first = turn.timings["ttft"]
        self._measured.first_word(agent, route).observe(first / 1000)
        if "first_clause" in turn.timings:
            self._measured.first_clause(agent).observe(turn.timings["first_clause"] / 1000)
        if "longest_gap" in turn.timings:
            self._measured.longest_gap(agent).observe(turn.timings["longest_gap"] / 1000)
        if turn.filler:
            return  # its first word tells nothing of the upstream
        if "upstream" in turn.timings:
            self._measured.overhead(agent).observe(max(0.0, first - turn.timings["upstream"]) / 1000)
        if turn.usage is not None and turn.target:
            self._paced(turn, turn.timings["total"] - first)

    def _paced(self, turn: Turn, milliseconds: float) -> None:
        """What the upstream counted; `milliseconds` went by from the first word to the last."""
        target = self._target(turn.target)
        for kind, name in (("input", "prompt_tokens"), ("output", "completion_tokens")):
            if (count := turn.tokens(name)) is not None:
                self._measured.tokens(target, kind).observe(count)
        if (count := turn.tokens("completion_tokens") or 0) > 1:
            self._measured.pace(target).observe(milliseconds / 1000 / (count - 1))

    def _target(self, named: str) -> str:
        """A target with its own model; with one that a caller named it is `route/other`."""
        if named in self._known.targets():
            return named
        route = named.partition("/")[0]
        return f"{self._name(route, self._known.routes())}/{OTHER}"

    def _code(self, code: str) -> str:
        return self._name(code, self._codes)

    @staticmethod
    def _name(name: str, known: Container[str]) -> str:
        return name if not name or name in known else OTHER


def _codes(root: type[GatewayError]) -> Iterator[str]:
    """Every code in the tree."""
    yield root.code
    for kind in root.__subclasses__():
        yield from _codes(kind)
