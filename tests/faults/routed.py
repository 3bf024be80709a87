"""A gateway in this loop whose route has these targets, and what a caller hears of it."""

import contextlib
import socket
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import orjson

from gateway.app import create_app
from gateway.settings import Breaker, Limits, Route, Server, Settings, Target
from gateway.types import Agent
from tests.caller import calling
from tests.serving import serve, sharing

NORA = Agent("nora", "You are Nora.", apology="Sorry, I lost my thread.")
LONE = replace(NORA, name="lone", route="alone")
STEADY = Breaker(failures=1000)
"""Never opens: each turn reaches the failing target."""
FIRST = 0.3
"""Seconds until the first token, per target."""
ASK = {"messages": [{"role": "user", "content": "Hi"}]}


def target(url: str, **more: Any) -> Target:
    """A target with short deadlines."""
    deadlines: dict[str, Any] = {"connect": 0.3, "first_token": FIRST, "between_chunks": 0.3, "total": 10.0}
    return Target(url=url, **{"model": "m", **deadlines, **more})


def nobody() -> str:
    """A URL where nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}/v1"


@contextlib.asynccontextmanager
async def routed(
    var: Path,
    *targets: Target,
    breaker: Breaker = STEADY,
    alone: Target | None = None,
    redis: str = "",
    **route: Any,
) -> AsyncIterator[str]:
    """The URL of a gateway with the agent `nora` and the route `main`, which she takes.

    With the target `alone` there is a route `alone` that has no other, and the agent `lone`, who takes it. `redis` is
    the store's URL; without one it has its own.
    """
    settings = Settings(
        server=Server(drain_timeout=0.5),
        limits=Limits(body_timeout=0.5),
        routes={"main": Route(targets, **route)} | ({"alone": Route((alone,))} if alone else {}),
        breaker=breaker,
        default_route="main",
        var=var,
        redis_url=redis,
    )
    async with serve(create_app(sharing(settings), {"nora": NORA} | ({"lone": LONE} if alone else {}))) as url:
        yield url


@dataclass(slots=True)
class Heard:
    """One answer."""

    status: int
    headers: dict[str, str]
    text: str = ""
    finish: str = ""
    code: str = ""
    """Of the error: the status's, the event's, or the one that an apology tells."""
    message: str = ""
    body: bytes = b""
    first: float = 0.0
    """Seconds until the first text, or until the error."""
    events: list[Any] = field(default_factory=list)

    @property
    def target(self) -> str:
        """Who answered."""
        return self.headers.get("x-gateway-target", "")


async def asked(url: str, model: str = "nora", **fields: Any) -> Heard:
    """Ask, streaming, and hear the answer to its end: a stream without `[DONE]` is an error."""
    async with calling(f"{url}/v1/chat/completions", {**ASK, "model": model, "stream": True, **fields}) as call:
        heard = Heard(await call.head(), call.headers)
        if call.headers["content-type"] == "application/json":
            heard.body = await call.body()
            heard.first = time.perf_counter() - call.sent
            return _told(heard)
        events = [event async for event in call.events()]
    assert events[-1].data == "[DONE]"
    for event in events[:-1]:
        heard.body += event.raw
        heard.events.append(event.json)
        _read(heard, event.json, event.at)
    return heard


def _told(heard: Heard) -> Heard:
    error = orjson.loads(heard.body).get("error", {})
    heard.code, heard.message = error.get("code", ""), error.get("message", "")
    return heard


def _read(heard: Heard, event: Any, at: float) -> None:
    if error := event.get("error"):
        heard.code, heard.message = error["code"], error["message"]
    heard.code = event.get("x_gateway", {}).get("code", heard.code)
    for choice in event.get("choices", ()):
        text = choice["delta"].get("content") or ""
        heard.first = heard.first or (at if text else 0.0)
        heard.text += text
        heard.finish = choice.get("finish_reason") or heard.finish
