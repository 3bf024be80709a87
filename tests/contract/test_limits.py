"""How much: quotas of keys and agents, and a process that refuses at once what it could only do late."""

import asyncio
import statistics
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.app import Drain, create_app
from gateway.settings import Auth, Limits, Route, Target
from gateway.types import Rate
from tests.caller import Call, calling
from tests.contract.conftest import AGENTS, settings
from tests.keyring import Keyring
from tests.serving import serve, sharing
from tests.upstream import Answer, Cut, Hang, Pause, Script, Upstream, error

CHAT = "/v1/chat/completions"
ASK: dict[str, Any] = {"model": "nora", "messages": [{"role": "user", "content": "How tall is it?"}]}
RATED = {**AGENTS, "busy": replace(AGENTS["nora"], name="busy", rate=Rate(requests=3))}


@pytest.fixture
def keyring() -> Keyring:
    return Keyring(agents=tuple(RATED))


@pytest.fixture
async def gateway(upstream: Upstream, tmp_path: Path, keyring: Keyring, drain: Drain) -> AsyncIterator[str]:
    """A gateway whose agent `busy` has a rate."""
    told = replace(settings(upstream.url, tmp_path), auth=Auth(anonymous=False))
    async with serve(create_app(sharing(told), RATED, drain, access=keyring.access)) as url:
        yield url


async def test_who_has_no_quota_costs_no_question(gateway: str, keyring: Keyring) -> None:
    """Neither the key nor the agent has a rate: nothing is asked of the store, and no limit is told."""
    async with calling(f"{gateway}{CHAT}", ASK, headers={"x-api-key": keyring.made("ann")}) as call:
        assert await call.head() == 200 and not [name for name in call.headers if "ratelimit" in name]
    assert keyring.asked == []


@pytest.mark.parametrize("stream", [True, False])
async def test_a_quota_is_told_with_each_answer(gateway: str, keyring: Keyring, stream: bool) -> None:
    """OpenAI's three headers count down; past the limit a 429 says when to come again."""
    headers = {"x-api-key": keyring.made("ann", rate=Rate(requests=2))}
    for remaining in (1, 0):
        async with calling(f"{gateway}{CHAT}", {**ASK, "stream": stream}, headers=headers) as call:
            assert await call.head() == 200
            assert call.headers["x-ratelimit-limit-requests"] == "2"
            assert call.headers["x-ratelimit-remaining-requests"] == str(remaining)
            assert call.headers["x-ratelimit-reset-requests"] == "42.500s"
            await call.body()
    async with calling(f"{gateway}{CHAT}", {**ASK, "stream": stream}, headers=headers) as call:
        assert await call.head() == 429
        assert (call.headers["retry-after"], call.headers["retry-after-ms"]) == ("2", "1500")
        assert call.headers["x-ratelimit-remaining-requests"] == "0"
        body = (await call.json())["error"]
    assert (body["type"], body["code"]) == ("rate_limit_error", "rate_limit_exceeded") and "key" in body["message"]


async def test_an_agents_quota_is_of_all_its_callers(gateway: str, keyring: Keyring) -> None:
    """Two keys and a capability share the agent's three requests; other agents go on."""
    ann, bob = keyring.made("ann"), keyring.made("bob")
    opened = keyring.capabilities.of("busy")
    async with httpx.AsyncClient(base_url=gateway) as client:
        statuses = [
            (await client.post(place, json={**ASK, "model": "busy"}, headers={"x-api-key": key})).status_code
            for place, key in ((CHAT, ann), (CHAT, bob), (f"/k/{opened}{CHAT}", ""), (CHAT, ann))
        ]
        assert (await client.post(CHAT, json=ASK, headers={"x-api-key": ann})).status_code == 200
    assert statuses == [200, 200, 200, 429]
    assert {quota.owner for quotas in keyring.asked for quota in quotas} == {"agent:busy"}


