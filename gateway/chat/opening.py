"""How an answer begins: with its first words, or with a filler while they are on their way.

A filler commits the status and nothing else: the turn goes on to be opened in a task of its own, so that the next
target can still answer. Whoever leaves, at any moment, cancels that task and waits until it has closed its upstream.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import aclosing
from functools import partial
from typing import Any, NamedTuple

from gateway.types import Chunk, Chunks, Passage, Turn


class Answer(NamedTuple):
    """A turn whose first words are there."""

    chunks: Chunks
    streamed: bool
    """Whether the caller gets a stream."""
    sources: Sequence[Passage]
    """What it was answered from; nothing where that was not known when the answer began."""
    aclose: Callable[[], Awaitable[None]]
    """Close the upstream, whether or not `chunks` was begun."""


async def filled(opening: Coroutine[Any, Any, Answer], filler: str, after: float, turn: Turn) -> Answer:
    """The answer as it is where it begins within `after` seconds; else one that says the filler first.

    What the opening raises is raised here, or by the chunks once the filler was said. Without its headers, the finish
    names the target.
    """
    task = asyncio.create_task(opening)
    try:
        await asyncio.wait((task,), timeout=after)
    except BaseException:
        await _dropped(task)
        raise
    if task.done():
        return task.result()
    turn.filler = True
    return Answer(_led(filler, task, turn), True, (), partial(_dropped, task))


async def _led(filler: str, opening: asyncio.Task[Answer], turn: Turn) -> Chunks:
    """The filler, one blank, the answer. The blank goes with the filler: a voice waits for it at a sentence's end."""
    try:
        yield Chunk(f"{filler.strip()} ")
        await asyncio.wait((opening,))
        answer, begun = opening.result(), False
        async with aclosing(answer.chunks):
            async for chunk in answer.chunks:
                if not begun and chunk.text:
                    chunk.text = chunk.text.lstrip()
                    begun = bool(chunk.text)
                if chunk.finish_reason is not None and turn.target:
                    chunk.extension = {**(chunk.extension or {}), "target": turn.target}
                yield chunk
    finally:
        await _dropped(opening)


async def _dropped(opening: asyncio.Task[Answer]) -> None:
    """End the opening, or close what it opened; done when nothing of it is left."""
    opening.cancel()
    await asyncio.wait((opening,))
    if not opening.cancelled() and opening.exception() is None:
        await opening.result().aclose()
