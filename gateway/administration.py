"""Binds what is behind the admin API: agent files, the knowledge, what the store keeps, and Simli.

A client of Simli's is opened for each thing that is done there: a gateway that has nothing to do with it pays nothing.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gateway import agent_files
from gateway.desk import agency
from gateway.http.capability import capability, gateway_id, path
from gateway.launching import launchpad
from gateway.orchestration import sessions
from gateway.orchestration.faces import faces_desk
from gateway.orchestration.launchpad import Launchpad
from gateway.reloading import Current
from gateway.retrieval import jobs
from gateway.retrieval.jobs import Jobs
from gateway.retrieval.shelves import shelves
from gateway.types import Key, WantedTurns
from gateway.types.administration import Administration, AgentFiles, KeyCabinet, Rotated, TurnsKept, WantedKey
from gateway.types.knowledge import Elsewhere
from gateway.types.orchestration import Desk


@asynccontextmanager
async def opened(current: Current, elsewhere: Elsewhere) -> AsyncIterator[Administration]:
    """What is behind `/admin`, and beside it the end of sessions. Leaving ends the ingests that run.

    `elsewhere`: the other processes, which are told of ingests and go on with those.
    """
    pad = launchpad(current.settings, current.opened.store, lambda: current.agents)
    settings, knowledge = current.settings, current.opened.knowledge
    async with jobs.opened(settings, knowledge, elsewhere=elsewhere) as ingests, sessions.reaped(pad):
        yield bound(current, ingests, pad)


def bound(current: Current, ingests: Jobs, pad: Launchpad) -> Administration:
    """The functions behind `/admin`, of what is served now."""
    store, settings = current.opened.store, current.settings

    async def files() -> AgentFiles:
        return await asyncio.to_thread(read, current.settings)

    async def create(wanted: WantedKey) -> tuple[Key, str]:
        made = await store.keys.create(
            scope=wanted.scope, name=wanted.name, agent=wanted.agent, rate=wanted.rate, expires=wanted.expires
        )
        return made.key, made.text

    async def listed() -> list[tuple[Key, float | None]]:
        return [(one.key, one.used) for one in await store.keys.listed()]

    async def rotate(agent: str) -> Rotated:
        generation = await store.generations.rotate(agent)
        made = capability(store.secret, agent, generation)
        return Rotated(generation, path(gateway_id(store.secret, current.settings.simli.id), made, agent))

    async def turns(wanted: WantedTurns) -> TurnsKept:
        return TurnsKept(*await store.turns.listed(wanted))

    keys = KeyCabinet(create, listed, store.keys.revoke)
    desk = Desk(
        agency(settings, store, files).desk,
        sessions.sessions_desk(pad),
        faces_desk(pad.simli, lambda: current.agents, settings.environ),
    )
    knowledge = shelves(settings, current.opened.knowledge, ingests)
    return Administration(keys, files, rotate, knowledge, turns, store.turns.told, desk)


read = agent_files.read
"""Reads them as they are now, faults and all."""
