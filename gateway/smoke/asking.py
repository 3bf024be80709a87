"""A question to the gateway as any caller asks it: streamed, by HTTP, with a key."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit

import httpx

from gateway.errors import GatewayGone
from gateway.settings.values import loopback
from gateway.smoke.mouth import Mouth

READ = 30.0
"""Seconds between two pieces of an answer."""


@dataclass(slots=True)
class Answer:
    """What came of it; moments are the clock's."""

    requested: float
    first_token: float | None = None
    last_token: float | None = None
    id: str = ""
    """The request's, as the gateway records it."""
    status: int = 0
    code: str = ""
    """Of a refusal, or of an apology in place of an answer."""
    sources: tuple[str, ...] = ()
    timings: dict[str, float] = field(default_factory=dict)
    """Milliseconds by name, of the header Server-Timing."""

    @property
    def retrieved(self) -> float | None:
        """When the passages were there."""
        spent = [self.timings[name] for name in ("parse", "retrieve") if name in self.timings]
        return self.requested + sum(spent) / 1000 if "retrieve" in self.timings else None


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks."""

    http: httpx.AsyncClient
    url: str
    key: str = field(repr=False)
    model: str = ""
    clock: Callable[[], float] = lambda: 0.0

    async def ask(self, messages: Sequence[dict[str, str]], mouth: Mouth, answer: Answer) -> None:
        """Ask, and give the mouth what comes. Cancelled, it hangs up. Raises GatewayGone."""
        body = {"model": self.model, "messages": list(messages), "stream": True}
        headers = {"authorization": f"Bearer {self.key}"}
        try:
            async with self.http.stream("POST", self.url, json=body, headers=headers) as response:
                _headers(response, answer)
                if response.status_code != 200:
                    answer.code = _code(await response.aread())
                    return
                async for line in response.aiter_lines():
                    self._event(line, mouth, answer)
        except httpx.HTTPError as error:
            raise GatewayGone(f"The gateway's answer broke off ({type(error).__name__}).") from None
        finally:
            mouth.finish()

    def _event(self, line: str, mouth: Mouth, answer: Answer) -> None:
        if not line.startswith("data:") or (data := line[5:].strip()) == "[DONE]":
            return
        told: dict[str, Any] = json.loads(data)
        extension = told.get("x_gateway") or {}
        answer.code = str(extension.get("code") or (told.get("error") or {}).get("code") or answer.code)
        for choice in told.get("choices", ()):
            if text := choice["delta"].get("content"):
                now = self.clock()
                answer.first_token = answer.first_token or now
                answer.last_token = now
                mouth.add(text)


def caller(url: str) -> httpx.AsyncClient:
    """An HTTP client for it."""
    local = loopback(urlsplit(url).hostname or "")
    return httpx.AsyncClient(timeout=READ, trust_env=not local)


def _headers(response: httpx.Response, answer: Answer) -> None:
    answer.status = response.status_code
    answer.id = response.headers.get("x-request-id", "")
    listed = response.headers.get("x-gateway-sources", "")
    answer.sources = tuple(unquote(one.strip()) for one in listed.split(",") if one.strip())
    for one in response.headers.get("server-timing", "").split(","):
        name, _, rest = one.strip().partition(";")
        if rest.startswith("dur="):
            answer.timings[name] = float(rest[4:])


def _code(body: bytes) -> str:
    try:
        return str(json.loads(body)["error"]["code"])
    except (ValueError, KeyError, TypeError):
        return ""
