"""The gateway as its operator: agents applied, sessions started and ended, what it recorded. It is met by URL."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import httpx

from gateway.errors import (
    AdminRefused,
    ConfigurationError,
    Fault,
    FilesAtFault,
    GatewayError,
    GatewayGone,
    InvalidValue,
    SimliError,
    UpstreamRejected,
)
from gateway.settings.values import loopback
from gateway.smoke.evidence import Call
from gateway.types.smoke import SmokeLine

STARTING = 150.0
"""Seconds for what ends in Simli's answer: the gateway itself gives up before."""
ASKING = 15.0
RECORDED = 50
"""Calls that are looked at."""


def kinds(root: type[GatewayError] = GatewayError) -> Iterator[type[GatewayError]]:
    """Every kind of error, the nearest to the root first."""
    yield root
    for kind in root.__subclasses__():
        yield from kinds(kind)


class Gateway:
    """What `opened` hands out."""

    def __init__(self, http: httpx.AsyncClient, url: str) -> None:
        self._http = http
        self.url = url
        """Where callers reach it."""

    async def ready(self) -> str:
        """`ok`, or what it does without. Raises GatewayGone."""
        try:
            answer = await self._http.get(f"{self.url}/readyz")
            told = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise GatewayGone(f"The gateway at {self.url} does not answer ({type(error).__name__}).") from None
        if answer.status_code != 200:
            raise GatewayGone(f"The gateway at {self.url} is not ready ({answer.status_code}).")
        return ", ".join(told["missing"]) or "ok"

    async def agent(self, name: str) -> Mapping[str, Any]:
        """The agent as it is served. Raises Told where there is none."""
        shown = await self._ask("GET", f"/admin/agents/{name}")
        if not shown["served"]:
            raise InvalidValue(f"{name} is not served: its file has faults, which `gateway check` shows.")
        return dict(shown["served"])

    async def apply(self) -> str:
        """Make Simli's agents what the files say; how many were changed."""
        done = await self._ask("POST", "/admin/agents/apply", {}, STARTING)
        count = len([one for one in done["changes"] if one["action"] != "unchanged"])
        return f"{count} changed at Simli" if count else "Simli has it as its file says"

    async def start(self, agent: str, *, by_agent: bool) -> Mapping[str, Any]:
        """A session that bills from now on: `session`, `room_url`, `warnings`."""
        return dict(await self._ask("POST", "/admin/sessions", {"agent": agent, "by_agent": by_agent}, STARTING))

    async def link(self, agent: str, origins: Sequence[str]) -> Mapping[str, Any]:
        """What a page starts a session by: `session`, `start_url`, `warnings`."""
        return dict(
            await self._ask("POST", "/admin/sessions/link", {"agent": agent, "origins": list(origins)}, STARTING)
        )

    async def end(self, session: str) -> str:
        """Its key opens nothing any more; what Simli may bill still, in a sentence."""
        return str((await self._ask("POST", f"/admin/sessions/{session}/end"))["says"])

    async def transcript(self, session: str) -> tuple[str, str, tuple[SmokeLine, ...]]:
        """State, source and lines."""
        found = await self._ask("GET", f"/admin/sessions/{session}/transcript", within=60.0)
        lines = tuple(SmokeLine(one["role"], one["text"]) for one in found["lines"])
        return found["state"], found["source"], lines

    async def calls(self, since: float, began: float) -> tuple[Call, ...]:
        """What it recorded from `since` on, the oldest first; `began` is the run's beginning, both since the epoch."""
        told = await self._ask("GET", f"/admin/turns?limit={RECORDED}")
        found = [_call(one, began) for one in told["turns"] if one["at"] >= since]
        return tuple(sorted(found, key=lambda one: one.at))

    async def key(self, agent: str) -> tuple[str, str]:
        """A key for a quarter of an hour: its id, and itself."""
        made = await self._ask("POST", "/admin/keys", {"agent": agent, "name": "gateway smoke", "expires_in": 900})
        return made["key"]["id"], made["secret"]

    async def revoke(self, key: str) -> None:
        """It opens nothing any more."""
        await self._ask("DELETE", f"/admin/keys/{key}")

    async def _ask(self, method: str, path: str, body: Any = None, within: float = ASKING) -> Any:
        """One answer. Raises Told, AdminRefused, GatewayGone."""
        try:
            async with asyncio.timeout(within):
                answer = await self._http.request(method, path, json=body)
            told = answer.json() if answer.content else None
        except (httpx.HTTPError, ValueError, TimeoutError) as error:
            why = "did not answer in time" if isinstance(error, TimeoutError | httpx.TimeoutException) else "is gone"
            raise GatewayGone(f"The gateway {why} ({method} {path.partition('?')[0]}).") from None
        if answer.is_success:
            return told
        raise refusal(answer.status_code, told, path)


def refusal(status: int, told: Any, path: str) -> GatewayError:
    """The error in an answer, of the kind that it was there."""
    error = told.get("error") if isinstance(told, dict) else None
    if status in (401, 403):
        return AdminRefused("The gateway's admin API refuses us: set GATEWAY_ADMIN_KEY to the key that it has.")
    if not isinstance(error, dict):
        return GatewayGone(f"What answers {path.partition('?')[0]} with {status} is no gateway of this version.")
    message, more = str(error.get("message")), told.get("x_gateway") or {}
    known = {kind.code: kind for kind in reversed(list(kinds())) if kind not in (UpstreamRejected, ConfigurationError)}
    kind = known.get(str(error.get("code")), GatewayError)
    if issubclass(kind, SimliError):
        simli = more.get("simli") or {}
        return kind(message, simli_code=simli.get("code") or "", simli_status=simli.get("status") or 0)
    if issubclass(kind, FilesAtFault):
        return ConfigurationError([Fault(**one) for one in more.get("faults", ())])
    return kind(message)


def _call(one: Mapping[str, Any], began: float) -> Call:
    return Call(
        id=one["id"],
        at=one["at"] - began,
        agent=one["agent"],
        session=one["session"],
        status=one["status"],
        outcome=one["outcome"],
        code=one["code"],
        upstream=one["upstream"],
        characters=one["characters"],
        sources=tuple(source["id"] for source in one["sources"]),
        timings=dict(one["timings"]),
        answer=one["answer"],
    )


@contextlib.asynccontextmanager
async def opened(url: str, admin: str, key: str) -> AsyncIterator[Gateway]:
    """A client of the gateway at `url`, whose admin API is at `admin`; `key` may be empty on this machine."""
    local = loopback(urlsplit(admin).hostname or "")
    headers = {"authorization": f"Bearer {key}"} if key else {}
    async with httpx.AsyncClient(base_url=admin, headers=headers, timeout=STARTING, trust_env=not local) as http:
        yield Gateway(http, url)
