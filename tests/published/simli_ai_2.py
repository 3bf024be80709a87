"""simli-ai 2.x, today's dialect: start() returns with the server's START."""

import sys
from typing import Any

from simli import SimliClient, SimliConfig
from simli.events import SimliEvent

from tests.published.conversation import main


class Session:
    """One session."""

    def __init__(self, url: str, key: str, face: str, seconds: int) -> None:
        self.words: list[str] = []
        config = SimliConfig(faceId=face, maxSessionLength=seconds, maxIdleTime=60)
        self._client = SimliClient(key, config, simliURL=url, retry_count=1)

    async def start(self) -> None:
        await self._client.start()
        for event, word in ((SimliEvent.SPEAK, "SPEAK"), (SimliEvent.SILENT, "SILENT"), (SimliEvent.STOP, "STOP")):
            self._client.registerEventCallback(event, self._said(word))

    def _said(self, word: str) -> Any:
        async def said() -> None:
            self.words += [word, f"REASON {self._client.stopReason}"] if word == "STOP" else [word]

        return said

    async def send(self, pcm: bytes) -> None:
        await self._client.send(pcm)

    async def again(self, pcm: bytes) -> None:
        await self._client.sendImmediate(pcm)

    async def skip(self) -> None:
        await self._client.clearBuffer()

    async def close(self) -> None:
        await self._client.stop()  # says DONE

    def video(self) -> Any:
        return self._client.getVideoStreamIterator("rgb24")

    def audio(self) -> Any:
        return self._client.getAudioStreamIterator()


if __name__ == "__main__":
    main(Session, sys.argv[1:])
