"""Agents at Simli: planned, applied, listed, adopted, deleted. The CLI and `/admin` call the same functions.

Everything that is not Simli's or orchestration's own comes in from outside: where agent files are read, what an
agent's endpoint is, how a file's text becomes an agent.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

from gateway.errors import ConfigurationError, Conflict, Fault, NotFound, SimliError, SimliProtocolError
from gateway.orchestration import adopt as adoption
from gateway.orchestration.apply import Agents, carried_out, unnoticed
from gateway.orchestration.ownership import by_age, owned
from gateway.orchestration.plan import Drawn, Known, Wanted, changed, drawn
from gateway.simli.fields import DEFAULT_FACE, agent_fields, file_fields
from gateway.types import Agent
from gateway.types.administration import AgentFiles
from gateway.types.orchestration import Adopted, AgentsDesk, Applied, Change, Plan
from gateway.types.simli import SimliAgent

State: TypeAlias = Literal["in sync", "drift", "no file", "no face", "duplicate", "at fault", "foreign"]
"""`no file`, `no face`: `--prune` deletes it; `at fault`: its file cannot be read or mapped."""


class Listed(NamedTuple):
    """An agent at Simli."""

    name: str
    """Of the agent file; of a foreign one its name at Simli."""
    id: str
    state: State


class Texts(NamedTuple):
    """What stands where an agent's prompt would."""

    marker: str
    """The line that a registered agent has at Simli, which never reaches a model."""
    default: str
    """What Simli says where an agent there has no prompt."""


