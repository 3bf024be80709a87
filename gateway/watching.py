"""Files that changed, noticed: at once where the system tells, else within seconds; and a reload that is asked for.

What counts is how the files look, not which events came: editors, `git checkout`, rsync and the symlinks that
Kubernetes swaps under a config map all make different ones.
"""

import asyncio
import logging
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import NamedTuple, TypeAlias

from watchfiles import watch

from gateway.settings import Read, Settings

logger = logging.getLogger("gateway")

QUIET = 0.25
"""Seconds without a further change before anything is read: a deployment writes many files."""
LONGEST = 2.0
"""Seconds after which it is read even so."""
POLL = 5.0
"""Seconds between two looks at the files where no event came: some file systems send none."""


Events: TypeAlias = Callable[[Sequence[Path]], AsyncGenerator[object, None]]
"""Something happened in these folders, or nothing for a while."""


class Sources(NamedTuple):
    """Where settings come from, so that they can be read again."""

    read: Callable[[], Read]
    file: Path | None
    """The settings file, where there is one."""
    asked: asyncio.Event
    """Set by whoever wants a reload: SIGHUP."""


async def followed(
    settings: Settings,
    sources: Sources,
    reload: Callable[[], Awaitable[object]],
    *,
    events: Events | None = None,
    poll: float = POLL,
) -> None:
    """Reload whenever files changed or somebody asks. Never returns.

    `events` takes the place of the system's own; `poll` is how long a change waits at most where there are none.
    """
    looking = _looks(settings, sources.file, events or _events, poll)
    await asyncio.gather(_on_demand(sources.asked, reload), _on_change(looking, reload))


async def _on_demand(asked: asyncio.Event, reload: Callable[[], Awaitable[object]]) -> None:
    while True:
        await asked.wait()
        asked.clear()
        await reload()


async def _on_change(looking: AsyncGenerator[object, None], reload: Callable[[], Awaitable[object]]) -> None:
    seen: object = None  # what changed since it was read at the start is noticed by the first look
    async with aclosing(looking):
        async for look in looking:
            if look != seen:
                seen = look
                await reload()


async def _looks(settings: Settings, file: Path | None, events: Events, poll: float) -> AsyncGenerator[object, None]:
    """Yield how the files look: now, after each event, and every `poll` seconds."""
    told = False
    while True:
        try:
            places = await asyncio.to_thread(folders, settings, file)
            yield await asyncio.to_thread(looks, settings, file)
            async with aclosing(events(places)) as coming:
                async for _ in coming:
                    yield await asyncio.to_thread(looks, settings, file)
                    if await asyncio.to_thread(folders, settings, file) != places:
                        break
        except (OSError, RuntimeError) as error:  # too many watches, or none at all in this container
            if not told:
                told = True
                logger.warning("changes of files are noticed after %g seconds, not at once: %s", poll, error)
            await asyncio.sleep(poll)


async def _events(places: Sequence[Path]) -> AsyncGenerator[object, None]:
    """Yield after events in these folders, and every POLL seconds. Raises OSError, RuntimeError where it cannot watch.

    In a thread, and not with watchfiles' own `awatch`, whose first call imports a library while turns wait.
    """
    stop = threading.Event()
    watching = watch(
        *places,
        watch_filter=None,
        debounce=int(LONGEST * 1000),
        step=int(QUIET * 1000),
        rust_timeout=int(POLL * 1000),
        yield_on_timeout=True,
        recursive=False,
        ignore_permission_denied=True,
        stop_event=stop,
    )
    try:
        while True:
            yield await asyncio.to_thread(next, watching, None)
    finally:
        stop.set()


def looks(settings: Settings, file: Path | None) -> object:
    """Equal as long as a reload would read the same."""
    pointers = sorted((settings.var / "knowledge").glob("*/current"))
    collections = sorted(path.name for path in _listed(settings.knowledge.directory) if path.is_dir())
    return [_look(path) for path in (*_files(settings, file), *pointers)], collections


def folders(settings: Settings, file: Path | None) -> Sequence[Path]:
    """Where events of these files come from: their folders, where their symlinks lead, and what those lie in."""
    knowledge = settings.var / "knowledge"
    found = [settings.var, knowledge, settings.knowledge.directory, settings.prompts]
    found += [path for path in _listed(knowledge) if path.is_dir()]
    for path in (*_files(settings, file), settings.prompts):
        whole = path.absolute()
        found += [whole.parent, whole.resolve().parent]
        found += [part.parent for part in whole.parents if part.is_symlink()]
    return sorted({path.absolute() for path in found if path.is_dir()})


def _files(settings: Settings, file: Path | None) -> Iterable[Path]:
    return [*([file] if file else []), *sorted(settings.prompts.glob("*.md"))]


def _look(path: Path) -> tuple[str, int, int, int]:
    try:
        found = path.stat()
    except OSError:
        return str(path), 0, 0, 0
    return str(path), found.st_ino, found.st_size, found.st_mtime_ns


def _listed(directory: Path) -> Sequence[Path]:
    try:
        return list(directory.iterdir())
    except OSError:
        return ()
