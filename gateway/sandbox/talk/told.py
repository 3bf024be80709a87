"""What an LLM says of its answer in the answer's headers, where a gateway stands before it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote


@dataclass(frozen=True, slots=True)
class Told:
    """Whatever is not there is empty."""

    request_id: str = ""
    target: str = ""
    """Who answered."""
    sources: tuple[str, ...] = ()
    """The passages that the answer was made from."""
    timings: dict[str, float] = field(default_factory=dict)
    """Milliseconds of each part of the work, by its name, in their order."""

    def until(self, name: str) -> float | None:
        """Seconds of the work up to and with that part; None where it is not told of."""
        names = list(self.timings)
        if name not in names:
            return None
        return sum(self.timings[one] for one in names[: names.index(name) + 1]) / 1000


def told(headers: Mapping[str, str]) -> Told:
    """What these headers say."""
    sources = headers.get("x-gateway-sources", "")
    return Told(
        headers.get("x-request-id", ""),
        unquote(headers.get("x-gateway-target", "")),
        tuple(unquote(one.strip()) for one in sources.split(",") if one.strip()),
        timings(headers.get("Server-Timing", "")),
    )


def timings(text: str) -> dict[str, float]:
    """`Server-Timing` as milliseconds by name; an entry without a duration is none."""
    found: dict[str, float] = {}
    for entry in text.split(","):
        name, *parameters = (part.strip() for part in entry.split(";"))
        for parameter in parameters:
            key, _, value = parameter.partition("=")
            if name and key.strip().lower() == "dur" and (dur := _number(value.strip().strip('"'))) is not None:
                found[name] = dur
    return found


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
