"""SIGHUP and changed files: what is served afterwards, what runs meanwhile, and what a broken file does."""

import asyncio
import gc
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway import clients
from gateway.app import create_app
from gateway.chat.answer import Brain
from gateway.http.state import State
from gateway.settings import Read, Route, Settings, Target
from gateway.types.administration import Reloaded
from gateway.watching import Sources
from tests.caller import calling
from tests.knowledge import LIGHTHOUSE, built
from tests.serving import Gateway, gateway_process, seen, serve
from tests.upstream import Pause, Request, Script, Upstream, scripted

ASK: dict[str, Any] = {"messages": [{"role": "user", "content": "How tall is it?"}], "stream": True}


def agent(persona: str, extra: str = "") -> str:
    """The text of an agent's file."""
    return f"---\nlanguage: en\napology: Sorry.\n{extra}---\n{persona}\n"


def write(directory: Path, upstream: str, *, extra: str = "") -> Path:
    """Settings with a route to the scripted upstream, and one agent."""
    (directory / "prompts").mkdir(exist_ok=True)
    (directory / "prompts" / "nora.md").write_text(agent("You are the first."))
    file = directory / "gateway.toml"
    file.write_text(
        f'prompts = "prompts"\ndefault_route = "up"\nserver.drain_notice = 0\n{extra}'
        f'[[routes.up.targets]]\nurl = "{upstream}"\nmodel = "scripted"\n'
    )
    return file


async def said(url: str, name: str = "agents/nora") -> str:
    """What an agent or a route says; the status where that is not 200."""
    place, model = (f"/{name}", "") if name.startswith("agents/") else ("/v1", name)
    async with calling(f"{url}{place}/chat/completions", {**ASK, "model": model}) as call:
        return await call.text() if await call.head() == 200 else str(call.status)


async def until(holds: Callable[[], Awaitable[bool]], within: float = 5.0) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(within):
        while not await holds():  # noqa: ASYNC110 it is asked over the network
            await asyncio.sleep(0.02)


@pytest.fixture
async def running(tmp_path: Path, upstream: Upstream) -> AsyncIterator[Gateway]:
    """A gateway process whose files are in `tmp_path`; its upstream says the persona that it was given."""
    upstream.script = lambda request: Script([persona(request)])
    file = write(tmp_path, upstream.url)
    opened = gateway_process(arguments=("--config", str(file)))
    gateway = await asyncio.to_thread(opened.__enter__)
    yield gateway
    await asyncio.to_thread(opened.__exit__, None, None, None)


def persona(request: Request) -> str:
    """The system message that came."""
    return str(request.json["messages"][0]["content"]).splitlines()[0]


async def test_a_changed_file_is_served_without_a_restart(running: Gateway, tmp_path: Path, upstream: Upstream) -> None:
    """A persona edited, an agent added, a route added to the settings: each is served within seconds, by itself."""
    assert await said(running.url) == "You are the first."
    (tmp_path / "prompts/nora.md").write_text(agent("You are the second."))

    async def second() -> bool:
        return await said(running.url) == "You are the second."

    await until(second)
    (tmp_path / "prompts/emil.md").write_text(agent("You are Emil."))

    async def emil() -> bool:
        return await said(running.url, "agents/emil") == "You are Emil."

    await until(emil)
    async with scripted(Script(["From the other."])) as other:
        file = tmp_path / "gateway.toml"
        file.write_text(file.read_text() + f'[[routes.other.targets]]\nurl = "{other.url}"\nmodel = "m"\n')

        async def routed() -> bool:
            return await said(running.url, "other") == "From the other."

        await until(routed)
    (tmp_path / "prompts/emil.md").unlink()

    async def gone() -> bool:
        return await said(running.url, "agents/emil") == "404"

    await until(gone)
    for line in ("reloaded: agent nora", "reloaded: agent emil", "reloaded: route other"):
        assert line in running.log


async def test_a_broken_file_leaves_the_old_one_serving(running: Gateway, tmp_path: Path) -> None:
    """Every fault of all files is logged with its line, nothing of the good ones is taken; mended, they are served."""
    file = tmp_path / "gateway.toml"
    good = file.read_text()
    file.write_text(good + "[breaker]\nfailures = 0\n")
    (tmp_path / "prompts/nora.md").write_text(agent("You are the second.", "langage: en\n"))
    (tmp_path / "prompts/emil.md").write_text(agent("You are Emil."))
    running.process.send_signal(signal.SIGHUP)

    async def refused() -> bool:
        return "nothing was reloaded" in running.log

    await until(refused)
    assert "nora.md:4: langage: no such key" in running.log and "breaker.failures: must be" in running.log
    assert await said(running.url) == "You are the first." and await said(running.url, "agents/emil") == "404"
    file.write_text(good.replace("drain_notice = 0", "drain_notice = 0\nserver.port = 1\nlog.format = 'text'"))
    (tmp_path / "prompts/nora.md").write_text(agent("You are the second."))
    running.process.send_signal(signal.SIGHUP)

    async def mended() -> bool:
        return (
            await said(running.url) == "You are the second."
            and await said(running.url, "agents/emil") == "You are Emil."
        )

    async def remarked() -> bool:
        return "taken at the next start only: log.format" in running.log  # --port wins over server.port

    await until(mended)
    await until(remarked)  # it is said once it is served


