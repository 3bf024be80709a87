"""A plan carried out at Simli, step by step; it stops at the first error and says how far it came.

Nothing is written down on the way: whose an agent is stands in the agent itself, so after a kill between any two calls
the next plan finds what was done. A creation that may have been done though no answer came is looked for first.
"""

import logging
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, Protocol

from gateway.errors import (
    SimliError,
    SimliProtocolError,
)
from gateway.orchestration.ownership import by_age, owned
from gateway.orchestration.plan import DUPLICATE, Step
from gateway.types.orchestration import Applied, Change
from gateway.types.simli import SimliAgent

logger = logging.getLogger("gateway.orchestration")

UNOWNED = "Simli did not keep the llm_endpoint of the agent that it made for {name}; the agent was deleted again"


class Agents(Protocol):
    """What of Simli's client is used here: `gateway.simli.client.Simli` has it."""

    async def agents(self) -> list[SimliAgent]:
        """All agents of the account."""

    async def agent(self, id_: str) -> SimliAgent:
        """One of them. Raises SimliNotFound."""

    async def create_agent(self, fields: Any) -> SimliAgent:
        """Make one; never tried twice."""

    async def update_agent(self, id_: str, fields: Any) -> None:
        """Change these fields."""

    async def delete_agent(self, id_: str) -> None:
        """Delete it, or find it gone."""


def unnoticed(change: Change) -> None:
    """Nobody watches."""
    del change


async def carried_out(
    simli: Agents, steps: Sequence[Step], gateway: str, *, done: Callable[[Change], None] = unnoticed
) -> Applied:
    """Take the steps in their order. `done` is told each one, as soon as it is done. Never raises SimliError."""
    changes: list[Change] = []

    def took(change: Change) -> None:
        logger.info("agent %s: %s, %s at Simli", change.agent, change.action, change.id)
        changes.append(change)
        done(change)

    stopped: SimliError | None = None
    for step in steps:
        try:
            took(await _taken(simli, step, gateway))
        except SimliError as error:
            logger.warning("agent %s: %s failed (%s)", step.change.agent, step.change.action, error.code)
            stopped = error
            break
    left = len(steps) - len(changes)
    await _alone(simli, {change.agent for change in changes if change.action == "create"}, gateway, took)
    if stopped is not None:
        return Applied(tuple(changes), stopped.message, stopped.code, left)
    return Applied(tuple(changes))


async def _alone(simli: Agents, created: Collection[str], gateway: str, took: Callable[[Change], None]) -> None:
    """Of what two applies make at the same moment the older stays: whoever makes the second one sees both here.

    Where that fails the next plan does it.
    """
    if not created:
        return
    with suppress(SimliError):
        seen: set[str] = set()
        for agent in sorted(await simli.agents(), key=by_age):
            name = owned(agent, gateway)
            if name in created and name in seen:
                await simli.delete_agent(agent.id)
                took(Change("delete", name, agent.id, warnings=(DUPLICATE,)))
            seen.add(name)


async def _taken(simli: Agents, step: Step, gateway: str) -> Change:
    change = step.change
    if change.action == "create":
        return replace(change, id=await _created(simli, step, gateway))
    if change.action == "update":
        await simli.update_agent(change.id, step.fields)
    else:
        await simli.delete_agent(change.id)
    return change


async def _created(simli: Agents, step: Step, gateway: str) -> str:
    """Its id at Simli. Where nobody knows whether it was made, it is looked for before the error is raised."""
    name = step.change.agent
    try:
        made = await simli.create_agent(step.fields)
    except SimliError as error:
        if error.undone:
            raise
        with suppress(SimliError):
            for agent in sorted(await simli.agents(), key=by_age):
                if owned(agent, gateway) == name:
                    return agent.id
        raise
    if owned(made, gateway) != name and owned(await simli.agent(made.id), gateway) != name:
        # It would be nobody's, and the next apply would make another one.
        await simli.delete_agent(made.id)
        raise SimliProtocolError(UNOWNED.format(name=name))
    return made.id
