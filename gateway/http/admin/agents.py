"""`/admin/agents` and `/admin/reload`: what the files say, and what is served of it."""

import logging
from dataclasses import dataclass
from typing import Literal, TypeAlias

from starlette.requests import Request
from starlette.responses import Response

from gateway.errors import Fault, FilesAtFault, NotFound
from gateway.http.admin.bodies import answered
from gateway.http.admin.operation import Nothing
from gateway.http.state import State
from gateway.types import Agent
from gateway.types.administration import AgentFiles

logger = logging.getLogger("gateway.admin")

Serving: TypeAlias = Literal["as written", "as it was", "not"]
"""Of an agent: as its file says now; as the file said before it was changed, broken or deleted; or not at all."""


@dataclass(frozen=True, slots=True)
class AgentListed:
    """An agent in short: as its file says, or as it is served where the file cannot be read."""

    name: str
    description: str
    language: str
    """BCP 47."""
    route: str
    """Empty: the default route."""
    collections: tuple[str, ...]
    file: str
    """Empty where it was deleted."""
    serving: Serving
    """`as it was`: the file was changed, broken or deleted since; `not`: it is new, or was never right."""
    faults: tuple[Fault, ...]
    """What is wrong with its file now."""


@dataclass(frozen=True, slots=True)
class AgentsListed:
    """Agents by name; the files are read for this answer."""

    agents: list[AgentListed]
    faults: tuple[Fault, ...]
    """Those that belong to no file of an agent."""


@dataclass(frozen=True, slots=True)
class AgentShown:
    """Everything of an agent."""

    file: str
    serving: Serving
    served: Agent | None
    """What answers now."""
    written: Agent | None
    """What the file says; null where it cannot be served."""
    faults: tuple[Fault, ...]


@dataclass(frozen=True, slots=True)
class CapabilityRotated:
    """An agent's capability that was renewed: the one before it opens nothing any more."""

    agent: str
    generation: int
    path: str
    """Where callers that can send no header ask the agent from now on. It is a secret."""


@dataclass(frozen=True, slots=True)
class ReloadDone:
    """What a reload did."""

    changed: tuple[str, ...]
    """What is served anew: `agent nora`, `route main`, `knowledge lighthouse`."""
    later: tuple[str, ...]
    """Settings that were changed and take effect at the next start."""
    others: int | None = 0
    """Other processes, of this port or of other machines, that have read them too; null: the store is away, and nobody
    knows."""
    behind: int = 0
    """Other processes that have not: files are broken where they are, or they did not answer in time."""


def _serving(served: Agent | None, written: Agent | None) -> Serving:
    if served is None:
        return "not"
    return "as written" if served == written else "as it was"


def _listed(name: str, files: AgentFiles, served: Agent | None) -> AgentListed:
    written = files.agents.get(name)
    shown = written or served or Agent(name, "", language="")
    file = files.paths.get(name, "")
    faults = tuple(fault for fault in files.faults if file and fault.where == file)
    return AgentListed(
        name, shown.description, shown.language, shown.route, shown.collections, file,
        _serving(served, written), faults,
    )  # fmt: skip


async def listed(request: Request[State], _: Nothing) -> Response:
    """List the agents of the files and those that are served."""
    files = await request.state["administration"].agent_files()
    served = request.state["brain"]().agents
    names = sorted({*files.paths, *served})
    of_files = set(files.paths.values())
    agents = [_listed(name, files, served.get(name)) for name in names]
    return answered(AgentsListed(agents, tuple(fault for fault in files.faults if fault.where not in of_files)))


async def shown(request: Request[State], _: Nothing) -> Response:
    """Show everything of one agent. A file holds names of environment variables and no secret."""
    name = request.path_params["agent"]
    files = await request.state["administration"].agent_files()
    served = request.state["brain"]().agents.get(name)
    if served is None and name not in files.paths:
        raise NotFound(f"There is no agent {name!r}.")
    written = files.agents.get(name)
    short = _listed(name, files, served)
    return answered(AgentShown(short.file, short.serving, served, written, short.faults))


async def rotated(request: Request[State], _: Nothing) -> Response:
    """Renew an agent's capability, on every worker at once."""
    name = request.path_params["agent"]
    if name not in request.state["brain"]().agents:
        raise NotFound(f"There is no agent {name!r} that is served.")
    done = await request.state["administration"].rotate(name)
    logger.info("request %s: agent %s has capability %d", request.state["request_id"], name, done.generation)
    return answered(CapabilityRotated(name, done.generation, done.path))


async def reloaded(request: Request[State], _: Nothing) -> Response:
    """Read settings, agents and knowledge pointers again, in every process; where a file is broken nothing changes."""
    done = await request.state["reload"]()
    if done.faults:
        raise FilesAtFault("Nothing was reloaded, what was served is served still: files are broken.", done.faults)
    return answered(ReloadDone(tuple(done.changed), tuple(done.later), done.others, done.behind))
