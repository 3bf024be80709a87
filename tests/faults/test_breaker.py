"""Targets that fail again and again: they are left out, found well again, and nobody waits for them meanwhile."""

import asyncio
import statistics
import time
from contextlib import AsyncExitStack
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from gateway.settings import Breaker
from tests.faults.proxy import Hang as HangAll
from tests.faults.proxy import Refuse, Reset, Share, proxied
from tests.faults.routed import FIRST, STEADY, Heard, asked, routed, target
from tests.stores import running
from tests.upstream import Answer, Cut, Hang, Pause, Script, Upstream, error, scripted

QUICK = Breaker(failures=3, open_for=0.2, longest=0.8)
APOLOGY = "Sorry, I lost my thread."
HELLO = "Hello there."


def behind(upstream: Upstream) -> tuple[str, int]:
    """Where the upstream listens."""
    parts = urlsplit(upstream.url)
    assert parts.hostname and parts.port
    return parts.hostname, parts.port


async def missing(url: str) -> list[str]:
    """What `/readyz` says is missing."""
    async with httpx.AsyncClient() as client:
        answer = await client.get(f"{url}/readyz")
    assert answer.status_code == 200
    return list(answer.json()["missing"])


async def until_back(url: str, within: float) -> float:
    """Ask as a conversation does, ten times a second, until there is an answer; seconds it took."""
    began = time.perf_counter()
    while (await asked(url)).text != HELLO:
        assert time.perf_counter() - began < within
        await asyncio.sleep(0.1)
    return time.perf_counter() - began


@pytest.mark.parametrize("breaker", [STEADY, QUICK], ids=["asked each time", "left out"])
async def test_u35_half_of_the_connections_fail(upstream: Upstream, tmp_path: Path, breaker: Breaker) -> None:
    """At least 99.5 % of 400 callers hear an answer, from the second target where the first one fails."""
    upstream.script = Script(["Hello", " there."], headers={"connection": "close"})
    half = Share(0.5, Reset(after=0))
    async with (
        proxied(*behind(upstream), seed=11) as proxy,
        routed(
            tmp_path,
            *(target(url, first_token=5, connect=5) for url in (f"{proxy.url}/v1", upstream.url)),
            breaker=breaker,
        ) as url,
    ):  # resets, not deadlines, are what fails here
        await proxy.suffer(half)
        heard: list[Heard] = []
        for _ in range(20):
            heard += await asyncio.gather(*(asked(url) for _ in range(20)))
        assert proxy.accepted >= 400 if breaker is STEADY else 20 <= proxy.accepted < 400
    well = sum(each.text == HELLO for each in heard)
    assert well / len(heard) >= 0.995


async def test_u35_a_target_that_fails_is_left_out_and_comes_back(upstream: Upstream, tmp_path: Path) -> None:
    """After three failures nobody pays for the first target any more; readiness names it; once it is well it is asked
    again."""
    async with (
        scripted(Script([], before=[Hang()])) as first,
        routed(tmp_path, target(first.url, model="a"), target(upstream.url, model="b"), breaker=QUICK) as url,
    ):
        assert await missing(url) == []
        slow = [(await asked(url)).first for _ in range(3)]
        assert min(slow) >= FIRST
        assert await missing(url) == ["upstream:main/a"]
        quick = [(await asked(url)).first for _ in range(5)]
        assert max(quick) < 0.1
        first.script = Script(["Hello", " there."])
        await asyncio.sleep(1.2)
        assert (await asked(url)).target == "main/a" and await missing(url) == []


@pytest.mark.parametrize("count", [1, 2])
async def test_u36_nobody_waits_for_targets_that_hang(upstream: Upstream, tmp_path: Path, count: int) -> None:
    """While all targets hang, the apology comes in under 300 ms; one probe at a time finds out when they are back, and
    then the conversation goes on."""
    async with proxied(*behind(upstream)) as proxy:
        targets = [target(f"{proxy.url}/v1", model=f"m{number}") for number in range(count)]
        async with routed(tmp_path, *targets, breaker=QUICK) as url:
            assert (await asked(url)).text == HELLO
            await proxy.suffer(HangAll(after=0))
            proxy.kill()
            await asyncio.gather(*(asked(url) for _ in range(QUICK.failures)))
            before, began = proxy.accepted, time.perf_counter()
            first: list[float] = []
            for _ in range(20):
                heard = await asyncio.gather(*(asked(url) for _ in range(10)))
                assert {each.text for each in heard} == {APOLOGY}
                first += [each.first for each in heard]
                assert (await asked(url, "main")).status == 504
                await asyncio.sleep(0.1)
            assert statistics.median(first) < 0.1 and max(first) < 0.3
            probes = proxy.accepted - before
            # Each lasts for the target's deadline, and the next one comes after 0.2 s at least.
            assert 1 <= probes <= count * (1 + (time.perf_counter() - began) / (FIRST + QUICK.open_for))
            assert len(await missing(url)) == count
            await proxy.heal()
            proxy.kill()
            soon = QUICK.longest + FIRST + 0.5
            assert await until_back(url, 10) < soon
            async with asyncio.timeout(soon):  # the other one too
                while await missing(url):  # noqa: ASYNC110 it is a process's readiness
                    await asyncio.sleep(0.05)