@pytest.mark.parametrize(
    "script",
    [
        Script(["Hi"]),
        Script(["Hi", Pause(0.02), Cut()]),
        Script([], before=[Cut()]),
        Answer(400, error("Too long.", "context_length_exceeded")),
        Answer(500, error("Broken.")),
    ],
)
@pytest.mark.parametrize("kind", [("nora", True), ("nora", False), ("up", True), ("up", False)])
async def test_a_place_among_the_streams_is_given_back_once(
    gateway: str, keyring: Keyring, upstream: Upstream, script: Script | Answer, kind: tuple[str, bool]
) -> None:
    """However a turn ends, the next one may begin: a finish, a break, a refusal, for agents and routes."""
    model, stream = kind
    headers = {"x-api-key": keyring.made("ann", rate=Rate(streams=1))}
    upstream.script = script
    for _ in range(3):
        async with calling(f"{gateway}{CHAT}", {**ASK, "model": model, "stream": stream}, headers=headers) as call:
            assert await call.head() != 429
            await call.body()
        await asyncio.sleep(0.01)
        assert keyring.streams["key:ann"] == 0


async def test_a_hangup_gives_its_place_back(gateway: str, keyring: Keyring, upstream: Upstream) -> None:
    """Midway and before the first word: the place is free within 100 ms."""
    headers = {"x-api-key": keyring.made("ann", rate=Rate(streams=1))}
    for number, script in enumerate((Script(["Hel", Hang()]), Script([Hang()]))):
        upstream.script = script
        async with calling(f"{gateway}{CHAT}", {**ASK, "stream": True}, headers=headers) as call:
            await upstream.asked(number + 1)
            await asyncio.sleep(0.02)
            assert keyring.streams["key:ann"] == 1
            async with calling(f"{gateway}{CHAT}", ASK, headers=headers) as second:
                assert await second.head() == 429
            call.hang_up()
        await asyncio.sleep(0.1)
        assert keyring.streams["key:ann"] == 0


async def test_one_turn_too_many_is_refused_at_once(upstream: Upstream, tmp_path: Path) -> None:
    """503 `overloaded` with `Retry-After: 1`, before the body is there; the running turns and health are unharmed."""
    upstream.script = Script(["Hel", Hang()])
    told = replace(settings(upstream.url, tmp_path), limits=Limits(turns=5))
    async with serve(create_app(sharing(told), AGENTS)) as url, AsyncExitStack() as stack:
        for _ in range(5):
            call: Call = await stack.enter_async_context(calling(f"{url}{CHAT}", {**ASK, "stream": True}))
            await call.head()
        began = time.perf_counter()
        unsent = {"content-length": "1000"}
        async with calling(f"{url}{CHAT}", b"", headers=unsent) as refused:
            assert await asyncio.wait_for(refused.head(), 1) == 503
            assert time.perf_counter() - began < 0.2
            assert refused.headers["retry-after"] == "1"
            assert (await refused.json())["error"]["code"] == "overloaded"
        for place in ("/livez", "/readyz", "/v1/models"):
            async with calling(f"{url}{place}") as asked:
                assert await asked.head() == 200
        call.hang_up()
        await asyncio.sleep(0.1)
        async with calling(f"{url}{CHAT}", {**ASK, "stream": True}) as again:
            assert await again.head() == 200


