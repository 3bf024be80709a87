"""simli-ai 0.1.25, the seed's dialect with a WebSocket; its TURN switch makes it ask the server for ICE servers."""

import asyncio
import sys
from typing import Any

from simli import SimliClient, SimliConfig

from tests.published.conversation import main, until


class Session:
    """One session."""

    def __init__(self, url: str, key: str, face: str, seconds: int) -> None:
        self.words: list[str] = []
        config = SimliConfig(apiKey=key, faceId=face, maxSessionLength=seconds, maxIdleTime=60)
        self._client = SimliClient(
            config, useTrunServer=True, latencyInterval=1, simliURL=url, enable_logging=False, retry_count=1
        )
        self._client.registerSpeakEventCallback(self._said("SPEAK"))
        self._client.registerSilentEventCallback(self._said("SILENT"))
        self._over: asyncio.Task[None] | None = None

    def _said(self, word: str) -> Any:
        async def said() -> None:
            self.words.append(word)

        return said

    async def start(self) -> None:
        await self._client.Initialize()
        self._over = asyncio.create_task(self._ends())

    async def _ends(self) -> None:
        # It has no event for STOP: it clears `run` for it, and for nothing else.
        await until("the end", 45, lambda: not self._client.run)
        self.words.append("STOP")

    async def send(self, pcm: bytes) -> None:
        await self._client.send(pcm)

    async def again(self, pcm: bytes) -> None:
        await self._client.send(pcm)

    async def skip(self) -> None:
        await self._client.clearBuffer()

    async def close(self) -> None:
        if self._over:
            self._over.cancel()
        await self._client.stop()  # says DONE

    def video(self) -> Any:
        return self._client.getVideoStreamIterator()

    def audio(self) -> Any:
        return self._client.getAudioStreamIterator()


if __name__ == "__main__":
    main(Session, sys.argv[1:])
