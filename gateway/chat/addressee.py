"""Who answers a request: an agent in the path, whatever `model` says; else what `model` names; else the default."""

from collections.abc import Collection, Mapping
from typing import NamedTuple

from gateway.errors import ModelNotFound
from gateway.types import Agent


class Addressee(NamedTuple):
    """An agent on its route, or a route asked itself."""

    agent: Agent | None
    route: str
    model: str = ""
    """A model's name at the route's targets, from `ROUTE/NAME`; empty: the targets' own."""


def addressee(
    model: str,
    path_agent: str,
    *,
    agents: Mapping[str, Agent],
    routes: Collection[str],
    default_agent: str,
    default_route: str,
) -> Addressee:
    """Raise ModelNotFound where nobody is meant.

    Simli sends `gpt-4o-mini` where nobody set a model, so an agent in the path answers to any, and an unknown model
    goes to the default agent where there is one.
    """
    if path_agent:
        if path_agent not in agents:
            raise ModelNotFound(f"There is no agent {path_agent!r}. {_known(agents)}", param="model")
        agent = agents[path_agent]
        return Addressee(agent, agent.route or default_route)
    if model in agents:
        return Addressee(agents[model], agents[model].route or default_route)
    if model in routes:
        return Addressee(None, model)
    route, slash, name = model.partition("/")
    if slash and name and route in routes:
        return Addressee(None, route, name)
    if default_agent in agents:
        return Addressee(agents[default_agent], agents[default_agent].route or default_route)
    what = f"There is no model {model!r}" if model else "The request names no model, and there is no default agent"
    raise ModelNotFound(f"{what}. {_known(agents)}", param="model")


def _known(agents: Mapping[str, Agent]) -> str:
    return f"Agents: {', '.join(sorted(agents)) or 'none'}. GET /v1/models lists all that answers."
