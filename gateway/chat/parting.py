"""Distances between the first words of an answer and the rest, for whoever looks what lies between holds back.

They are asked for by a look through the public URL (`types/reach.py`): a model that says one word, or all at once,
would look the same as a proxy that buffers. There are two, with an empty chunk between them: what passes on whatever
came with the headers, and the rest when its buffer is full or all is over, would not be noticed by one.
"""

import asyncio
from contextlib import aclosing

from gateway.types import Chunk, Chunks, Stage


def parted(seconds: float) -> Stage:
    """Write the first words at once, alone, so many seconds later nothing, and again so many later what follows."""

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
                yield Chunk(delta={"content": ""})
                await asyncio.sleep(seconds)

    return stage
