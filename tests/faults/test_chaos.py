"""200 callers at once, and something dies. The gateway, its upstream and its store are processes of their own.

What is asserted of every single stream: it ends in a finish or an error and `[DONE]`, and nobody waits for ever.
Counts are printed (`pytest -s`, or -rP).
"""

import asyncio
import contextlib
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.bench.measuring import percentile
from tests.caller import calling
from tests.load.crowd import Crowd, crowd
from tests.load.listening import PROPER, Heard, counted, listened
from tests.load.programs import EmbeddedStore, Program, redis_process, redis_program, upstream_process
from tests.serving import Gateway, gateway_process

CALLERS = 200
CHUNKS = 10
"""Of one answer: it takes a second or two."""
GAP = 0.15
PATIENCE = 15.0
DEBIANS = pytest.mark.skipif(redis_program() is None, reason="redis-server is not installed (apt install redis-server)")
APOLOGY = "Sorry, I lost my thread."
CONFIG = """
prompts = "{prompts}"
default_route = "main"
[server]
drain_notice = {notice}
drain_timeout = {drain}
[breaker]
open_for = 0.2
longest = 0.5
[routes.main]
[[routes.main.targets]]
url = "http://127.0.0.1:{port}/v1"
first_token = 2.0
between_chunks = 2.0
"""
AGENT = f"""---
name: guide
language: en
route: main
apology: {APOLOGY}
unknown: I do not know.
rate: {{requests: 1000000, streams: 1000}}
---
You answer at length.
"""


class Told(NamedTuple):
    """When it was asked and what was heard."""

    asked: float
    heard: Heard


class Scene:
    """What runs, and everything that was heard."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self.told: list[Told] = []

    async def ask(self, number: int) -> Heard:
        """The agent, which speaks where it fails, and the bare route, which says what failed, in turn."""
        path, model = (("/agents/guide/v1", "guide"), ("/v1", "main"))[number % 2]
        body = {"model": model, "stream": True, "messages": [{"role": "user", "content": f"Caller {number}: go on."}]}
        asked = time.monotonic()
        heard = await listened(f"{self.gateway.url}{path}/chat/completions", body, patience=PATIENCE)
        self.told.append(Told(asked, heard))
        return heard

    def between(self, begin: float, end: float) -> list[Heard]:
        """What was asked in this time, by the monotonic clock."""
        return [told.heard for told in self.told if begin <= told.asked < end]

    @property
    def heard(self) -> list[Heard]:
        """Everything."""
        return [told.heard for told in self.told]

    async def missing(self) -> list[str]:
        """What readiness says is missing. It serves all the same."""
        async with calling(f"{self.gateway.url}/readyz") as call:
            told = await call.json()
        assert call.status == 200
        assert told["status"] == ("degraded" if told["missing"] else "ok")
        return [str(each) for each in told["missing"]]

    def improper(self) -> list[Heard]:
        """What must not be: bare ends, endless waits, nobody there."""
        return [heard for heard in self.heard if heard.ending not in PROPER]

    @contextlib.asynccontextmanager
    async def crowded(self) -> AsyncIterator[Crowd]:
        """200 callers; half of them have heard a whole answer when this begins, and most are listening to the next."""
        async with crowd(CALLERS, self.ask, lambda _: None, patience=PATIENCE + 5) as gathered:
            await until(lambda: len(self.told) > CALLERS / 2 and gathered.listening > CALLERS / 2)
            yield gathered


def whole(every: Sequence[Heard]) -> bool:
    """Whether all of these are complete answers."""
    return all(
        (heard.ending, heard.incomplete, len(heard.text.split())) == ("finish", False, CHUNKS) for heard in every
    )


async def until(holds: Callable[[], bool], within: float = 10.0) -> None:
    """Wait until this is so."""
    async with asyncio.timeout(within):
        while not holds():  # noqa: ASYNC110 a look at numbers, no event
            await asyncio.sleep(0.02)


@contextlib.contextmanager
def gateway_before(
    upstream: Program, place: Path, *, redis: Program | None = None, notice: float = 0.0, drain: float = 10.0
) -> Iterator[Scene]:
    """The gateway as a process, in front of these."""
    prompts = place / "prompts"
    prompts.mkdir()
    (prompts / "guide.md").write_text(AGENT, "utf-8")
    config = CONFIG.format(prompts=prompts, port=upstream.port, notice=notice, drain=drain)
    environ = {"REDIS_URL": f"redis://127.0.0.1:{redis.port}/0"} if redis else {}
    with gateway_process(config, environ, stop_within=30) as gateway:
        yield Scene(gateway)


async def test_u36_an_upstream_killed_and_restarted_under_load_leaves_no_stream_without_an_end(
    tmp_path: Path,
) -> None:
    """Each of 200 callers hears the answer, or the apology and a finish, or an error; all is well after the return."""
    async with upstream_process(chunks=CHUNKS, first=0.05, gap=GAP) as upstream:
        with gateway_before(upstream, tmp_path) as scene:
            async with scene.crowded():
                assert whole(scene.heard)
                for _ in range(2):
                    await upstream.kill()
                    await asyncio.sleep(0.7)
                    await upstream.start()
                    await asyncio.sleep(1.5)
                back = time.monotonic()
                await asyncio.sleep(1.0)
                end = time.monotonic()
            print(counted(scene.heard), "after the return:", counted(scene.between(back, end)))
            assert not scene.improper()
            assert len(scene.between(back, end)) > CALLERS / 4
            assert whole(scene.between(back, end))
            broken = [heard for heard in scene.heard if heard.ending == "error" or heard.incomplete]
            midway = [heard for heard in broken if heard.text.removesuffix(APOLOGY)]
            assert len(midway) > CALLERS / 2, "streams were running when the upstream was killed"
            assert all(heard.text.endswith(APOLOGY) for heard in broken if heard.incomplete)


@pytest.mark.parametrize("database", [pytest.param("redis-server", marks=DEBIANS), "embedded"])
async def test_s02_a_store_killed_under_load_costs_no_caller_anything(tmp_path: Path, database: str) -> None:
    """Each of 200 callers hears its whole answer, as soon as before, while the store is away and when it is back."""
    async with contextlib.AsyncExitStack() as stack:
        upstream = await stack.enter_async_context(upstream_process(chunks=CHUNKS, first=0.05, gap=GAP))
        redis = await stack.enter_async_context(redis_process()) if database == "redis-server" else None
        scene = stack.enter_context(gateway_before(upstream, tmp_path, redis=redis))
        async with scene.crowded():
            away = time.monotonic()
            if redis is None:
                await EmbeddedStore(scene.gateway.process.pid).kill()
                await asyncio.sleep(2.0)
            else:
                await redis.kill()
                await asyncio.sleep(2.0)
                assert await scene.missing() == ["store"]
                await redis.start()
            back = time.monotonic()
            await asyncio.sleep(2.0)
            assert await scene.missing() == []
        before, meanwhile = (quickest(part) for part in (scene.between(0, away - 1), scene.between(away, back)))
        print(counted(scene.heard), f"first word before {before:.3f} s, while it was away {meanwhile:.3f} s")
        assert whole(scene.heard)
        assert meanwhile < before + 0.03, "a turn that waits for its store waits 50 ms"


def quickest(every: Sequence[Heard]) -> float:
    """The first word's 10th percentile: a busy machine delays some, waiting for the store would delay all."""
    return percentile([heard.first for heard in every], 0.1)


