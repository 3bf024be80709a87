"""What goes on in a room, as it happens: server-sent events for its page, and for whoever else wants to know."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from gateway.sandbox.talk.conversation import Conversation
from gateway.sandbox.talk.turn import Turn

ALIVE_S = 15.0
"""Seconds without an event until a comment is sent, by which a connection that is gone is noticed."""


def state(talk: Conversation) -> dict[str, Any]:
    """All but the turns."""
    return {"state": talk.state, "reason": talk.session.reason, "hearing": talk.hearing, "ears": talk.ears}


async def of_room(talk: Conversation, alive_s: float = ALIVE_S) -> AsyncIterator[str]:
    """`state`, and `turn` for each turn so far; then the one that has changed, whole, until the session is over."""
    told: dict[str, Any] | None = None
    versions: dict[int, int] = {}
    while True:
        fresh = talk.news.next()
        if told is None:
            told = state(talk)
            yield _event("state", told)
        for turn in talk.turns:
            if versions.get(turn.number) != turn.version:
                versions[turn.number] = turn.version
                yield _event("turn", turn.shown())
        if told != (now := state(talk)):
            told = now
            yield _event("state", told)
        if told["state"] == "ended":
            return
        try:
            async with asyncio.timeout(alive_s):
                await fresh.wait()
        except TimeoutError:
            yield ":\n\n"


async def of_turn(turn: Turn) -> AsyncIterator[str]:
    """`said` for every piece of an answer, `done` with the whole turn."""
    async for piece in turn.follow():
        yield _event("said", piece)
    yield _event("done", turn.shown())


def _event(name: str, data: Any) -> str:
    return f"event: {name}\ndata: {json.dumps(data)}\n\n"
