"""A caller that hangs up is the normal case: the upstream is closed at once, in every phase, and the turn says so."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.app import create_app
from gateway.types import Query, Retrieval, Retrieved
from tests.caller import calling
from tests.contract.conftest import AGENTS, settings
from tests.serving import serve, sharing
from tests.upstream import Hang, Script, Upstream

ASK = {"messages": [{"role": "user", "content": "How tall is the lighthouse?"}]}
TIMES = 10
LIMIT = 0.05


@pytest.fixture
async def patient(upstream: Upstream, tmp_path: Path) -> AsyncIterator[str]:
    """A gateway whose deadlines are far away, so that only the hang-up can end a turn."""
    told = settings(upstream.url, tmp_path)
    (target,) = told.routes["up"].targets
    route = replace(told.routes["up"], targets=(replace(target, first_token=60, between_chunks=60, total=60),))
    async with serve(create_app(sharing(replace(told, routes={"up": route})), AGENTS)) as url:
        yield url


@pytest.mark.parametrize("model", ["nora", "up"])
@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("script", [Script([], before=[Hang()]), Script([Hang()]), Script(["Hel", "lo", Hang()])])
async def test_c01_c02_a_hangup_closes_the_upstream(
    patient: str, upstream: Upstream, script: Script, model: str, stream: bool
) -> None:
    """The upstream is closed within 50 ms: before the headers, before the first word and midway, streaming or not.

    One of ten may be the machine's own pause; `python -m tests.bench.hangup` measures the 99th percentile of 100.
    """
    upstream.script = script
    delays = []
    for number in range(TIMES):
        async with calling(f"{patient}/chat/completions", {**ASK, "model": model, "stream": stream}) as call:
            request = await upstream.asked(number + 1)
            if stream and "lo" in script.steps:
                async for event in call.events():
                    if '"content":"lo"' in event.data:
                        break
            gone = call.hang_up()
            await asyncio.wait_for(request.over.wait(), 1)
        assert request.closed is not None
        delays.append(request.closed - gone)
    assert sorted(delays)[-2] < LIMIT and max(delays) < 1


async def test_c03_a_hangup_during_retrieval_asks_nobody(upstream: Upstream, tmp_path: Path) -> None:
    """A caller that left while its knowledge was searched costs no upstream call."""
    cancelled: list[float] = []

    async def slow(_: Sequence[str], query: Query, __: Retrieval) -> Retrieved:
        if query.question != ASK["messages"][0]["content"]:
            return Retrieved()  # the rehearsal of a turn at the start is not what is tested
        try:
            await asyncio.sleep(60)
        finally:
            cancelled.append(time.perf_counter())
        raise AssertionError

    app = create_app(
        sharing(settings(upstream.url, tmp_path)),
        {"nora": replace(AGENTS["nora"], collections=("sea",))},
        retrieve=slow,
    )
    async with serve(app) as url:
        for number in range(TIMES):
            async with calling(f"{url}/chat/completions", {**ASK, "model": "nora"}) as call:
                await asyncio.sleep(0.02)
                gone = call.hang_up()
                await asyncio.sleep(0.05)
            assert len(cancelled) == number + 1 and cancelled[-1] - gone < LIMIT
    assert not upstream.requests
