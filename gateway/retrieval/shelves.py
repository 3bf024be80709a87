"""What an administrator sees of the knowledge and does with it, beside turns that are answered from it."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

from gateway.errors import Conflict, KnowledgeError, NotFound
from gateway.retrieval import ingest, versions
from gateway.retrieval.jobs import Jobs
from gateway.retrieval.library import Library, Shelf
from gateway.retrieval.retriever import Retriever
from gateway.settings import Settings
from gateway.types import Agent, Query, Retrieval
from gateway.types.administration import KnowledgeShelves
from gateway.types.knowledge import Collection, Looked, SealedVersion, Soundness


def shelves(settings: Settings, retriever: Retriever, jobs: Jobs) -> KnowledgeShelves:
    """The functions behind the admin API. What reads a disk does so in a thread."""
    directory, library = settings.knowledge.directory, retriever.library

    async def collections(agents: Mapping[str, Agent]) -> list[Collection]:
        return await asyncio.to_thread(_collections, settings, retriever, agents)

    async def sealed(name: str) -> list[SealedVersion]:
        await asyncio.to_thread(_known, directory, library, name)
        return await asyncio.to_thread(_versions, library.shelf(name), retriever)

    async def search(name: str, query: Query, retrieval: Retrieval) -> Looked:
        await asyncio.to_thread(_known, directory, library, name)
        try:
            return await retriever.look(name, query, retrieval)
        except KnowledgeError as error:
            raise Conflict(f"Collection {name!r} cannot be searched: {error.message}.") from error

    async def rollback(name: str, version: str) -> str:
        await asyncio.to_thread(_known, directory, library, name)
        served = await asyncio.to_thread(_rolled_back, library.shelf(name), version)
        await retriever.reload()
        jobs.elsewhere.serve()
        return served

    return KnowledgeShelves(collections, sealed, jobs.begin, jobs.all, jobs.watched, search, rollback)


def _names(directory: Path, library: Library) -> set[str]:
    """Folders of files and collections that have versions: either makes a collection."""
    return {name for name in (*ingest.collections(directory), *library.names()) if versions.NAME.fullmatch(name)}


def _known(directory: Path, library: Library, name: str) -> None:
    if name not in _names(directory, library):
        raise NotFound(f"There is no collection {name[:80]!r}.")


def _collections(settings: Settings, retriever: Retriever, agents: Mapping[str, Agent]) -> list[Collection]:
    names = _names(settings.knowledge.directory, retriever.library)
    for agent in agents.values():
        names.update(agent.collections)
    return [_collection(settings, retriever, name, agents) for name in sorted(names)]


def _collection(settings: Settings, retriever: Retriever, name: str, agents: Mapping[str, Agent]) -> Collection:
    shelf = retriever.library.shelf(name)
    current = shelf.current()
    serving, problem = retriever.served(name)
    here = _sealed(shelf, current, current, serving, problem) if current else None
    shown = _sealed(shelf, serving, current, serving, "") if serving and serving != current else here
    files = ingest.hashes(settings.knowledge.directory / name)
    try:
        made = shelf.version(current).fingerprint if current else ""
    except KnowledgeError:
        made = ""
    return Collection(
        name=name,
        files=len(files),
        changed=bool(files) and made != versions.fingerprint(files, settings.knowledge.passage_characters),
        passages=shown.passages if shown else 0,
        current=current,
        serving=serving,
        soundness=here.soundness if here else "untried",
        problem=problem,
        agents=tuple(sorted(agent.name for agent in agents.values() if name in agent.collections)),
    )


def _versions(shelf: Shelf, retriever: Retriever) -> list[SealedVersion]:
    current = shelf.current()
    serving, problem = retriever.served(shelf.collection)
    return [_sealed(shelf, name, current, serving, problem) for name in shelf.sealed()]


def _sealed(shelf: Shelf, name: str, current: str, serving: str, problem: str) -> SealedVersion:
    """`problem` is why not the current one is served, as far as the retriever has found out."""
    files = passages = 0
    try:
        version = shelf.version(name)
        files, passages = len(version.files), version.passages
        why = problem if name == current != serving else ""
    except KnowledgeError as error:
        why = error.message
    soundness: Soundness = "untried"
    if why:
        soundness = "damaged"
    elif name == serving or shelf.stamped(name):
        soundness = "sound"
    return SealedVersion(name, files, passages, soundness, why, name == current, name == serving)


def _rolled_back(shelf: Shelf, version: str) -> str:
    kept = shelf.sealed()
    if version and version not in kept:
        there = versions.listed(kept)
        raise NotFound(f"Collection {shelf.collection!r} has no version {version[:80]!r}; there are: {there}.")
    try:
        return ingest.rollback(shelf, version)
    except KnowledgeError as error:
        raise Conflict(f"{error.message}.") from error
    except OSError as error:
        raise ingest.refused(error) from error
