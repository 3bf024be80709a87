"""Whose an agent at Simli is: said by its `llm_endpoint`, whatever the host, so that nobody keeps a list. Pure.

An endpoint of ours has the path `/k/{gateway id}.{capability}/agents/{agent}/v1/chat/completions`, perhaps below the
path of the public URL. The id says which gateway; `agents/{agent}` which file; the capability, that nobody else may
read, is left out wherever an endpoint is shown.
"""

import re
from datetime import UTC, datetime
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from gateway.types.simli import SimliAgent

ENDPOINT = "llm_endpoint"
_PATH = re.compile(r"/k/(?P<gateway>[a-z0-9]{1,64})\.(?P<capability>[^/]*)/agents/(?P<agent>[a-z0-9][a-z0-9-]*)(?=/|$)")


class Claim(NamedTuple):
    """What an endpoint says of itself."""

    gateway: str
    """Id of the gateway that it leads to."""
    agent: str
    """The agent file that it is for."""


def claim(agent: SimliAgent) -> Claim | None:
    """Which gateway and which agent this one of Simli's is served by; None where it is no gateway's."""
    try:
        path = urlsplit(str(agent.fields.get(ENDPOINT) or "")).path
    except ValueError:
        return None
    found = _PATH.search(path)
    return Claim(found["gateway"], found["agent"]) if found else None


def owned(agent: SimliAgent, gateway: str) -> str:
    """The name of the agent file that it belongs to, where it is this gateway's; else empty."""
    found = claim(agent)
    return found.agent if found is not None and found.gateway == gateway else ""


def by_age(agent: SimliAgent) -> tuple[float, str]:
    """Sorts the oldest first: of two for one file it is the one that people's links lead to."""
    return _seconds(agent.fields.get("created_at")), agent.id


def concealed(text: str) -> str:
    """The text with `…` in the place of a capability."""
    return _PATH.sub(lambda found: f"/k/{found['gateway']}.…/agents/{found['agent']}", text)


def _seconds(written: Any) -> float:
    """A time as Simli writes it; what cannot be read is as young as can be."""
    if isinstance(written, int | float):
        return float(written)
    try:
        moment = datetime.fromisoformat(str(written))
    except ValueError:
        return float("inf")
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