async def test_u36_targets_that_refuse_are_asked_all_the_same(upstream: Upstream, tmp_path: Path) -> None:
    """While nobody listens the apology comes at once, and the first question after they are back is answered."""
    seldom = Breaker(failures=3, open_for=30, longest=30)
    async with (
        proxied(*behind(upstream)) as proxy,
        routed(tmp_path, target(f"{proxy.url}/v1"), breaker=seldom) as url,
    ):
        await proxy.suffer(Refuse())
        proxy.kill()
        for _ in range(10):
            heard = await asked(url)
            assert heard.text == APOLOGY and heard.first < 0.3
        assert await missing(url) == ["upstream:main/m"]
        await proxy.heal()
        assert (await asked(url)).text == HELLO and await missing(url) == []


@pytest.mark.parametrize("status", [429, 503])
async def test_u24_a_target_with_a_limit_is_left_out_for_its_time(
    upstream: Upstream, tmp_path: Path, status: int
) -> None:
    """With 503 or 429 and Retry-After 1 the others answer for a second, unprobed, and then it is asked again."""
    async with (
        scripted(Answer(status, error("Later."), {"retry-after": "1"})) as first,
        routed(tmp_path, target(first.url, model="a"), target(upstream.url), breaker=QUICK) as url,
    ):
        began = time.perf_counter()
        assert (await asked(url)).text == HELLO
        first.script = Script(["Hello", " there."])
        while time.perf_counter() - began < 0.9:
            assert (await asked(url)).target == "main/m"
            await asyncio.sleep(0.05)
        assert len(first.requests) == 1
        await asyncio.sleep(0.2)
        assert (await asked(url)).target == "main/a"


async def test_u08_a_target_whose_streams_break_is_left_out(upstream: Upstream, tmp_path: Path) -> None:
    """Three answers broken off in their middle, and the next caller hears the other target."""
    async with scripted(Script(["Hel", Pause(0.02), Cut()])) as first:
        breaker = Breaker(failures=3, open_for=30, longest=30)
        async with routed(tmp_path, target(first.url), target(upstream.url), breaker=breaker) as url:
            for _ in range(3):
                assert (await asked(url)).code == "upstream_truncated"
            assert (await asked(url)).text == HELLO


async def test_u36_probes_end_with_the_process(upstream: Upstream, tmp_path: Path) -> None:
    """A gateway that stops while it probes stops at once."""
    upstream.script = Script([], before=[Hang()])
    hanging = target(upstream.url, first_token=FIRST)
    async with routed(tmp_path, hanging, breaker=Breaker(1, open_for=0.05, longest=0.05)) as url:
        await asked(url)
        await upstream.asked(2)
        began = time.perf_counter()
    assert time.perf_counter() - began < 0.5
    assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("probe")]


async def test_u36_one_worker_finds_out_for_all(upstream: Upstream, tmp_path: Path) -> None:
    """What three callers of one gateway waited for, no caller of another one waits for: it is told through the store.
    Both find out for themselves when the target is back."""
    (tmp_path / "store").mkdir()
    seldom = Breaker(failures=3, open_for=0.5, longest=1.0)
    with running("valkey", tmp_path / "store") as store:
        async with scripted(Script([], before=[Hang()])) as first, AsyncExitStack() as stack:
            route = (target(first.url), target(upstream.url, model="b"))
            one, two = [
                await stack.enter_async_context(routed(tmp_path / name, *route, breaker=seldom, redis=store.url))
                for name in "ab"
            ]
            await asyncio.gather(*(asked(one) for _ in range(3)))
            await asyncio.sleep(0.1)
            assert await missing(two) == ["upstream:main/m"]
            heard = await asked(two)
            assert heard.text == HELLO and heard.first < 0.1
            first.script = Script(["Hello", " there."])
            async with asyncio.timeout(5):
                while {(await asked(one)).target, (await asked(two)).target} != {"main/m"}:  # noqa: ASYNC110 two gateways
                    await asyncio.sleep(0.05)
