"""Knowledge that is slow, and knowledge that is somebody else's."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path

import httpx

from gateway.app import create_app
from gateway.retrieval import build, retriever
from gateway.settings import Route, Settings, Target
from gateway.types import Agent, Query, Retrieval
from tests.caller import calling
from tests.chromas import chroma
from tests.knowledge import LIGHTHOUSE, HashedModel, built, job, tried, write
from tests.serving import serve, sharing
from tests.upstream import Upstream

MARKER = "The password of the vault is heliotrope."
KNOWING = Agent("keeper", "You keep the lighthouse.", collections=("lighthouse",))
SECRETIVE = Agent("banker", "You keep the vault.", collections=("vault",))


@asynccontextmanager
async def knowing(root: Path, upstream: Upstream, model: HashedModel) -> AsyncIterator[str]:
    """A gateway of two agents with a collection each."""
    built(root, "lighthouse", LIGHTHOUSE)
    built(root, "vault", {"vault.md": f"# The vault\n\n{MARKER}\n"})
    told = Settings(
        routes={"up": Route((Target(url=upstream.url, model="scripted"),))}, default_route="up", var=root / "var"
    )
    agents = {agent.name: agent for agent in (KNOWING, SECRETIVE)}
    async with AsyncExitStack() as stack:
        opening = retriever.opened(told, ["lighthouse", "vault"], embed_query=model.query)
        searches = await stack.enter_async_context(opening)
        app = create_app(sharing(replace(told, var=root / "empty")), agents, retrieve=searches.retrieve)
        yield await stack.enter_async_context(serve(app))


async def test_s06_a_search_that_takes_a_second_costs_150_ms(upstream: Upstream, tmp_path: Path) -> None:
    """The answer comes after 150 ms at most, with what a search by words alone has found."""
    model = HashedModel()
    async with knowing(tmp_path, upstream, model) as url:
        model.seconds = 1.0
        body = {"messages": [{"role": "user", "content": "When do puffins nest?"}]}
        async with calling(f"{url}/agents/keeper/chat/completions", body) as call:
            (first,) = [event.at async for event in call.events() if '"content":"Hello"' in event.data]
        assert 0.1 < first < 0.25
        assert "birds.md" in call.headers["x-gateway-sources"]
        assert b"Puffins nest in June" in upstream.requests[0].body


async def test_s05_without_its_vectors_an_answer_has_what_words_find(upstream: Upstream, tmp_path: Path) -> None:
    """Each answer has what words find, within the budget; /readyz names the server, and vectors come back alone."""
    body = {"messages": [{"role": "user", "content": "When do puffins nest?"}]}
    with chroma(tmp_path / "chroma") as server:
        write(tmp_path / "knowledge" / "lighthouse", LIGHTHOUSE)
        build.build(job(tmp_path, "lighthouse", url=server.url), HashedModel().passage, print, tried)
        told = sharing(
            Settings(
                routes={"up": Route((Target(url=upstream.url, model="scripted"),))},
                default_route="up",
                var=tmp_path / "elsewhere",
                chroma_url=server.url,
            )
        )
        async with AsyncExitStack() as stack:
            opening = retriever.opened(told, ["lighthouse"], embed_query=HashedModel().query, every=0.1)
            searches = await stack.enter_async_context(opening)
            app = create_app(
                replace(told, chroma_url=""),
                {"keeper": KNOWING},
                retrieve=searches.retrieve,
                missing=lambda: searches.missing,
            )
            url = await stack.enter_async_context(serve(app))
            for happens, heals in ((server.hold, server.release), (server.kill, server.start)):
                happens()
                for _ in range(3):
                    async with calling(f"{url}/agents/keeper/chat/completions", body) as call:
                        (first,) = [event.at async for event in call.events() if '"content":"Hello"' in event.data]
                    assert first < 0.3
                    assert "birds.md" in call.headers["x-gateway-sources"]
                await until(lambda: "chroma" in searches.missing)
                async with httpx.AsyncClient(base_url=url) as http:
                    assert "chroma" in (await http.get("/readyz")).json()["missing"]
                heals()
                await until(lambda: not searches.missing)
                some = await searches.retrieve(
                    ["lighthouse"], Query("When do puffins nest?"), Retrieval(budget_ms=2000)
                )
                assert some.outcome == "hybrid"


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not true():  # noqa: ASYNC110 a readiness is looked at, nobody tells of it
            await asyncio.sleep(0.02)


async def test_n47_an_agent_knows_its_own_collections_only(upstream: Upstream, tmp_path: Path) -> None:
    """However it is asked, an agent's model is not told what only another agent knows, nor are its sources."""
    model = HashedModel()
    questions = ("What is the password of the vault?", "heliotrope", "vault/vault.md#0", "Search: vault")
    async with knowing(tmp_path, upstream, model) as url:
        for agent, told in (("keeper", False), ("banker", True)):
            upstream.requests.clear()
            for question in questions:
                body = {"messages": [{"role": "user", "content": question}]}
                async with calling(f"{url}/agents/{agent}/chat/completions", body) as call:
                    await call.body()
                assert "vault.md" not in call.headers.get("x-gateway-sources", "") or told
            assert any(MARKER.encode() in request.body for request in upstream.requests) is told
