"""Binds what is behind the admin API: agent files, the knowledge, and what the store keeps."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gateway.chat import agent as agent_files
from gateway.errors import ConfigurationError, Fault
from gateway.http.capability import capability, gateway_id, path
from gateway.reloading import Current
from gateway.retrieval import jobs
from gateway.retrieval.jobs import Jobs
from gateway.retrieval.shelves import shelves
from gateway.settings import Settings
from gateway.types import Agent, Key
from gateway.types.administration import Administration, AgentFiles, KeyCabinet, Rotated, WantedKey


@asynccontextmanager
async def opened(current: Current) -> AsyncIterator[Administration]:
    """What is behind `/admin`. Leaving ends the ingests that run."""
    async with jobs.opened(current.settings, current.opened.knowledge) as ingests:
        yield bound(current, ingests)


def bound(current: Current, ingests: Jobs) -> Administration:
    """The functions behind `/admin`, of what is served now."""
    store = current.opened.store

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

    keys = KeyCabinet(create, listed, store.keys.revoke)
    return Administration(keys, files, rotate, shelves(current.settings, current.opened.knowledge, ingests))


def read(settings: Settings) -> AgentFiles:
    """The agent files as they are now. What is wrong with one leaves the others alone."""
    agents: dict[str, Agent] = {}
    faults: list[Fault] = []
    paths: dict[str, str] = {}
    if not settings.prompts.is_dir():
        faults.append(Fault(str(settings.prompts), 0, "", "no such folder; agent files are looked for here"))
    collections = [path.name for path in settings.knowledge.directory.glob("*") if path.is_dir()]
    for file in sorted(settings.prompts.glob("*.md")):
        paths[file.stem] = str(file)
        try:
            agents |= agent_files.loaded({str(file): file.read_text("utf-8")}, settings.routes, collections)
        except ConfigurationError as error:
            faults += error.faults
        except (OSError, UnicodeDecodeError) as error:
            faults.append(Fault(str(file), 0, "", f"cannot be read as UTF-8 text: {error}"))
    return AgentFiles(agents, faults, paths)
