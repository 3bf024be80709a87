"""gateway/clients.py: the upstreams of a process, and how new routes take the place of old ones."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from itertools import pairwise
from statistics import median

import pytest

from gateway.clients import Upstreams
from gateway.errors import UpstreamError
from gateway.settings import Breaker, Route, Target
from gateway.types import Complete, Opened, Prompt
from gateway.upstream.target import session
from tests.upstream import Answer, Hang, Pause, Script, Upstream, scripted

PROMPT = Prompt([{"role": "user", "content": "Hi"}])
RULE = Breaker(failures=1, open_for=30, longest=30)


@pytest.fixture
async def upstreams() -> AsyncIterator[Upstreams]:
    """Upstreams without a route."""
    async with AsyncExitStack() as stack:
        one = Upstreams(await stack.enter_async_context(session()), stack, {})
        stack.push_async_callback(one.targets.aclose)
        yield one


def routes(*urls: str, first_token: float = 3.0) -> Mapping[str, Route]:
    """One route of these targets."""
    targets = (Target(url=url, model="scripted", retries=0, first_token=first_token) for url in urls)
    return {"main": Route(tuple(targets))}


async def opened(complete: Complete, route: str = "main") -> Opened:
    return await complete(route, PROMPT, lambda _: None)


async def heard(opening: Opened) -> str:
    return "".join([chunk.text async for chunk in opening.chunks])


async def test_a_reload_leaves_running_streams_alone(upstream: Upstream, upstreams: Upstreams) -> None:
    """A stream goes on with the target that it began with, the old route still answers, the new one asks the new."""
    upstream.script = Script(["Hel", Pause(0.1), "lo"])
    before = await upstreams.routed(routes(upstream.url), RULE)
    running = await opened(before)
    async with scripted(Script(["new"])) as other:
        after = await upstreams.routed(routes(other.url), RULE)
        assert await heard(running) == "Hello"
        assert await heard(await opened(after)) == "new"
        assert await heard(await opened(before)) == "Hello"


async def test_a_reload_keeps_what_is_known_of_a_target(upstream: Upstream, upstreams: Upstreams) -> None:
    """A target that was left out still is, whatever else of it changed; a new one starts afresh."""
    upstream.script = Script([], before=[Hang()])
    complete = await upstreams.routed(routes(upstream.url, first_token=0.1), RULE)
    with pytest.raises(UpstreamError):
        await opened(complete)
    assert upstreams.missing() == ["upstream:main/scripted"]
    async with scripted(Script(["new"])) as other:
        complete = await upstreams.routed(routes(upstream.url, other.url, first_token=0.2), RULE)
        assert upstreams.missing() == ["upstream:main/scripted"]
        assert await heard(await opened(complete)) == "new" and len(upstream.requests) == 1
        await upstreams.routed(routes(other.url), RULE)
        assert upstreams.missing() == []


async def test_a_target_is_opened_once(upstream: Upstream, upstreams: Upstreams) -> None:
    """What the settings say of it again is not looked at again: a reload does not wait for targets it knows."""
    looks: list[str] = []
    usual = upstream.asides["/v1/models"]

    def looked(query: str) -> Answer:
        looks.append(query)
        return usual(query)

    upstream.asides["/v1/models"] = looked
    for _ in range(3):
        await upstreams.routed(routes(upstream.url), RULE)
    assert len(looks) == 1


async def test_warm_connections(upstream: Upstream, upstreams: Upstreams) -> None:
    """Each server gets one connection, whatever the number of its targets, and one that is away is no error."""
    async with scripted() as away:
        gone = away.url
    told = {**routes(upstream.url, gone), "other": Route((Target(url=upstream.url, model="second"),))}
    complete = await upstreams.routed(told, RULE)
    await asyncio.sleep(0.05)  # what looked for models has closed its connection
    before = set(upstream.connections)
    await upstreams.warm()
    (warm,) = upstream.connections - before
    assert await heard(await opened(complete)) and upstream.connections - before == {warm}


async def test_ending_all_streams(upstream: Upstream, upstreams: Upstreams) -> None:
    """Streams of routes that were replaced are ended too."""
    upstream.script = Script(["Hel", Hang()])
    running = await opened(await upstreams.routed(routes(upstream.url), RULE))
    await upstreams.routed({}, RULE)

    class Ended(UpstreamError):
        """Why."""

    reading = asyncio.create_task(heard(running))
    await asyncio.sleep(0.02)
    upstreams.end_streams(Ended("bye"))
    with pytest.raises(Ended):
        await reading


@pytest.mark.parametrize(("pace", "least", "most"), [(20.0, 0.05, 1.0), (0.0, 0.0, 0.05)])
async def test_the_embedded_answerer_has_the_pace_that_it_is_given(
    upstreams: Upstreams, pace: float, least: float, most: float
) -> None:
    """So many words a second, the first at once; without one it is many times as fast as speech."""
    complete = await upstreams.routed({"main": Route((Target(embedded="extractive", pace=pace),))}, RULE)
    running = await opened(complete)
    began = time.monotonic()
    times = [time.monotonic() - began async for chunk in running.chunks if chunk.text]
    between = [after - before for before, after in pairwise(times)]
    assert times[0] < 0.05 and len(between) > 10
    assert least * 0.9 <= median(between) < most


async def test_a_paced_answer_ends_when_it_is_closed(upstreams: Upstreams) -> None:
    """Whoever hangs up between two words waits for no word."""
    complete = await upstreams.routed({"main": Route((Target(embedded="extractive", pace=0.1),))}, RULE)
    running = await opened(complete)
    assert (await anext(running.chunks)).text
    async with asyncio.timeout(1):
        await running.chunks.aclose()
        await running.aclose()
    with pytest.raises(StopAsyncIteration):
        await anext(running.chunks)
