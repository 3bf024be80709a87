"""Binds what is behind the admin API: agent files, the knowledge, and what the store keeps."""

import asyncio
from collections.abc import Sequence

from gateway.chat import agent as agent_files
from gateway.errors import ConfigurationError, Fault, StoreUnavailable
from gateway.reloading import Current
from gateway.retrieval.jobs import Jobs
from gateway.retrieval.shelves import shelves
from gateway.settings import Settings
from gateway.types import Agent, Key
from gateway.types.administration import Administration, AgentFiles, KeyCabinet, Rotated, WantedKey


def bound(current: Current, jobs: Jobs) -> Administration:
    """The administration of a gateway without a store: what needs one says so."""

    async def files() -> AgentFiles:
        return await asyncio.to_thread(read, current.settings)

    return Administration(
        KeyCabinet(_no_key, _no_keys, _no_such),
        files,
        _no_rotation,
        shelves(current.settings, current.opened.knowledge, jobs),
    )


def read(settings: Settings) -> AgentFiles:
    """The agent files as they are now. What is wrong with one leaves the others alone."""
    agents: dict[str, Agent] = {}
    faults: list[Fault] = []
    paths: dict[str, str] = {}
    if not settings.prompts.is_dir():
        faults.append(Fault(str(settings.prompts), 0, "", "no such folder; agent files are looked for here"))
    collections = [path.name for path in settings.knowledge.directory.glob("*") if path.is_dir()]
    for path in sorted(settings.prompts.glob("*.md")):
        paths[path.stem] = str(path)
        try:
            agents |= agent_files.loaded({str(path): path.read_text("utf-8")}, settings.routes, collections)
        except ConfigurationError as error:
            faults += error.faults
        except (OSError, UnicodeDecodeError) as error:
            faults.append(Fault(str(path), 0, "", f"cannot be read as UTF-8 text: {error}"))
    return AgentFiles(agents, faults, paths)


_AWAY = "This gateway runs without a store: keys and capabilities cannot be kept."


async def _no_key(_: WantedKey) -> tuple[Key, str]:
    raise StoreUnavailable(_AWAY)


async def _no_keys() -> Sequence[Key]:
    raise StoreUnavailable(_AWAY)


async def _no_such(_: str) -> Key | None:
    raise StoreUnavailable(_AWAY)


async def _no_rotation(_: str) -> Rotated:
    raise StoreUnavailable(_AWAY)
