"""A gateway as the deployment page sets it up behind a proxy, and the moments in which a caller hangs up."""

import asyncio
import contextlib
import time
import urllib.request
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from tests.caller import Call
from tests.serving import gateway_process
from tests.stores import free_port
from tests.upstream import Hang, Pause, Role, Script, Upstream
from tests.upstream.script import Reply

ADMIN = "admin-key-of-the-deployment-tests"
PATH = "/agents/guide/v1/chat/completions"
BODY: Mapping[str, Any] = {"stream": True, "messages": [{"role": "user", "content": "When are you open?"}]}
CONFIG = """
prompts = "{place}"
[server]
drain_notice = 0
workers = {workers}
trusted_proxies = ["127.0.0.1"]
[auth]
anonymous = false
[breaker]
failures = 1000
[[routes.up.targets]]
url = "http://127.0.0.1:{port}/v1"
first_token = 30.0
between_chunks = 30.0
"""
AGENT = """---
name: guide
language: en
route: up
apology: I am sorry.
unknown: I do not know.
---
You answer in one sentence.
"""


@dataclass(frozen=True, slots=True)
class Behind:
    """The gateway that the proxies stand in front of."""

    url: str
    key: str
    """Opens the agent."""
    port: int
    """Where its model is looked for."""
    log: Callable[[], str]

    @property
    def headers(self) -> dict[str, str]:
        """The key, as most callers send it."""
        return {"authorization": f"Bearer {self.key}"}

    @contextlib.asynccontextmanager
    async def model(self, script: Reply) -> Any:
        """The model, as long as the block runs."""
        upstream = Upstream(script)
        await upstream.start(port=self.port)
        try:
            yield upstream
        finally:
            await upstream.stop()


@contextlib.contextmanager
def gateway(place: Path, workers: int = 1) -> Iterator[Behind]:
    """A gateway that asks a model on a port of its own, for callers with a key."""
    port = free_port()
    (place / "guide.md").write_text(AGENT, encoding="utf-8")
    text = CONFIG.format(place=place, port=port, workers=workers)
    with gateway_process(text, {"GATEWAY_VAR": str(place), "GATEWAY_ADMIN_KEY": ADMIN}) as running:
        yield Behind(running.url, _key(running.url), port, lambda: running.log)


def _key(url: str, within: float = 10.0) -> str:
    """A new key, as soon as the store is there."""
    headers = {"authorization": f"Bearer {ADMIN}", "content-type": "application/json"}
    asked = urllib.request.Request(f"{url}/admin/keys", orjson.dumps({"name": "caller"}), headers)
    deadline = time.monotonic() + within
    while True:
        try:
            with urllib.request.urlopen(asked, timeout=10) as answer:
                return str(orjson.loads(answer.read())["secret"])
        except urllib.error.HTTPError as error:
            if error.code != 503 or time.monotonic() > deadline:
                raise
        time.sleep(0.1)


class Phase(NamedTuple):
    """One moment to hang up in."""

    title: str
    script: Reply
    until: Callable[[Call], Awaitable[None]]


async def _asked(call: Call) -> None:
    """The model was asked; nothing is awaited of the answer."""


async def _spoken(call: Call) -> None:
    await heard(call, "word")


async def _last(call: Call) -> None:
    await heard(call, "last")


async def heard(call: Call, word: str) -> None:
    """Read until this was said."""
    async for event in call.events():
        if word in event.data:
            return
    raise AssertionError(f"the answer is over, and nobody said {word!r}")


PHASES = (
    Phase("before the headers", Script([], before=[Hang()]), _asked),
    Phase("before the first token", Script([Role(), Hang()]), _asked),
    Phase("mid-stream", Script([step for _ in range(2000) for step in ("word ", Pause(0.01))]), _spoken),
    Phase("mid-stream, in a silence", Script(["word ", Hang()]), _spoken),
    Phase("after the last word", Script(["word ", "last", Hang()]), _last),
)


async def until_closed(model: Upstream, number: int, hung_up: float, within: float = 5.0) -> float:
    """Seconds from the hang-up until the model's connection was closed; `within` where that did not happen."""
    request = model.requests[number]
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(request.over.wait(), within)
    return within if request.closed is None else max(0.0, request.closed - hung_up)
