"""What a turn leaves behind in memory: nothing that has to wait for the garbage collector, which looks seldom."""

import asyncio
import gc
from collections import Counter
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from gateway.app import create_app
from gateway.settings import Breaker
from gateway.types import Passage, Prompt, Query, Retrieval, Retrieved
from gateway.upstream.attempt import Attempt
from gateway.upstream.search import Search
from tests.caller import calling
from tests.contract.conftest import NORA, settings
from tests.serving import serve, sharing
from tests.upstream import Answer, Cut, Hang, Pause, Reset, Script, Upstream, error

KINDS = (RequestResponseCycle, Search, Attempt, Prompt, Passage)
TURNS = 5


def kept() -> Counter[str]:
    """How many there are of what a turn is made of."""
    return Counter(kind.__name__ for one in gc.get_objects() for kind in KINDS if type(one) is kind)


@pytest.mark.parametrize("path", ["/agents/nora/v1/chat/completions", "/v1/chat/completions"])
@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    "script",
    [
        Script(["Hello", " there."]),
        Answer(500),
        Answer(400, error("No.", "invalid_value")),
        Script(["Hel", Pause(0.02), Cut()]),
        Script([], before=[Reset()]),
        Script([Hang()]),
    ],
    ids=["well", "500", "400", "cut", "reset", "hangs"],
)
async def test_turn_leaves_no_cycle(
    upstream: Upstream,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    *,
    path: str,
    stream: bool,
    script: Script | Answer,
) -> None:
    """What a turn was made of is gone when it has ended, well or not: what stays grows with every turn."""
    upstream.script = script
    caplog.set_level("CRITICAL", "gateway.turn")  # what is captured is kept

    async def retrieve(names: object, query: Query, retrieval: Retrieval) -> Retrieved:
        return Retrieved((Passage("1", "kb", "a.md", "A", "Open at ten."),), "hybrid", "")

    body = {"model": "up", "stream": stream, "messages": [{"role": "user", "content": "When are you open?"}]}
    agents = {"nora": replace(NORA, collections=("kb",))}
    told = replace(settings(upstream.url, tmp_path), breaker=Breaker(failures=1000))
    app = create_app(sharing(told), agents, retrieve=retrieve)
    async with serve(app) as url, httpx.AsyncClient() as client:
        await client.post(url + path, json=body)
        gc.collect()
        gc.disable()
        try:
            before = kept()
            for _ in range(TURNS):
                await client.post(url + path, json=body)
            await asyncio.sleep(0.1)
            grown = kept() - before
        finally:
            gc.enable()
    assert not [name for name, count in grown.items() if count >= TURNS - 1], grown


@pytest.mark.parametrize("path", ["/agents/nora/v1/chat/completions", "/v1/chat/completions"])
@pytest.mark.parametrize("said", [True, False])
async def test_a_hangup_leaves_no_cycle(
    upstream: Upstream, tmp_path: Path, caplog: pytest.LogCaptureFixture, *, path: str, said: bool
) -> None:
    """Neither does a turn whose caller left, before the first word or behind it."""
    upstream.script = Script(["Hel", Hang()] if said else [Hang()])
    caplog.set_level("CRITICAL", "gateway.turn")
    patient = settings(upstream.url, tmp_path)
    (target,) = patient.routes["up"].targets
    route = replace(patient.routes["up"], targets=(replace(target, first_token=60, between_chunks=60, total=60),))
    body = {"model": "up", "stream": True, "messages": [{"role": "user", "content": "When are you open?"}]}
    async with serve(create_app(sharing(replace(patient, routes={"up": route})), {"nora": NORA})) as url:

        async def leave(number: int) -> None:
            async with calling(url + path, body) as call:
                request = await upstream.asked(number)
                if said:
                    async for event in call.events():
                        if "Hel" in event.data:
                            break
                call.hang_up()
                await request.over.wait()

        await leave(1)
        gc.collect()
        gc.disable()
        try:
            before = kept()
            for number in range(TURNS):
                await leave(number + 2)
            await asyncio.sleep(0.1)
            grown = kept() - before
        finally:
            gc.enable()
    assert not [name for name, count in grown.items() if count >= TURNS - 1], grown
