"""A route asked: its targets in order, each given until its first-token deadline to say something useful.

All fail-over is decided here and only before the first useful chunk: after it, the caller has heard half a sentence.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from functools import partial
from typing import Literal, NamedTuple

from gateway.errors import ModelNotFound, UpstreamEmpty, UpstreamError, UpstreamTimeout
from gateway.types import Ask, Attempted, Chunk, Chunks, Complete, FinishReason, Note, Opened, Prompt


class Attempt(NamedTuple):
    """A target as a route sees it."""

    name: str
    model: str
    first_token: float
    """Seconds until the first useful chunk."""
    ask: Ask


def completing(routes: Mapping[str, Sequence[Attempt]]) -> Complete:
    """Return the function that opens a completion on a route."""

    async def complete(route: str, prompt: Prompt, note: Note) -> Opened:
        failed: UpstreamError | None = None
        for number, attempt in enumerate(routes.get(route, ())):
            target = f"{attempt.name}/{prompt.model or attempt.model}".rstrip("/")
            began = time.perf_counter()
            noted = partial(_noted, note, target, began, number)
            try:
                leading, chunks = await _opened(attempt, prompt)
            except UpstreamError as error:
                noted(error.code)
                failed = error
            else:
                noted("")
                return Opened(target, _resumed(leading, chunks), chunks.aclose)
        raise failed or ModelNotFound(f"There is no route {route!r}.", param="model")

    return complete


def _noted(note: Note, target: str, began: float, number: int, code: str) -> None:
    kind: Literal["first", "fallback"] = "fallback" if number else "first"
    note(Attempted(target, code, (time.perf_counter() - began) * 1000, kind))


async def _opened(attempt: Attempt, prompt: Prompt) -> tuple[list[Chunk], Chunks]:
    """Pull until a chunk is useful; return what was pulled and the rest. Closes the stream where that fails."""
    chunks = attempt.ask(prompt)
    leading: list[Chunk] = []
    try:
        async with asyncio.timeout(attempt.first_token):
            async for chunk in chunks:
                leading.append(chunk)
                if _useful(chunk, prompt):
                    return leading, chunks
    except TimeoutError as error:
        await chunks.aclose()
        message = f"The upstream said nothing within {attempt.first_token:g} seconds."
        raise UpstreamTimeout(message) from error
    except BaseException:
        await chunks.aclose()
        raise
    finish: FinishReason = next((chunk.finish_reason for chunk in leading if chunk.finish_reason is not None), "stop")
    raise UpstreamEmpty("The upstream finished without a word.", finish_reason=finish)


def _useful(chunk: Chunk, prompt: Prompt) -> bool:
    """A role is no token. An agent has to speak; a route's caller may want reasoning, or just the finish."""
    if chunk.text or (chunk.delta and ("tool_calls" in chunk.delta or "refusal" in chunk.delta)):
        return True
    return prompt.agent is None and (chunk.delta is not None or chunk.finish_reason is not None)


async def _resumed(leading: Sequence[Chunk], chunks: Chunks) -> Chunks:
    async with aclosing(chunks):
        for chunk in leading:
            yield chunk
        async for chunk in chunks:
            yield chunk
