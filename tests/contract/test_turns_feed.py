"""`/admin/turns` with `Accept: text/event-stream`: turns as they end, on whichever process."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import orjson

from gateway.app import Drain, create_app
from gateway.errors.redaction import redacted
from gateway.store.following import MOST
from gateway.types import Turn
from tests.contract.conftest import AGENTS, settings
from tests.contract.place import Place, ask
from tests.contract.test_turns import until
from tests.serving import serve
from tests.upstream import Upstream

FEED = {"accept": "text/event-stream"}


@asynccontextmanager
async def feed(url: str, **wanted: Any) -> AsyncIterator[AsyncIterator[Any]]:
    """The turns of a feed that is open."""
    async with (
        httpx.AsyncClient(timeout=10) as client,
        client.stream("GET", f"{url}/admin/turns", headers=FEED, params=wanted) as answer,
    ):
        assert answer.status_code == 200, await answer.aread()
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["cache-control"] == "no-store"

        async def turns() -> AsyncIterator[Any]:
            async for line in answer.aiter_lines():
                if line.startswith("data: "):
                    yield orjson.loads(line[6:])

        yield turns()


async def test_turns_are_told_as_they_end(place: Place) -> None:
    """First those that are listed, oldest first; then each when it ends, also another process's; none twice."""
    for id_ in ("one", "two"):
        assert (await ask(f"{place.url}/agents/nora", "Hello?", {"x-request-id": id_})).status_code == 200
    await until(place, lambda found: len(found) == 2)
    session, key = await place.session()
    async with asyncio.timeout(10), feed(place.url) as turns:
        assert [(await anext(turns))["id"] for _ in range(2)] == ["one", "two"]
        assert (await ask(f"{place.url}/agents/strict", "Hello?", {"x-request-id": "three"})).status_code == 200
        assert (await anext(turns))["id"] == "three"
        place.store.turns.turned(Turn("elsewhere", time.time(), 0.0, agent="nora"), redacted)
        assert (await anext(turns))["id"] == "elsewhere"
        assert (await ask(f"{place.url}/k/{key}/v1", "How tall?", {"x-request-id": "four"})).status_code == 200
        told = await anext(turns)
        assert (told["id"], told["session"], told["question"]) == ("four", session.id, "How tall?")
        assert (await ask(f"{place.url}/agents/nobody", "?", {"x-request-id": "five"})).status_code == 404
        told = await anext(turns)
        assert (told["id"], told["outcome"], told["code"]) == ("five", "refused", "model_not_found")


async def test_a_feed_is_of_what_is_asked_for(place: Place) -> None:
    """By agent, outcome, session or request, as the list; so many at its beginning."""
    for id_ in ("one", "two"):
        assert (await ask(f"{place.url}/agents/strict", "Hello?", {"x-request-id": id_})).status_code == 200
    await until(place, lambda found: len(found) == 2)
    async with asyncio.timeout(10), feed(place.url, agent="strict", limit=1) as turns:
        assert (await anext(turns))["id"] == "two"
        assert (await ask(f"{place.url}/agents/nora", "Hello?", {"x-request-id": "nora"})).status_code == 200
        assert (await ask(f"{place.url}/agents/strict", "Hello?", {"x-request-id": "three"})).status_code == 200
        assert (await anext(turns))["id"] == "three"


async def test_so_many_may_listen_at_once(place: Place) -> None:
    """One more is told to come later; when one has gone there is a place again."""
    async with AsyncExitStack() as stack:
        for _ in range(MOST):
            await stack.enter_async_context(feed(place.url))
        async with httpx.AsyncClient(base_url=place.url) as client:
            answer = await client.get("/admin/turns", headers=FEED)
            assert (answer.status_code, answer.json()["error"]["code"]) == (503, "overloaded")
            assert (await client.get("/admin/turns")).status_code == 200
    async with httpx.AsyncClient(base_url=place.url) as client:
        for _ in range(300):
            async with client.stream("GET", "/admin/turns", headers=FEED) as again:
                if again.status_code == 200:
                    break
            await asyncio.sleep(0.02)
        assert again.status_code == 200


async def test_a_feed_of_turns_ends_when_the_process_is_about_to(gateway: str, drain: Drain) -> None:
    """Within two seconds, though nothing is told."""
    async with asyncio.timeout(10), feed(gateway) as turns:
        drain.begin()
        assert [turn async for turn in turns] == []


async def test_without_a_store_there_is_no_feed(upstream: Upstream, tmp_path: Path) -> None:
    """A 503 that says so; the list shows what this process knows."""
    told = replace(settings(upstream.url, tmp_path), redis_url="redis://127.0.0.1:9/0")
    async with serve(create_app(told, AGENTS)) as url, httpx.AsyncClient(base_url=url) as client:
        answer = await client.get("/admin/turns", headers=FEED)
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "store_unavailable")
        assert (await client.get("/admin/turns")).json()["whole"] is False
