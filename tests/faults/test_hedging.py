"""A target that is slow now and then: a second one is asked beside it, and the person hears whichever speaks first."""

import asyncio
import statistics
from pathlib import Path

import pytest

from tests.caller import calling
from tests.faults.proxy import Hang as HangAll
from tests.faults.proxy import Latency, proxied
from tests.faults.routed import ASK, asked, routed, target
from tests.faults.test_breaker import behind
from tests.upstream import Hang, Pause, Role, Script, Upstream, scripted

HELLO = "Hello there."
GONE = 0.05
"""Seconds after which the loser, or both where the caller hangs up, must see it."""
TIMES = 10


@pytest.mark.parametrize(
    "slow", [Script([], before=[Pause(1.0)]), Script([Pause(1.0), "late"]), Script([Role(), Hang()])]
)
async def test_u34_a_slow_first_target_is_not_waited_for(upstream: Upstream, tmp_path: Path, slow: Script) -> None:
    """After `hedge_after` the second target is asked too and heard at once; the first sees the hang-up within 50 ms."""
    async with scripted(slow) as first:
        route = [target(first.url, model="a", first_token=3), target(upstream.url, model="b")]
        async with routed(tmp_path, *route, hedge=True, hedge_after=0.1, hedge_share=1.0) as url:
            closed = []
            for number in range(TIMES):
                heard = await asked(url)
                assert (heard.text, heard.target) == (HELLO, "main/b") and 0.1 <= heard.first < 0.25
                request = first.requests[number]
                await asyncio.wait_for(request.over.wait(), 1)
                assert request.closed is not None
                closed.append(request.closed - upstream.requests[number].began)
    # From the second request's arrival: its first word, and the first one's end. One pause may be the machine's.
    assert sorted(closed)[-2] < GONE


async def test_u34_its_own_pace_says_when_it_is_slow(upstream: Upstream, tmp_path: Path) -> None:
    """Without a delay its own 95th percentile is waited for: at ten times its usual time the second target is heard."""
    upstream.script = Script([Pause(0.03), "Hello", " there."])
    async with proxied(*behind(upstream), seed=3) as proxy, scripted() as second:
        route = [target(f"{proxy.url}/v1", model="a"), target(second.url, model="b")]
        async with routed(tmp_path, *route, hedge=True, hedge_share=1.0) as url:
            usual = [(await asked(url)).first for _ in range(25)]
            before = len(second.requests)
            await proxy.suffer(Latency(0.27, jitter=0.02))
            slow = [await asked(url) for _ in range(TIMES)]
            assert {each.target for each in slow} == {"main/b"} and len(second.requests) - before == TIMES
            added = statistics.median(each.first for each in slow) - statistics.median(usual)
    assert added < 0.05


async def test_u34_hedges_are_a_share(upstream: Upstream, tmp_path: Path) -> None:
    """Where every turn is slow, no more of them ask a second target than `hedge_share` allows."""
    upstream.script = Script([Pause(0.03), "Hello", " there."])
    async with scripted() as second:
        route = [target(upstream.url), target(second.url)]
        async with routed(tmp_path, *route, hedge=True, hedge_after=0.005, hedge_share=0.2) as url:
            for _ in range(10):
                await asyncio.gather(*(asked(url) for _ in range(10)))
        assert len(upstream.requests) == 100 and 15 <= len(second.requests) <= 20


async def test_u34_a_hedged_route_whose_targets_all_hang(tmp_path: Path) -> None:
    """The apology comes within the route's time, and a bare route's 504; both connections are closed."""
    async with scripted(Script([Hang()])) as first, scripted(Script([], before=[Hang()])) as second:
        route = [target(first.url), target(second.url)]
        async with routed(tmp_path, *route, hedge=True, hedge_after=0.1, hedge_share=1.0, first_token=0.5) as url:
            heard = await asked(url)
            assert heard.text == "Sorry, I lost my thread." and heard.first < 0.55
            assert (await asked(url, "main")).status == 504
        await asyncio.sleep(0.05)
        assert first.stats["open"] == second.stats["open"] == 0


async def test_c01_a_hangup_closes_both_hedged_targets(upstream: Upstream, tmp_path: Path) -> None:
    """A caller that leaves while two targets are waited for closes both within 50 ms."""
    upstream.script = Script([Role(), Hang()])
    async with scripted(Script([], before=[Hang()])) as second:
        route = [target(upstream.url, first_token=30), target(second.url, first_token=30)]
        async with routed(tmp_path, *route, hedge=True, hedge_after=0.02, hedge_share=1.0) as url:
            delays = []
            for number in range(1, TIMES + 1):
                async with calling(f"{url}/v1/chat/completions", {**ASK, "model": "nora"}) as call:
                    requests = await upstream.asked(number), await second.asked(number)
                    gone = call.hang_up()
                    for request in requests:
                        await asyncio.wait_for(request.over.wait(), 1)
                        assert request.closed is not None
                        delays.append(request.closed - gone)
    assert sorted(delays)[-2] < GONE and max(delays) < 1


async def test_u34_a_slow_second_target_changes_nothing(upstream: Upstream, tmp_path: Path) -> None:
    """A hedge that hangs is hung up on when the first target speaks after all."""
    upstream.script = Script([Pause(0.15), "Hello", " there."])
    async with scripted() as behind_proxy, proxied(*behind(behind_proxy)) as proxy:
        await proxy.suffer(HangAll())
        route = [target(upstream.url, model="a"), target(f"{proxy.url}/v1", model="b")]
        async with routed(tmp_path, *route, hedge=True, hedge_after=0.05, hedge_share=1.0) as url:
            heard = await asked(url)
        assert (heard.text, heard.target) == (HELLO, "main/a") and heard.first < 0.25 and proxy.accepted >= 1
