"""What goes on in a room, told as it happens, without a room."""

import asyncio
import json

from gateway.audio.babble import Babble
from gateway.sandbox.behaviour import Behaviour
from gateway.sandbox.room import events
from gateway.sandbox.sessions import Session
from gateway.sandbox.talk.brain import Brain
from gateway.sandbox.talk.conversation import Conversation
from gateway.sandbox.talk.model import Model


async def test_a_room_where_nothing_happens_is_alive() -> None:
    """A comment now and then, by which a connection that is gone is noticed; then what is new, and the end."""
    model = Model()
    talk = Conversation(Session("e2e", "a face"), Brain("Simli's own"), model, Babble(), Behaviour, deaf="No ears.")
    told = events.of_room(talk, alive_s=0.02)
    assert json.loads((await anext(told)).splitlines()[1].removeprefix("data: "))["ears"] == "No ears."
    assert [await anext(told) for _ in range(2)] == [":\n\n"] * 2
    await talk.say("Hello?").over()
    assert (await anext(told)).startswith("event: turn\n")
    assert (await anext(told)).startswith("event: state\n")
    await talk.close()
    async with asyncio.timeout(1):
        rest = [one async for one in told]
    assert json.loads(rest[-1].splitlines()[1].removeprefix("data: "))["state"] == "ended"
    await model.close()
