"""A gateway and its store, seen from beside: sessions are begun and keys made as another process would."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from gateway.http.capability import Capabilities
from gateway.store import Store
from gateway.types.orchestration import Flow, Session


@dataclass
class Place:
    """A gateway, and the store that it shares with this process."""

    url: str
    store: Store
    capabilities: Capabilities

    async def session(self, agent: str = "nora", flow: Flow = "e2e", *, transcript: bool = True) -> tuple[Session, str]:
        """One that is open, and its key, once the gateway knows it."""
        made = await self.store.keys.create(agent=agent, session=lambda id_: f"ses_{id_}", expires=time.time() + 60)
        now = time.time()
        session = Session(made.key.session, agent, flow, made.key.id, now, now + 60, transcript=transcript)
        await self.store.sessions.begin(session, 0)
        async with httpx.AsyncClient(base_url=self.url) as client:
            for _ in range(200):
                if (await client.get(f"/k/{made.text}/v1/models")).status_code == 200:
                    return session, made.text
                await asyncio.sleep(0.01)
        raise AssertionError("the gateway does not know the key")

    async def said(self, session: Session, lines: int) -> list[tuple[str, str]]:
        """The words of a session, once there are so many lines."""
        for _ in range(200):
            found = await self.store.sessions.words(session.id)
            if len(found) >= lines:
                return [(line.role, line.text) for line in found]
            await asyncio.sleep(0.01)
        raise AssertionError(f"{len(found)} lines, not {lines}")


async def ask(url: str, text: str, headers: Mapping[str, str] | None = None, **more: Any) -> httpx.Response:
    """What a turn at this base is answered with; `more` are fields of the body."""
    body = {"messages": [{"role": "user", "content": text}], "stream": True, **more}
    async with httpx.AsyncClient() as client:
        return await client.post(f"{url}/chat/completions", json=body, headers=dict(headers or {}))