@dataclass(slots=True)
class Agency:
    """The agents of one gateway at one account of Simli's. Functions raise SimliError and ConfigurationError."""

    simli: Callable[[], AbstractAsyncContextManager[Agents]]
    """Opened for each thing that is done."""
    files: Callable[[], Awaitable[AgentFiles]]
    endpoint: Callable[[str], str]
    """Of an agent, as Simli is to call it. Raises ConfigurationError where there is no URL that Simli reaches."""
    gateway: str
    """The gateway's id."""
    prompts: Path
    load: adoption.Load
    texts: Texts
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)
    _turns: asyncio.Lock = field(default_factory=asyncio.Lock, repr=False)
    """Two applies of one process would both create what is missing."""

    @property
    def desk(self) -> AgentsDesk:
        """What the admin API is given."""
        return AgentsDesk(self.plan, self.apply, self.adopt, self.delete)

    async def plan(self, prune: bool = False) -> Plan:
        """What `apply` would do. Faults are in it."""
        async with self.simli() as simli:
            found, _ = await self._drawn(simli, prune=prune)
        return found.plan

    async def apply(self, prune: bool = False, *, done: Callable[[Change], None] = unnoticed) -> Applied:
        """Make Simli's agents what the files say, as far as Simli lets it. Raises ConfigurationError before anything
        is done where a file is at fault."""
        async with self._turns, self.simli() as simli:
            known, faults = self._known(await self.files())
            if faults:
                raise ConfigurationError(faults)
            found = drawn(known, await simli.agents(), self.gateway, prune=prune)
            return await carried_out(simli, found.steps, self.gateway, done=done)

    async def refresh(self, names: Collection[str] | None = None) -> Applied:
        """Only update agents that are at Simli already (of these names; None: all): after a rotation, a new URL.

        What is at fault stays as it is; raises ConfigurationError where nothing else is left to do."""
        async with self._turns, self.simli() as simli:
            found, _ = await self._drawn(simli, prune=False)
            steps = [step for step in found.steps if step.change.action == "update"]
            steps = [step for step in steps if names is None or step.change.agent in names]
            if found.plan.faults and not steps:
                raise ConfigurationError(found.plan.faults)
            return await carried_out(simli, steps, self.gateway)

    async def listed(self) -> list[Listed]:
        """All agents of the account: ours by name, then strangers."""
        async with self.simli() as simli:
            found, actual = await self._drawn(simli, prune=True)
        faulty = {Path(fault.where).stem for fault in found.plan.faults}
        changes = {change.id: change for change in found.plan.changes if change.id}
        ours = [self._listed(each, changes.get(each.id), found.plan, faulty) for each in actual]
        return sorted(ours, key=lambda each: (each.state == "foreign", each.name, each.id))

    async def adopt(self, id_: str, name: str = "") -> Adopted:
        """Write an agent file of an agent of Simli's, and take it over; `name`: of the file, else one is made.

        May be asked again where it was cut short. Raises SimliNotFound, Conflict where it is a gateway's already.
        """
        async with self._turns, self.simli() as simli:
            agent = await simli.agent(id_)
            path = await asyncio.to_thread(adoption.adopted_before, self.prompts, agent.id)
            if path is None:
                path = await asyncio.to_thread(self._file, agent, name)
            elif name and name != path.stem:
                raise Conflict(f"{agent.id} was adopted as {path.stem} before: {path}")
            text = await asyncio.to_thread(path.read_text, "utf-8")
            wanted = self._wanted(self.load(path.stem, text, str(path)), str(path))
            if fields := changed(wanted.fields, agent.fields):
                await simli.update_agent(agent.id, fields)
                if owned(await simli.agent(agent.id), self.gateway) != path.stem:
                    raise SimliProtocolError(f"Simli did not keep the llm_endpoint of {agent.id}; {path} is written")
            return Adopted(path.stem, agent.id, str(path))

    async def delete(self, name: str) -> Change:
        """Delete the agent of ours of this name at Simli; the file stays. Raises NotFound where there is none."""
        async with self._turns, self.simli() as simli:
            mine = sorted((each for each in await simli.agents() if owned(each, self.gateway) == name), key=by_age)
            if not mine:
                raise NotFound(f"Simli has no agent of this gateway for {name[:80]!r}.")
            for each in reversed(mine):
                await simli.delete_agent(each.id)
            more = tuple(f"so was its duplicate {each.id}" for each in mine[1:])
            return Change("delete", name, mine[0].id, warnings=more)

    def _file(self, agent: SimliAgent, name: str) -> Path:
        """The new file of an agent, which loads and can be given back to Simli."""
        prompt = str(agent.fields.get("prompt") or "").strip() or self.texts.default
        if prompt.startswith(self.texts.marker):
            raise Conflict(
                f"{agent.id} belongs to {'this' if owned(agent, self.gateway) else 'another'} gateway already, and its "
                "persona is not at Simli: there is nothing to write into a file."
            )
        name = adoption.chosen(name, agent.name, self.prompts)
        path = self.prompts / f"{name}.md"
        text = adoption.written(name, agent.id, {"face_id": DEFAULT_FACE, **file_fields(agent.fields)}, prompt)
        self._wanted(self.load(name, text, str(path)), str(path))
        adoption.kept(path, text)
        return path

    async def _drawn(self, simli: Agents, *, prune: bool) -> tuple[Drawn, list[SimliAgent]]:
        known, faults = self._known(await self.files())
        try:
            actual = await simli.agents()
        except SimliError:
            if faults:  # they are mended first, and without Simli
                raise ConfigurationError(faults) from None
            raise
        found = drawn(known, actual, self.gateway, prune=prune)
        return found._replace(plan=replace(found.plan, faults=tuple(sorted(faults)))), actual

    def _known(self, files: AgentFiles) -> tuple[Known, list[Fault]]:
        """What the files ask for, and what is wrong with them or cannot be given to Simli."""
        faults = list(files.faults)
        wanted: list[Wanted] = []
        faceless = {name for name, agent in files.agents.items() if not agent.face_id}
        for name in sorted(files.agents.keys() - faceless):
            try:
                wanted.append(self._wanted(files.agents[name], files.paths[name]))
            except ConfigurationError as error:
                faults += [fault for fault in error.faults if fault not in faults]
        broken = files.paths.keys() - {each.agent for each in wanted} - faceless
        return Known(wanted, faceless, broken), faults

    def _wanted(self, agent: Agent, where: str) -> Wanted:
        """The agent as Simli is to have it. Raises ConfigurationError where Simli cannot take it."""
        mapped = agent_fields(agent, self.endpoint(agent.name), self.texts.marker, environ=self.environ)
        if mapped.faults:
            raise ConfigurationError([Fault(where, 0, "", fault) for fault in mapped.faults])
        return Wanted(agent.name, mapped.fields, mapped.warnings)

    def _listed(self, agent: SimliAgent, change: Change | None, plan: Plan, faulty: Collection[str]) -> Listed:
        name = owned(agent, self.gateway)
        if not name or change is None:
            return Listed(agent.name, agent.id, "foreign")
        if change.unwanted:
            return Listed(name, agent.id, "no face" if name in plan.faceless else "no file")
        if change.action == "delete":
            return Listed(name, agent.id, "duplicate")
        if name in faulty:
            return Listed(name, agent.id, "at fault")
        return Listed(name, agent.id, "drift" if change.action == "update" else "in sync")