async def test_n62_one_key_cannot_take_every_turn(upstream: Upstream, tmp_path: Path, keyring: Keyring) -> None:
    """A key without a rate opens streams without end: it gets 503s, another key and a capability are served at once."""
    upstream.script = Script(["Hel", Hang()])
    told = replace(settings(upstream.url, tmp_path), limits=Limits(turns=100), auth=Auth(anonymous=False))
    patient = Target(url=upstream.url, model="scripted")  # the first stream still hangs when the last is opened
    told = replace(told, routes={"up": Route((patient,))})
    greedy, modest = {"x-api-key": keyring.made("greedy")}, {"x-api-key": keyring.made("modest")}
    async with serve(create_app(sharing(told), RATED, access=keyring.access)) as url, AsyncExitStack() as stack:
        statuses = []
        for _ in range(150):
            call = await stack.enter_async_context(calling(f"{url}{CHAT}", {**ASK, "stream": True}, headers=greedy))
            statuses.append(await call.head())
        assert statuses == [200] * 80 + [503] * 70
        for place, headers in ((CHAT, modest), (f"/k/{keyring.capabilities.of('nora')}{CHAT}", {})):
            async with calling(f"{url}{place}", {**ASK, "stream": True}, headers=headers) as call:
                assert await call.head() == 200
                await anext(call.events())
                assert time.perf_counter() - call.sent < 0.5
    assert upstream.stats["open"] <= 80


async def test_a_late_loop_refuses_and_recovers(upstream: Upstream, tmp_path: Path) -> None:
    """The event loop is blocked for longer than `limits.lag`: what came meanwhile is 503, the next turn is not."""
    told = replace(settings(upstream.url, tmp_path), limits=Limits(lag=0.3))
    async with serve(create_app(sharing(told), AGENTS)) as url:
        port = int(url.rpartition(":")[2])
        opened = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
        await asyncio.sleep(0.05)
        for _, writer in opened:
            writer.write(b"POST /chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}")
        time.sleep(0.6)  # noqa: ASYNC251 that is the fault
        assert all([b" 503 " in await reader.readline() for reader, _ in opened])
        for _, writer in opened:
            writer.close()
        await asyncio.sleep(0.2)
        async with calling(f"{url}{CHAT}", ASK) as call:
            assert await call.head() == 200


async def test_a_draining_gateway_asks_to_come_again_at_once(gateway: str, keyring: Keyring, drain: Drain) -> None:
    """503 with `x-should-retry` and 50 ms: behind a load balancer the next try reaches a process that serves."""
    drain.begin()
    async with calling(f"{gateway}{CHAT}", ASK, headers={"x-api-key": keyring.made("ann")}) as call:
        assert await call.head() == 503
        found = [call.headers[name] for name in ("retry-after-ms", "x-should-retry", "retry-after")]
        assert found == ["50", "true", "1"]


async def test_n62_one_key_cannot_take_the_others_time(upstream: Upstream, tmp_path: Path, keyring: Keyring) -> None:
    """A key that asks as fast as it can gets 429s, and the answers of another key come as soon as before."""
    told = replace(settings(upstream.url, tmp_path), auth=Auth(anonymous=False))
    greedy = {"x-api-key": keyring.made("greedy", rate=Rate(requests=100, streams=10))}
    modest = {"x-api-key": keyring.made("modest", rate=Rate(requests=1000))}
    statuses: list[int] = []
    enough = asyncio.Event()

    async def flood(url: str) -> None:
        while not enough.is_set():
            async with calling(f"{url}{CHAT}", ASK, headers=greedy) as call:
                statuses.append(await call.head())
                await call.body()
            await asyncio.sleep(0.02)

    async def p95(url: str) -> float:
        took = []
        for _ in range(40):
            async with calling(f"{url}{CHAT}", {**ASK, "stream": True}, headers=modest) as call:
                await anext(call.events())
                took.append(time.perf_counter() - call.sent)
        return statistics.quantiles(took, n=20)[-1]

    async with serve(create_app(sharing(told), AGENTS, access=keyring.access)) as url:
        alone = await p95(url)
        async with asyncio.TaskGroup() as group:
            for _ in range(10):
                group.create_task(flood(url))
            crowded = await p95(url)
            while len(statuses) < 300:  # noqa: ASYNC110 the flood has no end of its own
                await asyncio.sleep(0.02)
            enough.set()
    assert statuses.count(200) == 100 and set(statuses) == {200, 429}
    assert crowded < alone + 0.05
