"""The first-token gate: a target is pulled until it has said something useful, within a deadline."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import aclosing

from gateway.errors import UpstreamEmpty, UpstreamError, UpstreamTimeout
from gateway.types import Ask, Chunk, Chunks, FinishReason, Prompt


async def opened(ask: Ask, prompt: Prompt, seconds: float) -> tuple[list[Chunk], Chunks]:
    """Pull until a chunk is useful; return what was pulled and the rest. Closes the stream where that fails.

    Raises UpstreamTimeout after so many seconds, UpstreamEmpty where the target finished without a word, and what the
    target raises.
    """
    chunks = ask(prompt)
    leading: list[Chunk] = []
    reason: FinishReason = "stop"
    try:
        async with asyncio.timeout(seconds):
            async for chunk in chunks:
                leading.append(chunk)
                if useful(chunk, prompt):
                    return leading, chunks
                reason = chunk.finish_reason or reason
    except TimeoutError as error:
        await chunks.aclose()
        raise UpstreamTimeout(f"The upstream said nothing within {seconds:g} seconds.") from error
    except BaseException:
        await chunks.aclose()
        raise
    raise UpstreamEmpty("The upstream finished without a word.", finish_reason=reason)


def useful(chunk: Chunk, prompt: Prompt) -> bool:
    """A role is no token. An agent has to speak; a route's caller may want reasoning, or just the finish."""
    if chunk.text or (chunk.delta and ("tool_calls" in chunk.delta or "refusal" in chunk.delta)):
        return True
    return prompt.agent is None and (chunk.delta is not None or chunk.finish_reason is not None)


async def resumed(leading: Sequence[Chunk], chunks: Chunks, over: Callable[[UpstreamError | None], None]) -> Chunks:
    """What was pulled, and the rest; `over` is told how it ended, None where nothing was wrong with the target."""
    broken: UpstreamError | None = None
    try:
        async with aclosing(chunks):
            for chunk in leading:
                yield chunk
            async for chunk in chunks:
                yield chunk
    except UpstreamError as error:
        broken = error
        raise
    finally:
        over(broken)
        broken = None  # an error keeps its frames: one that a frame keeps is a circle, which only a collector opens