async def test_new_knowledge_is_served_without_a_restart(tmp_path: Path) -> None:
    """A new version, made by another process, is served as soon as its pointer is there; a rollback likewise."""
    write(tmp_path, "http://127.0.0.1:9/v1")
    (tmp_path / "prompts" / "nora.md").write_text(
        agent("You are Nora.", "collections: [lighthouse]\nroute: extractive\n")
    )
    shelf = built(tmp_path, "lighthouse", LIGHTHOUSE)
    first = shelf.current()
    arguments = ("--config", str(tmp_path / "gateway.toml"))
    opened = gateway_process(environ={"GATEWAY_VAR": str(tmp_path / "var")}, arguments=arguments)
    gateway = await asyncio.to_thread(opened.__enter__)
    try:
        asked = [{"role": "user", "content": "When do puffins nest?"}]

        async def answered(month: str) -> bool:
            async with calling(f"{gateway.url}/agents/nora/chat/completions", {"messages": asked}) as call:
                return month in await call.text()

        assert await answered("June")
        birds = "# Birds\n\n## Puffins\n\nPuffins nest in May.\n\n## Gulls\n\nGulls steal sandwiches.\n"
        await asyncio.to_thread(built, tmp_path, "lighthouse", LIGHTHOUSE | {"birds.md": birds})
        await until(lambda: answered("May"))
        shelf.point(first)
        await until(lambda: answered("June"))
        assert gateway.log.count("reloaded: knowledge lighthouse") == 2
    finally:
        await asyncio.to_thread(opened.__exit__, None, None, None)


Given = tuple[str, Callable[[], Awaitable[Reloaded]], State]


@asynccontextmanager
async def in_process(settings: Settings, read: Callable[[], Settings]) -> AsyncIterator[Given]:
    """An application in this loop: its URL, its reload, and what its endpoints see."""
    app = create_app(settings, clients.agents(settings), sources=Sources(lambda: Read(read()), None, asyncio.Event()))
    states = seen(app)
    async with serve(app) as url:
        yield url, states[0]["reload"], states[0]


@pytest.fixture
def settings(tmp_path: Path, upstream: Upstream) -> Settings:
    """What `write` says, as values."""
    write(tmp_path, upstream.url)
    target = Target(url=upstream.url, model="scripted")
    return Settings(
        prompts=tmp_path / "prompts", var=tmp_path / "var", routes={"up": Route((target,))}, default_route="up"
    )


async def test_fifty_streams_are_not_disturbed_by_twenty_reloads(
    settings: Settings, tmp_path: Path, upstream: Upstream
) -> None:
    """Each running stream says all that it had to say, new turns have what is new, and nothing old is kept."""
    words = [f"word{at} " for at in range(40)]

    def script(request: Request) -> Script:
        if "slow" in str(request.json["messages"][-1]["content"]):
            return Script([step for word in words for step in (word, Pause(0.05))])
        return Script([persona(request)])

    upstream.script = script
    now = settings
    async with in_process(settings, lambda: now) as (url, reload, state):

        async def slow() -> str:
            asked = {**ASK, "model": "nora", "messages": [{"role": "user", "content": "Say it slowly: slow."}]}
            async with calling(f"{url}/v1/chat/completions", asked) as call:
                return (await call.text()).strip()

        streams = [asyncio.create_task(slow()) for _ in range(50)]
        await upstream.asked(50)
        for number in range(20):
            (tmp_path / "prompts/nora.md").write_text(agent(f"You are number {number}."))
            target = Target(url=upstream.url, model=f"scripted-{number}")
            now = replace(settings, routes={"up": Route((target,))})
            done = await reload()
            assert done == Reloaded(changed=("agent nora", "route up"))
            assert await said(url) == f"You are number {number}."
            assert upstream.requests[-1].json["model"] == f"scripted-{number}"
        assert not all(stream.done() for stream in streams)
        assert set(await asyncio.gather(*streams)) == {"".join(words).strip()}
        streams.clear()
        gc.collect()
        assert [brain for brain in gc.get_objects() if isinstance(brain, Brain)] == [state["brain"]()]


async def test_the_first_turn_finds_a_connection(settings: Settings, upstream: Upstream) -> None:
    """At start and after a reload each target has a kept connection; nobody was asked for a completion."""
    async with scripted() as other:
        now = settings
        async with in_process(settings, lambda: now) as (url, reload, _):
            opened = set(upstream.connections)
            assert opened and not upstream.requests
            assert await said(url, "up") == "Hello there."
            assert set(upstream.connections) == opened
            now = replace(
                settings, routes={**settings.routes, "new": Route((Target(url=other.url, model="scripted"),))}
            )
            assert not (await reload()).faults  # the first look at the files may have found the route before
            opened = set(other.connections)
            assert opened and not other.requests
            assert await said(url, "new") == "Hello there."
            assert set(other.connections) == opened
