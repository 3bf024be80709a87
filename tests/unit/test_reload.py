"""What a reload takes, what waits for the next start, and which files are looked at."""

import asyncio
import os
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.settings import Breaker, Knowledge, Read, Route, Server, Settings, Store, Target
from gateway.settings.changes import LIVE, taken, waiting
from gateway.watching import Sources, folders, followed, looks

NOW = Settings(redis_url="redis://:secret@host", routes={"up": Route((Target(url="http://a/v1"),))})


def test_routes_and_the_breaker_are_taken() -> None:
    """All that a turn takes at its beginning is replaced, and nothing else is."""
    read = Settings(
        routes={"other": Route()},
        default_route="other",
        default_agent="nora",
        breaker=Breaker(failures=9),
        var=Path("x"),
    )
    assert taken(NOW, read) == replace(
        NOW, routes={"other": Route()}, default_route="other", default_agent="nora", breaker=Breaker(failures=9)
    )
    assert waiting(taken(NOW, read), read) == ("var", "redis_url")


def test_the_rest_is_named_and_never_shown() -> None:
    """What is held by things that are open waits for the next start; of secrets only the name is said."""
    read = replace(NOW, server=Server(port=1, drain_notice=9), store=Store(prefix="other"), redis_url="")
    assert waiting(NOW, read) == ("server.port", "server.drain_notice", "store.prefix", "redis_url")
    assert waiting(NOW, replace(NOW, **dict.fromkeys(LIVE))) == ()  # type: ignore[arg-type]
    assert waiting(NOW, NOW) == ()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """An agent, a settings file, and a pointer of a collection."""
    for folder in ("prompts", "etc", "knowledge", "var/knowledge/tower"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "prompts/nora.md").write_text("You are Nora.")
    (tmp_path / "etc/gateway.toml").write_text("")
    (tmp_path / "var/knowledge/tower/current").write_text("one\n")
    return Settings(
        prompts=tmp_path / "prompts", var=tmp_path / "var", knowledge=Knowledge(directory=tmp_path / "knowledge")
    )


def swap(link: Path, target: str) -> None:
    """Point a symlink somewhere else in one rename."""
    beside = link.with_name("beside")
    beside.symlink_to(target)
    beside.rename(link)


def written(path: str, text: str) -> Callable[[Path], object]:
    """A file, written in place."""
    return lambda root: (root / path).write_text(text)


def renamed(path: str, text: str) -> Callable[[Path], object]:
    """A file, replaced in one rename, as editors and pointers are."""

    def act(root: Path) -> None:
        (root / "beside").write_text(text)
        (root / "beside").rename(root / path)

    return act


def config_map(root: Path) -> None:
    """Agents as Kubernetes mounts them: file -> ..data/file, ..data -> the directory of a version."""
    for number in ("1", "2"):
        (root / "prompts" / f"..{number}").mkdir()
        (root / "prompts" / f"..{number}" / "emil.md").write_text(number)
    (root / "prompts/..data").symlink_to("..1")
    (root / "prompts/emil.md").symlink_to("..data/emil.md")


def released(root: Path) -> None:
    """Agents as a deployment by symlink has them: prompts -> releases/1."""
    (root / "prompts").rename(root / "releases-1")
    (root / "releases-2").mkdir()
    (root / "releases-2/nora.md").write_text("You are Nora, again.")
    (root / "prompts").symlink_to("releases-1")


CHANGES: dict[str, tuple[Callable[[Path], object], Callable[[Path], object]]] = {
    "an agent edited": (lambda _: None, written("prompts/nora.md", "You are Nora, a guide.")),
    "an agent replaced": (lambda _: None, renamed("prompts/nora.md", "You are Nora, a guide.")),
    "a new agent": (lambda _: None, written("prompts/emil.md", "You are Emil.")),
    "an agent deleted": (lambda _: None, lambda root: (root / "prompts/nora.md").unlink()),
    "the settings": (lambda _: None, renamed("etc/gateway.toml", "default_agent = 'nora'")),
    "a pointer": (lambda _: None, renamed("var/knowledge/tower/current", "two\n")),
    "a new collection": (lambda _: None, lambda root: (root / "knowledge/lamp").mkdir()),
    "a config map": (config_map, lambda root: swap(root / "prompts/..data", "..2")),
    "a release": (released, lambda root: swap(root / "prompts", "releases-2")),
}


