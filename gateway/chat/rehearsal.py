"""A turn that nobody hears: what the first one would pay for (templates, patterns, caches) is paid before it.

It goes the way of every turn, from the bytes of a request to the bytes of events, with a passage that is always found
and an upstream that says a word. It is in no log and no count, and waits for nothing: searches and connections have
warm-ups of their own.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import islice

import orjson

from gateway.chat.answer import Brain, answer
from gateway.chat.frames import Stamp, frames
from gateway.chat.request import parse
from gateway.types import (
    Chunk,
    Chunks,
    Note,
    Opened,
    Passage,
    Prompt,
    Query,
    Retrieval,
    Retrieved,
    Sentence,
    Turn,
)

MOST = 8
"""Agents that rehearse: what one has paid is mostly paid for all."""
ASKED = orjson.dumps(
    {
        "model": "gpt-4o-mini",
        "stream": True,
        "messages": [
            {"role": "system", "content": "You are on a call."},
            {"role": "user", "content": "Who built it, and when?"},
            {"role": "assistant", "content": "It was built long ago."},
            {"role": "user", "content": "And how tall is it, in metres?"},
        ],
    }
)


async def rehearsed(brain: Brain) -> None:
    """One turn of each agent, up to the events that would be written."""
    alone = replace(brain, complete=_opened, retrieve=_found)
    for name in islice(brain.agents, MOST):
        turn = Turn("rehearsal", 0.0, brain.clock())
        answered = await answer(parse(ASKED, brain.limits), name, turn, alone)
        async for _ in frames(answered.chunks, Stamp("rehearsal", 0, name), usage=True):
            pass
        await answered.aclose()


async def _found(collections: Sequence[str], _: Query, __: Retrieval) -> Retrieved:
    said = Sentence("It is forty metres tall.", 0.9)
    return Retrieved(
        (Passage("rehearsal#0", collections[0], "rehearsal.md", "Rehearsal", said.text, 1.0, 0.9, (said,)),), "hybrid"
    )


async def _opened(_: str, prompt: Prompt, note: Note) -> Opened:
    del note  # nothing was asked
    orjson.dumps(prompt.messages)
    chunks = _said()
    return Opened("rehearsal", chunks, chunks.aclose)


async def _said() -> Chunks:
    for word in ("It", " is **forty** metres tall.", " [1]"):
        yield Chunk(text=word)
    yield Chunk(finish_reason="stop", usage={"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2})
