"""A person in the sandbox's room, as the peer has it: asked, answered, interrupted; and rooms with a fault."""

import asyncio
import time
from typing import Any

import pytest

from gateway.errors import GatewayError, NoConnection, NoPicture, SessionDropped, SessionEnded, SessionRefused
from gateway.peer.lips import Lips
from gateway.peer.listening import Listening
from gateway.peer.patience import Patience
from gateway.peer.room import entered
from gateway.peer.watch import Watch
from tests.peer.stage import pcm
from tests.sandbox.account import account
from tests.sandbox.hearing import OTHER, QUESTION, Scripted, scripted_senses
from tests.upstream import Script, in_turn, scripted

LONG = "The last boat goes back at half past seven in the evening, and not a minute later than that, I fear, my friend."
HASTY = Patience(connect=1.0, picture=0.5, close=1.0)


async def test_asked_answered_interrupted() -> None:
    """What is said by voice is answered by voice; who speaks over it is not spoken to any more, and is answered."""
    watch = Watch()
    listening, lips = Listening(watch), Lips(watch)
    async with (
        account(hears=scripted_senses(Scripted())) as simli,
        scripted(in_turn(Script([LONG]), Script(["Nine."]))) as llm,
    ):
        started = await simli.talk(llm.url)
        async with entered(started["roomUrl"], watch) as room:
            asked = await room.say(pcm(0.6, hertz=QUESTION))
            began = await listening.began(asked.ended, within=5.0)
            assert 0.1 < began - asked.ended < 2.0
            await asyncio.sleep(3.6)
            over = await room.say(pcm(0.6, hertz=OTHER))
            answer = await listening.answer(over.ended, quiet_s=0.5, within=5.0)
            last = listening.last_sound(answer.began - 0.1)
            assert last is not None and over.began < last < over.began + 0.3
            mouth = lips.first_mouth(answer.began - 0.3)
            assert mouth is not None and abs(mouth - answer.began) < 0.15
            offset = lips.offset_ms()
            assert offset is not None and abs(offset) < 60
            assert watch.round_trip is not None and watch.round_trip < 0.2
        assert (await simli.sandbox.session(started["sessionId"]))["reason"] == "left"
        assert not (await simli.sandbox.state())["running"]
    assert watch.ending is None


@pytest.mark.parametrize(
    ("behaviour", "kind", "says"),
    [
        ({"ice": "blocked"}, NoConnection, "no packet gets through"),
        ({"media": "audio"}, NoPicture, "sound came but no picture"),
        ({"media": "none"}, NoPicture, "neither picture nor sound came"),
        ({"drops_after": 0.4}, SessionDropped, "broke without a word"),
    ],
)
async def test_what_is_wrong_with_a_room_is_named(
    behaviour: dict[str, Any], kind: type[GatewayError], says: str
) -> None:
    """Each fault raises its own error in its time, whatever is waited for, and leaves no session behind."""
    watch = Watch()
    listening = Listening(watch)
    async with account() as simli:
        await simli.sandbox.behave(**behaviour)
        started = await simli.start()
        began = time.monotonic()
        with pytest.raises(kind, match=says):
            async with entered(started["roomUrl"], watch, HASTY):
                await listening.answer(0.0)
        assert time.monotonic() - began < 4.0
        assert not (await simli.sandbox.state())["running"]


async def test_a_session_at_its_longest_is_over() -> None:
    """It is told apart from a broken line, and cannot be entered again."""
    watch = Watch()
    listening = Listening(watch)
    async with account() as simli:
        started = await simli.start(maxSessionLength=1)
        with pytest.raises(SessionEnded, match="as long as it may be"):
            async with entered(started["roomUrl"], watch, HASTY):
                await listening.began(0.0)
        with pytest.raises(SessionRefused, match=r"410: The session is over \(MAX\)"):
            async with entered(started["roomUrl"], Watch(), HASTY):
                pass