@pytest.mark.parametrize("what", CHANGES)
async def test_a_change_is_noticed_and_noise_is_not(settings: Settings, tmp_path: Path, what: str) -> None:
    """However a file is replaced, one reload follows within a second; other files beside them cause none."""
    prepare, change = CHANGES[what]
    prepare(tmp_path)
    file = tmp_path / "etc/gateway.toml"
    sources = Sources(lambda: Read(settings), file, asyncio.Event())
    reloads = asyncio.Queue[None]()

    async def reload() -> None:
        reloads.put_nowait(None)

    following = asyncio.create_task(followed(settings, sources, reload))
    try:
        async with asyncio.timeout(2):
            await reloads.get()  # the first look, at what may have changed since the settings were read
        await asyncio.sleep(0.2)
        for name in ("prompts/notes.txt", "etc/other.toml", "var/keys.json"):
            (tmp_path / name).write_text("noise")
        with suppress(TimeoutError):
            async with asyncio.timeout(0.6):
                await reloads.get()
                raise AssertionError("noise was taken for a change")
        change(tmp_path)
        async with asyncio.timeout(2):
            await reloads.get()
        sources.asked.set()
        async with asyncio.timeout(0.5):
            await reloads.get()
        await asyncio.sleep(0.4)
        assert reloads.empty()
    finally:
        following.cancel()
        with suppress(asyncio.CancelledError):
            await following


async def test_where_nothing_tells_of_changes_they_are_looked_for(
    settings: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A system that allows no watch is said once; changes are noticed by looking, and a reload can be asked for."""

    async def none(_: Sequence[Path]) -> AsyncGenerator[object, None]:
        raise OSError(28, "No space left on device")
        yield

    asked = asyncio.Event()
    reloads = asyncio.Queue[None]()

    async def reload() -> None:
        reloads.put_nowait(None)

    sources = Sources(lambda: Read(settings), None, asked)
    following = asyncio.create_task(followed(settings, sources, reload, events=none, poll=0.05))
    try:
        async with asyncio.timeout(3):
            await reloads.get()
            (tmp_path / "prompts/nora.md").write_text("You are Nora, a guide.")
            await reloads.get()
            asked.set()
            await reloads.get()
        await asyncio.sleep(0.3)
        assert reloads.empty()
    finally:
        following.cancel()
        with suppress(asyncio.CancelledError):
            await following
    assert caplog.text.count("noticed after 0.05 seconds, not at once") == 1


async def test_many_files_at_once_are_one_reload(settings: Settings, tmp_path: Path) -> None:
    """A deployment that writes for half a second is read when it is done."""
    found: list[int] = []
    sources = Sources(lambda: Read(settings), tmp_path / "etc/gateway.toml", asyncio.Event())

    async def reload() -> None:
        found.append(len(list((tmp_path / "prompts").iterdir())))

    following = asyncio.create_task(followed(settings, sources, reload))
    await asyncio.sleep(0.5)
    for number in range(20):
        (tmp_path / f"prompts/agent-{number}.md").write_text("You are one of many.")
        await asyncio.sleep(0.025)
    await asyncio.sleep(1.0)
    following.cancel()
    with suppress(asyncio.CancelledError):
        await following
    assert found[0] == 1 and found[-1] == 21 and len(found) <= 3


def test_looks_are_equal_until_something_differs(settings: Settings, tmp_path: Path) -> None:
    """Files that are not there are no error, and a touched file is a changed one."""
    file = tmp_path / "etc/gateway.toml"
    before = looks(settings, file)
    assert looks(settings, file) == before
    os.utime(tmp_path / "prompts/nora.md", (1, 1))
    assert looks(settings, file) != before
    nowhere = Settings(prompts=tmp_path / "no", var=tmp_path / "no", knowledge=Knowledge(directory=tmp_path / "no"))
    assert looks(nowhere, None) == looks(nowhere, None)
    assert folders(nowhere, None) == [tmp_path]
