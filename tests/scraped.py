"""What a gateway's `/metrics` says, as a scraper reads it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families

GROWS = ("_total", "_sum", "_count", "_bucket")
"""How the names end of what is counted."""


@dataclass(frozen=True)
class Scraped:
    """The samples of one scrape, by name and labels."""

    samples: Mapping[tuple[str, frozenset[tuple[str, str]]], float]
    types: Mapping[str, str]

    def value(self, name: str, **labels: str) -> float:
        """Of one sample; 0 where there is none."""
        return self.samples.get((name, frozenset(labels.items())), 0.0)

    def total(self, name: str, **labels: str) -> float:
        """Of all samples of the name that have these labels."""
        return sum(self.by(name, **labels).values())

    def by(self, name: str, *kept: str, **labels: str) -> dict[tuple[str, ...], float]:
        """Values summed by the labels `kept`."""
        found: dict[tuple[str, ...], float] = {}
        for (each, its), value in self.samples.items():
            if each == name and frozenset(labels.items()) <= its:
                key = tuple(dict(its).get(label, "") for label in kept)
                found[key] = found.get(key, 0.0) + value
        return found

    def fallen(self, later: "Scraped") -> list[str]:
        """What only ever grows, and was smaller later or gone: to Prometheus, a restart."""
        return [
            f"{name}{dict(its)} fell from {value:g} to {later.value(name, **dict(its)):g}"
            for (name, its), value in self.samples.items()
            if name.endswith(GROWS) and later.samples.get((name, its), -1.0) < value
        ]


def read(text: str) -> Scraped:
    """Raises ValueError where it is not what Prometheus reads."""
    families = list(text_string_to_metric_families(text))
    samples = {(one.name, frozenset(one.labels.items())): one.value for each in families for one in each.samples}
    return Scraped(samples, {each.name: each.type for each in families})


async def scraped(url: str, **headers: Any) -> Scraped:
    """One scrape of this gateway."""
    async with httpx.AsyncClient() as client:
        answer = await client.get(f"{url}/metrics", headers=headers)
        assert answer.status_code == 200, answer.text
        return read(answer.text)