@pytest.mark.parametrize(("chunks", "drain"), [(CHUNKS, 10.0), (100, 1.0)])
async def test_s12_sigterm_under_load_cuts_no_stream(tmp_path: Path, chunks: int, drain: float) -> None:
    """Running streams end by themselves, or past the grace with an apology or an error; new ones are told 503."""
    async with upstream_process(chunks=chunks, first=0.05, gap=GAP) as upstream:
        with gateway_before(upstream, tmp_path, notice=0.5, drain=drain) as scene:
            async with crowd(CALLERS, scene.ask, lambda _: None, patience=PATIENCE + 5) as gathered:
                await until(lambda: gathered.listening > CALLERS / 2)
                await asyncio.sleep(1.0)
                signalled = time.monotonic()
                scene.gateway.process.send_signal(signal.SIGTERM)
                gathered.leave_when_refused()
                status = await asyncio.to_thread(scene.gateway.process.wait, 30)
                took = time.monotonic() - signalled
            running = [heard for asked, heard in scene.told if asked + heard.first < signalled < asked + heard.seconds]
            later = scene.between(signalled, float("inf"))
            print(f"running: {counted(running)}; later: {counted(later)}; ended after {took:.1f} s")
            assert status == 0
            assert took < 0.5 + drain + 5
            assert len(running) > CALLERS / 2
            if drain > GAP * chunks:
                assert whole(running)
            else:
                assert {(heard.ending, heard.incomplete) for heard in running} == {("finish", True), ("error", False)}
            assert {(heard.ending, heard.status) for heard in later} <= {("refused", 503), ("unreachable", 0)}
            assert all(told.heard.ending in PROPER for told in scene.told if told.asked < signalled - 1)
