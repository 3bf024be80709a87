"""Do the callers and `/metrics` tell the same? A histogram's percentile is a bucket: the callers' has to lie there."""

import math
import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from tests.bench.measuring import percentile

FIRST = "gen_ai_server_time_to_first_token_seconds"
WHOLE = "gen_ai_server_request_duration_seconds"
SHARES = (0.5, 0.95, 0.99)
APART = 0.05
"""Of the requests: so many may be counted on the other side of the moment at which a step begins or ends."""
FEW = 3
"""So many may always be."""
_LINE = re.compile(r"^(\w+)_bucket\{(?:.*,)?le=\"([^\"]+)\".*\} (\S+)", re.MULTILINE)

Buckets = Mapping[float, float]
"""How many observations were at most so many seconds."""


def buckets(exposed: str, family: str) -> Buckets:
    """A histogram in Prometheus's text format, its labels summed up; empty where it is not there."""
    found: dict[float, float] = {}
    for name, edge, count in _LINE.findall(exposed):
        if name == family:
            at = float(edge.replace("+Inf", "inf"))
            found[at] = found.get(at, 0.0) + float(count)
    return dict(sorted(found.items()))


def between(before: Buckets, after: Buckets) -> Buckets:
    """What came after the one and until the other."""
    return {edge: count - before.get(edge, 0.0) for edge, count in after.items()}


class Bucket(NamedTuple):
    """Seconds; the upper end belongs to it."""

    least: float
    most: float


def where(counts: Buckets, share: float) -> Bucket | None:
    """The bucket in which this share of the observations is reached; None where there are no observations."""
    total = max(counts.values(), default=0.0)
    if total <= 0:
        return None
    for (least, _), (most, count) in pairwise([(0.0, 0.0), *counts.items()]):
        if count >= share * total:
            return Bucket(least, most)
    return None


class Agreement(NamedTuple):
    """One percentile, told twice."""

    measure: str
    share: float
    callers: float
    """Seconds, as callers measured them."""
    server: Bucket
    counted: tuple[int, int]
    """Requests that callers and server counted."""

    @property
    def agrees(self) -> bool:
        """Whether the callers' is in the server's bucket, or beside it by no more than its width."""
        least, most = self.server
        width = most - least
        if math.isinf(width):
            return self.callers >= least
        return least - width <= self.callers <= most + width

    def __str__(self) -> str:
        least, most = self.server
        upper = "beyond" if math.isinf(most) else f"{most:g} s"
        return f"{self.measure} p{self.share * 100:g} {self.callers:.3f} s, /metrics {least:g} s to {upper}"

    def as_json(self) -> dict[str, Any]:
        """For the saved file; a bucket without an end has None for it."""
        most = None if math.isinf(self.server.most) else self.server.most
        return {**self._asdict(), "server": [self.server.least, most], "agrees": self.agrees}

    @classmethod
    def read(cls, saved: Mapping[str, Any]) -> "Agreement":
        """What `as_json` made of it."""
        least, most = saved["server"]
        server = Bucket(least, math.inf if most is None else most)
        callers, counted = saved["counted"]
        return cls(saved["measure"], saved["share"], saved["callers"], server, (callers, counted))


class Compared(NamedTuple):
    """What came of it: the percentiles, or why there are none."""

    agreements: Sequence[Agreement] = ()
    why: str = ""


def compared(before: str, after: str, firsts: Sequence[float], wholes: Sequence[float]) -> Compared:
    """Hold two scrapes of `/metrics` against what callers measured between them, in seconds."""
    found = []
    for family, measure, values in ((FIRST, "first words", firsts), (WHOLE, "whole turn", wholes)):
        counts = between(buckets(before, family), buckets(after, family))
        total = round(max(counts.values(), default=0.0))
        if not counts or not values:
            return Compared(why=f"/metrics or the callers have nothing of {family}.")
        if abs(total - len(values)) > max(FEW, APART * total):
            return Compared(
                why=f"/metrics counted {total} ({measure}) and the callers {len(values)}: not the same requests."
            )
        for share in SHARES:
            bucket = where(counts, share)
            assert bucket is not None
            found.append(Agreement(measure, share, percentile(values, share), bucket, (len(values), total)))
    return Compared(found)
