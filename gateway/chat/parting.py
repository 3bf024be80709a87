"""A distance between the first words of an answer and the rest, for whoever looks what lies between holds back.

It is asked for by a look through the public URL (`types/reach.py`): a model that says one word, or all at once, would
look the same as a proxy that buffers.
"""

import asyncio
from contextlib import aclosing

from gateway.types import Chunks, Stage


def parted(seconds: float) -> Stage:
    """Write the first words at once, alone, and what follows no sooner than so many seconds later."""

    async def stage(chunks: Chunks) -> Chunks:
        begun = False
        async with aclosing(chunks):
            async for chunk in chunks:
                if begun or not chunk.text:
                    yield chunk
                    continue
                begun = True
                chunk.more = False
                yield chunk
                await asyncio.sleep(seconds)

    return stage
