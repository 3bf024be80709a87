"""The gateway in this loop, on a real socket, in front of the scripted upstream."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import openai
import pytest

from gateway import store as stores
from gateway.app import Drain, create_app
from gateway.http.capability import Capabilities
from gateway.settings import Limits, Route, Server, Settings, Target
from gateway.types import Agent
from tests.contract.place import Place
from tests.serving import serve, sharing
from tests.upstream import Upstream

NORA = Agent(
    "nora",
    "You are Nora.",
    first_message="Welcome to the lighthouse.",
    apology="Sorry, I lost my thread.",
    unknown="I do not know.",
)
STRICT = Agent("strict", "You are strict.", on_failure="error", stream=False)
MUTE = replace(NORA, name="mute", transcript=False)
SECRET = "a secret of thirty-two characters"
AGENTS = {agent.name: agent for agent in (NORA, STRICT)}


def settings(upstream: str, var: Path) -> Settings:
    """Two routes to the scripted upstream, short deadlines, no knowledge."""
    target = Target(url=upstream, model="scripted", connect=0.5, first_token=0.4, between_chunks=0.3, total=5.0)
    return Settings(
        server=Server(drain_timeout=0.5),
        limits=Limits(body_timeout=0.5),
        routes={"up": Route((target,)), "soft": Route((target,), on_failure="speak")},
        default_route="up",
        var=var,
    )


@pytest.fixture
def drain() -> Drain:
    """Say with it that the process is about to stop."""
    return Drain()


@pytest.fixture
async def gateway(upstream: Upstream, tmp_path: Path, drain: Drain) -> AsyncIterator[str]:
    """The URL of a gateway with agents `nora` and `strict` and routes `up` and `soft`."""
    async with serve(create_app(sharing(settings(upstream.url, tmp_path)), AGENTS, drain)) as url:
        yield url


@pytest.fixture
async def client(gateway: str) -> AsyncIterator[openai.AsyncOpenAI]:
    """openai-python, as anybody would use it, without its retries."""
    async with openai.AsyncOpenAI(base_url=f"{gateway}/v1", api_key="any", max_retries=0) as opened:
        yield opened


@pytest.fixture
async def place(upstream: Upstream, tmp_path: Path) -> AsyncIterator[Place]:
    """A gateway and its store: the agents above, and `mute`, who has no transcripts."""
    told = sharing(replace(settings(upstream.url, tmp_path), secret=SECRET))
    told = replace(told, store=replace(told.store, timeout=1.0))
    agents = {**AGENTS, "mute": MUTE}
    async with (
        serve(create_app(told, agents)) as url,
        stores.opened(replace(told, var=tmp_path / "beside")) as store,
    ):
        assert await store.reached(5)
        yield Place(url, store, Capabilities(SECRET, lambda: agents, store.generations.current))
