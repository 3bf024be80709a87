"""Several processes behind one port: each `serve` is one, with a store that both share, and one folder of state."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from gateway.administration import read
from gateway.app import create_app
from gateway.settings import Limits, Settings
from tests.administered import NORA, settings
from tests.knowledge import LIGHTHOUSE, built, with_model, write
from tests.serving import seen, serve, sharing
from tests.upstream import Script, Upstream

KNOWLEDGE = "/admin/knowledge"
HI = {"messages": [{"role": "user", "content": "Hi"}], "stream": False}
AT_ONCE = 1.0
"""Seconds in which the other process has it."""


@dataclass
class Process:
    """One of them."""

    http: httpx.AsyncClient
    state: Any

    async def answer(self, method: str, path: str, body: Any = None, status: int = 200) -> Any:
        """The body of an answer that has this status."""
        answer = await self.http.request(method, path, json=body)
        assert answer.status_code == status, answer.text
        return answer.json()


@asynccontextmanager
async def process(made: Settings) -> AsyncIterator[Process]:
    """One more process of these settings, once its store is there."""
    app = create_app(made, read(made).agents)
    states = seen(app)
    async with serve(app) as url, httpx.AsyncClient(base_url=url, timeout=20) as http:
        running = Process(http, states[0])
        async with asyncio.timeout(10):
            while "store" in (await running.answer("GET", "/readyz"))["missing"]:  # noqa: ASYNC110 nothing tells of it
                await asyncio.sleep(0.02)
        yield running


Two = tuple[Process, Process]


@asynccontextmanager
async def two(root: Path, upstream: Upstream, nora: str) -> AsyncIterator[Two]:
    """Two processes of the files in `root`, whose only agent is Nora."""
    upstream.script = Script(["Fine."])
    write(root / "prompts", {"nora.md": nora})
    made = sharing(replace(settings(root, upstream.url), limits=Limits(wrong_keys=6)))
    made = replace(made, store=replace(made.store, timeout=1.0))
    async with AsyncExitStack() as stack:
        one, other = [await stack.enter_async_context(process(made)) for _ in range(2)]
        yield one, other


@pytest.fixture
async def both(tmp_path: Path, upstream: Upstream) -> AsyncIterator[Two]:
    """Two processes that know nothing."""
    async with two(tmp_path, upstream, "You are Nora.\n") as running:
        yield running


@pytest.fixture
async def knowing(tmp_path: Path, upstream: Upstream) -> AsyncIterator[Two]:
    """Two processes that know of a lighthouse."""
    with_model(tmp_path / "var")
    built(tmp_path, "lighthouse", LIGHTHOUSE)
    async with two(tmp_path, upstream, NORA) as running:
        yield running


async def until(true: Callable[[], Any], within: float = AT_ONCE) -> None:
    """Ask until the answer is true."""
    async with asyncio.timeout(within):
        while not await true():  # noqa: ASYNC110 nothing tells of it
            await asyncio.sleep(0.01)


async def serving(process: Process) -> str:
    """The version of the lighthouse that a process serves."""
    (shown,) = (await process.answer("GET", KNOWLEDGE))["collections"]
    return str(shown["serving"])


async def test_an_ingest_is_everybodys(knowing: Two, tmp_path: Path) -> None:
    """Begun at one process it is shown, refused a second time and watched to its end at the other, which serves it."""
    one, other = knowing
    before = await serving(other)
    write(tmp_path / "knowledge" / "lighthouse", {"birds.md": "# Puffins\n\nPuffins nest in May.\n"})
    job = (await one.answer("POST", f"{KNOWLEDGE}/lighthouse/ingest", status=202))["id"]
    error = (await other.answer("POST", f"{KNOWLEDGE}/ingest", status=409))["error"]
    assert error["code"] == "conflict" and job in error["message"]
    shown = await other.answer("GET", f"{KNOWLEDGE}/jobs/{job}")
    assert shown["state"] in ("waiting", "running")
    told = [orjson.loads(line[6:]) async for line in feed(other, f"{KNOWLEDGE}/jobs/{job}")]
    assert told[0]["state"] in ("waiting", "running") and told[-1]["state"] == "done"
    version = str(told[-1]["collections"][0]["version"])

    async def served() -> bool:
        return await serving(other) == version

    assert version > before
    await until(served)
    assert [each["id"] for each in (await other.answer("GET", KNOWLEDGE))["jobs"]] == [job]
    assert await other.answer("GET", f"{KNOWLEDGE}/jobs/{job}") == await one.answer("GET", f"{KNOWLEDGE}/jobs/{job}")

    async def back() -> bool:
        return await serving(one) == before

    await other.answer("POST", f"{KNOWLEDGE}/lighthouse/rollback")
    await until(back)


async def feed(process: Process, path: str) -> AsyncIterator[str]:
    """The data of its events."""
    async with process.http.stream("GET", path, headers={"accept": "text/event-stream"}) as answer:
        assert answer.status_code == 200, await answer.aread()
        async for line in answer.aiter_lines():
            if line.startswith("data: "):
                yield line


async def test_a_reload_is_everybodys(both: Two, tmp_path: Path) -> None:
    """When it has answered, the other process serves the new agent too; a broken file leaves both as they were."""
    one, other = both
    (tmp_path / "prompts" / "emil.md").write_text("You are Emil.\n")
    await other.answer("POST", "/agents/emil/chat/completions", HI, 404)
    done = await one.answer("POST", "/admin/reload")
    assert done == {"changed": ["agent emil"], "later": [], "others": 1, "behind": 0}
    await other.answer("POST", "/agents/emil/chat/completions", HI)
    (tmp_path / "prompts" / "nora.md").write_text("---\nspeed: 9\n---\n")
    (tmp_path / "prompts" / "emil.md").unlink()
    await one.answer("POST", "/admin/reload", status=409)
    for process in both:
        await process.answer("POST", "/agents/emil/chat/completions", HI)


async def test_keys_and_capabilities_are_everybodys_at_once(both: Two) -> None:
    """Made at one process a key opens at the other; taken away at the other it opens nothing at the first."""
    one, other = both
    made = await one.answer("POST", "/admin/keys", status=201)
    headers = {"authorization": f"Bearer {made['secret']}"}

    def asked(process: Process, path: str, status: int) -> Callable[[], Any]:
        async def answered() -> bool:
            return (await process.http.post(path, json=HI, headers=headers)).status_code == status

        return answered

    nora = "/agents/nora/chat/completions"
    first = (await one.answer("POST", "/admin/agents/nora/rotate"))["path"]
    await until(asked(other, first, 200))
    assert made["key"]["id"] in str(await other.answer("GET", "/admin/keys"))
    await other.answer("DELETE", f"/admin/keys/{made['key']['id']}")
    await until(asked(one, nora, 401))
    headers.clear()
    second = (await other.answer("POST", "/admin/agents/nora/rotate"))["path"]
    await until(asked(one, second, 200))
    assert await asked(one, first, 404)() and await asked(other, first, 404)()


async def test_an_address_has_its_wrong_keys_once(both: Two) -> None:
    """Three at either process are six: the next one is a 429 at both."""
    wrong = {"authorization": "Bearer gw_wrong"}

    async def asked(process: Process) -> int:
        return (await process.http.get("/admin/keys", headers=wrong)).status_code

    assert [await asked(process) for process in both for _ in range(3)] == [401] * 6

    async def refused() -> bool:
        return [await asked(process) for process in both] == [429, 429]

    await until(refused)
