"""Where it is measured: the gateway alone on one core; Redis, the model and the callers on another."""

import asyncio
import contextlib
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from gateway.http.capability import capability, gateway_id, path
from gateway.store import embedded
from tests.bench.targets import QUESTIONS, answers, cores, cpu_seconds, free_port, ingest, process
from tests.knowledge import with_model
from tests.load.capacity.figures import Who
from tests.load.capacity.hearing import request
from tests.load.capacity.speaking import Model, Pace, speaking
from tests.load.programs import redis_program
from tests.serving import ROOT

CONFIG = """
prompts = "{out}/prompts"
default_route = "main"
[server]
drain_notice = 0
drain_timeout = 1
[limits]
turns = 10000
[knowledge]
directory = "{knowledge}"
[[routes.main.targets]]
url = "{model}"
first_token = 30.0
between_chunks = 30.0
total = 600.0
"""
AGENT = """---
name: guide
language: en
route: main
collections: [{collection}]
apology: I am sorry.
unknown: I do not know.
---
You answer in one sentence, from what you know.
"""
SECRET = "the-secret-of-a-gateway-that-is-measured"
HISTORY = 6
"""Turns that a caller brings of what was said before."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where things write, and on which cores they run."""

    out: Path
    gateway_core: int
    load_core: int


@dataclass(frozen=True, slots=True)
class Serving:
    """A gateway process with what it needs."""

    url: str
    pid: int
    redis: int
    """Its port."""
    redis_pid: int
    model: Model

    def opened(self) -> str:
        """The address of the agent that Simli is given: with a capability in it, and no key."""
        return self.url + path(gateway_id(SECRET), capability(SECRET, "guide", 0), "guide")

    def address(self, who: Who) -> str:
        """Of this one's chat completions."""
        return f"{self.url}/agents/guide/v1/chat/completions" if who == "agent" else f"{self.url}/v1/chat/completions"

    def questions(self, who: Who, *headers: str, address: str = "") -> list[bytes]:
        """What callers ask this one, in the middle of a conversation."""
        asked = [body(who, question) for question in QUESTIONS]
        return [request(address or self.address(who), one, headers) for one in asked]


def body(who: Who, question: str) -> dict[str, object]:
    """A request as Simli's agents send it: all that was said before, and the question."""
    told = [
        message
        for number in range(HISTORY)
        for message in (
            {"role": "user", "content": QUESTIONS[number % len(QUESTIONS)]},
            {
                "role": "assistant",
                "content": "We open at nine in the morning, and the last boat goes back at half six.",
            },
        )
    ]
    return {
        "model": "guide" if who == "agent" else "main",
        "stream": True,
        "messages": [*told, {"role": "user", "content": question}],
    }


@contextlib.contextmanager
def prepared() -> Iterator[Place]:
    """A directory with the agent and the sample knowledge ingested; gone at the end."""
    gateway_core, load_core = cores()
    with tempfile.TemporaryDirectory(prefix="capacity-") as out:
        place = Place(Path(out), gateway_core, load_core)
        knowledge = ROOT / "knowledge"
        collection = min(path.name for path in knowledge.iterdir() if path.is_dir())
        (place.out / "prompts").mkdir()
        (place.out / "prompts" / "guide.md").write_text(AGENT.format(collection=collection), "utf-8")
        with_model(place.out / "var")
        # Whatever it names as its model: nobody is asked while it ingests.
        ingest(place.out, CONFIG.format(out=out, knowledge=knowledge, model="http://127.0.0.1:9/v1"), place.out / "var")
        yield place


@contextlib.contextmanager
def redis(place: Place) -> Iterator[tuple[int, int]]:
    """A Redis on the load's core, Debian's or the packaged Valkey; its port and its process id."""
    port = free_port()
    program = redis_program() or str(embedded.binary())
    with tempfile.TemporaryDirectory(prefix="redis-", dir=place.out) as kept:
        options = ["--port", str(port), "--bind", "127.0.0.1", "--dir", kept, "--save", "", "--appendonly", "yes"]
        with process(place.out, "redis", [program, *options], place.load_core, {}) as pid:
            yield port, pid


@contextlib.contextmanager
def _gateway(place: Place, model: str, redis_port: int) -> Iterator[tuple[str, int]]:
    config = place.out / "gateway.toml"
    config.write_text(CONFIG.format(out=place.out, knowledge=ROOT / "knowledge", model=model), "utf-8")
    port = free_port()
    environ = {
        "GATEWAY_VAR": str(place.out / "var"),
        "REDIS_URL": f"redis://127.0.0.1:{redis_port}/0",
        "GATEWAY_SECRET": SECRET,
    }
    command = [sys.executable, "-m", "gateway", "serve", "--config", str(config), "--port", str(port)]
    with process(place.out, "gateway", command, place.gateway_core, environ) as pid:
        answers(f"http://127.0.0.1:{port}/readyz", pid, place.out / "gateway.log")
        yield f"http://127.0.0.1:{port}", pid


@contextlib.asynccontextmanager
async def serving(place: Place, pace: Pace) -> AsyncIterator[Serving]:
    """A gateway of this checkout, its Redis, and in this loop, on the load's core, its model."""
    usual = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {place.load_core})
    try:
        with redis(place) as (port, redis_pid):
            async with speaking(pace) as model:
                # In a thread: the gateway asks the model at its start, which answers in this loop.
                opened = _gateway(place, model.url, port)
                url, pid = await asyncio.to_thread(opened.__enter__)
                try:
                    yield Serving(url, pid, port, redis_pid, model)
                finally:
                    await asyncio.to_thread(partial(opened.__exit__, None, None, None))
    finally:
        os.sched_setaffinity(0, usual)


@dataclass(slots=True)
class Used:
    """What was used from its making to `stop`."""

    pid: int
    began: float = 0.0
    gateway: float = 0.0
    own: float = 0.0
    """Seconds of processor time: of the process `pid`, and of this one."""
    seconds: float = 0.0

    def __post_init__(self) -> None:
        self.began = time.monotonic()
        self.gateway, self.own = cpu_seconds(self.pid), time.process_time()

    def stop(self) -> None:
        """Take the differences."""
        self.gateway = cpu_seconds(self.pid) - self.gateway
        self.own = time.process_time() - self.own
        self.seconds = time.monotonic() - self.began
