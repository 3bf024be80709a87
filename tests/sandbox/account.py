"""One sandbox, as a client of Simli's meets it: with the account's key, over a real socket."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx

from tests.sandboxed import Sandbox, caller, sandboxed

AGENT = {"face_id": "tmp9i8bbq7c", "name": "nora"}


@dataclass
class Account:
    """A sandbox, and who speaks to it."""

    sandbox: Sandbox
    http: httpx.AsyncClient

    @property
    def header(self) -> dict[str, str]:
        """Today's place of the key."""
        return {"x-simli-api-key": self.sandbox.key}

    async def agent(self, **fields: Any) -> dict[str, Any]:
        """A new agent."""
        answer = await self.http.post("/agent", headers=self.header, json={**AGENT, **fields})
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def token(self, **fields: Any) -> str:
        """A token that starts agents."""
        answer = await self.http.post("/auto/token", json={"simliAPIKey": self.sandbox.key, **fields})
        assert answer.status_code == 200, answer.text
        return str(answer.json()["session_token"])

    async def start(self, **fields: Any) -> dict[str, str]:
        """A session whose every field is sent: `roomUrl`, `sessionId`."""
        answer = await self.http.post("/auto/start/configurable", headers=self.header, json=fields)
        assert answer.status_code == 200, answer.text
        found: dict[str, str] = answer.json()
        return found

    async def talk(self, url: str, **fields: Any) -> dict[str, str]:
        """A session with the LLM at this base URL."""
        llm = {"provider": "User", "model": "nora", "baseURL": url, "apiKey": "sk-of-the-session"}
        return await self.start(**{"llmConfig": llm, "systemPrompt": "Be brief.", **fields})


@contextlib.asynccontextmanager
async def account(**options: Any) -> AsyncIterator[Account]:
    """A sandbox of one's own."""
    async with sandboxed(**options) as sandbox, caller(base_url=sandbox.url) as http:
        yield Account(sandbox, http)
