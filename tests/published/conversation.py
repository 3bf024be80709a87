"""The conversation of every published client with the sandbox, for those in Python; pages/observed.js has the same.

Its result, in JSON: connect_ms (start to first frame, tokens and ICE servers included), width, height, idle_level and
tone_level (root mean square, of 1), tone_hertz (440 was sent) and next_hertz (880), speak_ms and heard_ms (from the
first byte sent to the word, to the sound), skip_ms (from SKIP to silence), frames, changed (that differ from the one
before), per_second.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from time import monotonic
from typing import Any, Protocol

import orjson

from tests.published.heard import Ear, Eye, tone

QUIET = 0.01
LOUD = 0.05


class Client(Protocol):
    """One session of a published client's."""

    words: list[str]
    """What the server said, in the client's own events: SPEAK, SILENT, STOP."""

    async def start(self) -> None: ...
    async def send(self, pcm: bytes) -> None: ...
    async def again(self, pcm: bytes) -> None:
        """Send, at once if the client can."""
        ...

    async def skip(self) -> None: ...
    async def close(self) -> None: ...
    def video(self) -> AsyncIterator[Any]: ...
    def audio(self) -> AsyncIterator[Any]: ...


async def until(what: str, within: float, condition: Callable[[], object]) -> float:
    """Wait until it is so; the milliseconds that took."""
    started = monotonic()
    while not condition():
        if monotonic() - started > within:
            raise TimeoutError(f"not within {within:g} s: {what}")
        await asyncio.sleep(0.005)
    return (monotonic() - started) * 1000


async def _each(items: AsyncIterator[Any], does: Callable[[Any], None]) -> None:
    async for item in items:
        does(item)


async def spoken(client: Client, eye: Eye, ear: Ear) -> dict[str, float]:
    """Two tones: one that is interrupted, one that is played out."""
    result: dict[str, float] = {"idle_level": ear.level}
    said = len(client.words)
    await client.send(tone(440, 5))
    sent = monotonic()
    await until("SPEAK", 3, lambda: "SPEAK" in client.words[said:])
    result["speak_ms"] = (monotonic() - sent) * 1000
    await until("the tone", 3, lambda: ear.level > LOUD)
    result["heard_ms"] = (monotonic() - sent) * 1000
    await asyncio.sleep(0.7)
    result["tone_level"], result["tone_hertz"] = ear.level, ear.hertz
    await client.skip()
    result["skip_ms"] = await until("silence after SKIP", 3, lambda: ear.level < QUIET)
    await until("SILENT after SKIP", 3, lambda: "SILENT" in client.words[said:])
    said = len(client.words)
    await client.again(tone(880, 0.7))
    await until("the second tone", 3, lambda: ear.level > LOUD)
    await asyncio.sleep(0.35)
    result["next_hertz"] = ear.hertz
    await until("SILENT when the buffer is played out", 4, lambda: "SILENT" in client.words[said:])
    return result


async def conversation(client: Client) -> dict[str, Any]:
    """Connect, watch, speak, be interrupted, speak on, leave."""
    eye, ear = Eye(), Ear()
    started = monotonic()
    await client.start()
    watching = [
        asyncio.create_task(_each(client.video(), eye.see)),
        asyncio.create_task(_each(client.audio(), ear.hear)),
    ]
    try:
        await until("the first frame", 10, lambda: eye.first)
        result: dict[str, Any] = {"connect_ms": (eye.first - started) * 1000}
        before, at = eye.count(), monotonic()
        await asyncio.sleep(0.6)
        result |= await spoken(client, eye, ear)
        counted = {name: number - before[name] for name, number in eye.count().items()}
        result |= counted | {"per_second": counted["frames"] / (monotonic() - at)}
        result["width"], result["height"] = eye.size
        await client.close()
    finally:
        for task in watching:
            task.cancel()
        await asyncio.gather(*watching, return_exceptions=True)
    return result


async def ended(client: Client) -> dict[str, Any]:
    """A session that may last a second: connect_ms again, and how long until the client says that it is over."""
    eye = Eye()
    started = monotonic()
    await client.start()
    watching = [
        asyncio.create_task(_each(client.video(), eye.see)),
        asyncio.create_task(_each(client.audio(), lambda _: None)),
    ]
    try:
        await until("the first frame", 10, lambda: eye.first)
        await until("the end of a session of one second", 8, lambda: "STOP" in client.words)
        return {"connect_ms": (eye.first - started) * 1000, "stop_ms": (monotonic() - eye.first) * 1000}
    finally:
        for task in watching:
            task.cancel()
        await asyncio.gather(*watching, return_exceptions=True)


def main(made: Callable[[str, str, str, int], Client], arguments: Sequence[str]) -> None:
    """`PROGRAM conversation|ended URL KEY FACE`: the result as a line of JSON."""
    what, url, key, face = arguments

    async def run() -> dict[str, Any]:
        async with asyncio.timeout(45):
            if what == "ended":
                return await ended(made(url, key, face, 1))
            return await conversation(made(url, key, face, 60))

    sys.stdout.write(orjson.dumps(asyncio.run(run())).decode() + "\n")
