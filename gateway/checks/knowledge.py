"""What is known: the collections that agents use, and the model that searches them."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from gateway import clients
from gateway.checks.finding import Finding
from gateway.errors import ChromaUnavailable, KnowledgeError
from gateway.retrieval import embed, ingest, library, opening, versions
from gateway.retrieval.library import Shelf
from gateway.settings import Settings
from gateway.types import Agent

TRIAL = 30.0
"""Seconds to look every passage of a version up that was not tried since it changed: in a child, since that may die."""


async def looked(settings: Settings, agents: Mapping[str, Agent]) -> Sequence[Finding]:
    """Each collection that an agent uses, and the model that searches it."""
    names = clients.languages(agents)
    if not names:
        return []
    with library.opened(settings.var, settings.chroma_url) as shelves:
        looks = [asyncio.to_thread(_collection, shelves.shelf(name)) for name in names]
        found = await asyncio.gather(asyncio.to_thread(_embedding, settings.var), *looks)
        old = {one.what: one for one in await asyncio.to_thread(fresh, settings, names)}
    return [old.get(one.what, one) if one.level == "ok" else one for one in found]


def _embedding(var: Path) -> Finding:
    try:
        embed.Embedder(embed.directory(var), threads=1).query("ready")
    except Exception as error:  # noqa: BLE001  (what a damaged model throws is the library's choice)
        message = str(error).splitlines()[0]
        return Finding("fault", "embedding model", message, "gateway ingest, which converts it")
    return Finding("ok", "embedding model", versions.MODEL)


def _collection(shelf: Shelf) -> Finding:
    what = f"knowledge {shelf.collection}"
    remedy = f"gateway ingest {shelf.collection}"
    try:
        current = shelf.current()
        if current and (problem := shelf.fault(current, timeout=TRIAL)):
            rest = shelf.candidates()[1:]
            served = f"; the version before it, {rest[0]}, is served" if rest else ""
            return Finding("warning" if rest else "fault", what, f"version {current}: {problem}{served}", remedy)
        found = opening.opened_version(shelf)
    except ChromaUnavailable as error:
        says, _, remedy = error.message.rpartition(": ")
        return Finding("fault", what, says, remedy)
    except (KnowledgeError, OSError) as error:
        says = getattr(error, "message", str(error)).removesuffix(": run `gateway ingest`")
        return Finding("fault", what, says, remedy)
    version = found.contents.version
    found.retired = True
    found.leave()
    says = f"{len(version.files)} files, {version.passages} passages"
    if version.name != current:
        return Finding("warning", what, f"an older version than the current one is served: {version.name}", remedy)
    return Finding("ok", what, says)


def fresh(settings: Settings, collections: Iterable[str]) -> Sequence[Finding]:
    """Collections whose files are others than those that their current version was made of."""
    found = []
    with library.opened(settings.var, settings.chroma_url) as shelves:
        for name in collections:
            try:
                shelf = shelves.shelf(name)
                version = shelf.version(shelf.current())
                files = ingest.hashes(settings.knowledge.directory / name)
            except (KnowledgeError, OSError):
                continue  # there is none, and others say so
            if shelves.shared and not files:
                continue  # who serves need not be who ingests
            if version.fingerprint != versions.fingerprint(files, settings.knowledge.passage_characters):
                changed = {path for path in {*files, *version.files} if files.get(path) != version.files.get(path)}
                differ = "file differs" if len(changed) == 1 else "files differ"
                says = f"{len(changed)} {differ} from what is served" if changed else "made with other settings"
                found.append(Finding("warning", f"knowledge {name}", says, f"gateway ingest {name}"))
    return found
