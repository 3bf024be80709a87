"""A room that hears: spoken turns, interruptions by voice, and whatever else comes out of a microphone."""

import asyncio
import contextlib
import gc
import threading
import time
from collections.abc import AsyncIterator
from itertools import groupby
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio
from aiortc import RTCPeerConnection
from aiortc.jitterbuffer import JitterBuffer

from gateway.sandbox.signalling.peer import WAITING
from tests.sandbox.account import Account, account
from tests.sandbox.hearing import COUGH, OTHER, QUESTION, WORDS, Scripted, entered, scripted_senses, tone
from tests.sandbox.room import Followed, following
from tests.sandbox.test_room import room
from tests.upstream import Hang, Script, in_turn, scripted

pytestmark = pytest.mark.asyncio(loop_scope="module")
LONG = Script(["The last boat goes back at half past seven in the evening, and not a minute later than that, I fear."])
SHORT = Script(["No"])


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def hearing() -> AsyncIterator[tuple[Account, Scripted]]:
    """A sandbox whose ears are scripted."""
    ears = Scripted()
    async with account(hears=scripted_senses(ears)) as simli:
        yield simli, ears
    assert ears.closed.is_set()


@pytest_asyncio.fixture(loop_scope="module")
async def simli(hearing: tuple[Account, Scripted]) -> Account:
    """The same, with nothing in it."""
    await hearing[0].sandbox.forget()
    return hearing[0]


@pytest.fixture
def ears(hearing: tuple[Account, Scripted]) -> Scripted:
    """What it hears with."""
    return hearing[1]


async def lines(simli: Account, started: dict[str, str]) -> list[tuple[str, str]]:
    session = await simli.sandbox.session(started["sessionId"])
    return [(line["role"], line["text"]) for line in session["said"]]


async def test_a_spoken_question_is_a_turn(simli: Account, ears: Scripted) -> None:
    """The LLM gets its words; its moments are in order, and the words were there before the turn was surely over."""
    async with scripted(SHORT) as llm:
        started = await simli.talk(llm.url)
        async with following(started["roomUrl"]) as followed, entered(started["roomUrl"]) as person:
            assert followed.states[0]["ears"] == ""
            await person.say(QUESTION)
            turn = await followed.turn(0, spoken=True)
    assert (turn["by"], turn["asked"], turn["heard"], turn["error"]) == ("spoken", WORDS[QUESTION], "No", None)
    assert llm.requests[0].json["messages"][-1] == {"role": "user", "content": WORDS[QUESTION]}
    moments = turn["moments"]
    order = ["asked", "asked_end", "recognised", "requested", "first_token", "first_clause", "first_sound", "end"]
    times = [moments[name] for name in order]
    assert times == sorted(times)
    assert moments["asked"] == pytest.approx(person.microphone.began, abs=0.1)  # it is counted back, to some ms
    assert moments["asked_end"] == pytest.approx(person.microphone.ended, abs=0.1)
    assert 0.29 < moments["requested"] - moments["asked_end"] < 0.45
    states = [name for name, _ in groupby(state["state"] for state in followed.states)]
    assert states == ["waiting", "listening", "thinking", "speaking", "listening"]
    assert hearings(followed) == [False, True, False]
    assert ears.warmed and 0.3 <= ears.lengths[-1] < 1.1


def hearings(followed: Followed) -> list[bool]:
    """Whether somebody is heard speaking, each time that it became so or not."""
    return [one for one, _ in groupby(state["hearing"] for state in followed.states)]


async def test_who_speaks_over_it_silences_it(simli: Account) -> None:
    """At once: the stream is closed, only what was heard is kept; then the words are the next turn."""
    async with scripted(in_turn(Script([*LONG.steps, Hang()]), SHORT)) as llm:
        started = await simli.talk(llm.url)
        async with following(started["roomUrl"]) as followed, entered(started["roomUrl"]) as person:
            await person.say(QUESTION)
            await person.hears()
            await asyncio.sleep(0.4)
            speaking = asyncio.create_task(person.say(OTHER, 0.7))
            first = await followed.turn(0, spoken=True)
            silent = person.viewer.since() + 0.2
            await speaking
            assert not any(sound.rms > 500 for sound in person.viewer.sounds if sound.at > silent)
            last, voice = person.last_sound(), person.microphone.began
            second = await followed.turn(1, spoken=True)
            kept = await lines(simli, started)
    assert last - voice < 0.3
    assert first["moments"]["hushed"] - voice < 0.2
    assert first["interrupted"] and "last_token" not in first["moments"]
    assert first["moments"]["interrupted"] == pytest.approx(voice, abs=0.08)
    whole = str(LONG.steps[0])
    assert whole.startswith(first["heard"]) and 3 < len(first["heard"]) < len(whole) / 2
    assert llm.requests[0].closed is not None
    assert second["asked"] == WORDS[OTHER]
    assert kept[:3] == [("user", WORDS[QUESTION]), ("assistant", first["heard"]), ("user", WORDS[OTHER])]
    assert [one["content"] for one in llm.requests[1].json["messages"]][1:] == [text for _, text in kept[:3]]


async def test_packets_wait_where_they_are_thought_to() -> None:
    """The receiver's buffer, which is cut to a frame, is where the version of aiortc that is installed has it."""
    connection = RTCPeerConnection()
    receiver = connection.addTransceiver("audio").receiver
    assert isinstance(getattr(receiver, WAITING), JitterBuffer)
    await connection.close()


async def test_who_speaks_while_it_thinks_is_not_answered_twice(simli: Account) -> None:
    """The first question's stream is closed; the LLM gets both."""
    async with scripted(in_turn(Script([Hang()]), SHORT)) as llm:
        started = await simli.talk(llm.url)
        async with following(started["roomUrl"]) as followed, entered(started["roomUrl"]) as person:
            await person.say(QUESTION)
            asked = await llm.asked()
            await person.say(OTHER)
            await asyncio.wait_for(asked.over.wait(), 2)
            first, second = await followed.turn(0, spoken=True), await followed.turn(1, spoken=True)
    assert (first["said"], first["interrupted"], second["heard"]) == ("", True, "No")
    assert [one["content"] for one in llm.requests[1].json["messages"]][1:] == [WORDS[QUESTION], WORDS[OTHER]]


async def test_a_cough_is_no_turn(simli: Account, ears: Scripted) -> None:
    """It silences the avatar, which does not take up its answer again; nobody is asked, and the talk goes on."""
    async with scripted(in_turn(LONG, SHORT)) as llm:
        started = await simli.talk(llm.url)
        async with following(started["roomUrl"]) as followed, entered(started["roomUrl"]) as person:
            await person.say(QUESTION)
            await person.hears()
            await person.say(COUGH, 0.2)
            await followed.turn(0, spoken=True, interrupted=True)
            await followed.until(lambda: COUGH in ears.asked and not followed.states[-1]["hearing"], "the cough")
            await asyncio.sleep(0.3)
            assert len(followed.turns) == 1 and followed.states[-1]["state"] == "listening"
            await person.say(OTHER)
            assert (await followed.turn(1, spoken=True))["heard"] == "No"
    assert len(llm.requests) == 2


async def test_a_pause_within_a_question_is_no_end(simli: Account, ears: Scripted) -> None:
    """What was being understood is given up, and all of it is one turn."""
    async with scripted(SHORT) as llm:
        started = await simli.talk(llm.url)
        before = len(ears.asked)
        async with following(started["roomUrl"]) as followed, entered(started["roomUrl"]) as person:
            pause = np.zeros(round(0.25 * 48000), "<i2")
            await person.microphone.say(np.concatenate([tone(QUESTION), pause, tone(QUESTION)]))
            await followed.turn(0, spoken=True)
    assert len(llm.requests) == 1 and len(ears.asked) - before == 2 and ears.lengths[-1] > 0.8


async def test_who_speaks_on_before_the_words_are_there_asks_once(simli: Account, ears: Scripted) -> None:
    """Ears that are slow: both stretches are one question."""
    ears.held = asyncio.Event()
    try:
        async with scripted(SHORT) as llm:
            started = await simli.talk(llm.url)
            async with following(started["roomUrl"]) as followed, entered(started["roomUrl"]) as person:
                await person.say(QUESTION)
                await followed.until(lambda: hearings(followed) == [False, True, False], "the first stretch's end")
                speaking = asyncio.create_task(person.say(OTHER, 0.4))
                await followed.until(lambda: hearings(followed)[3:] == [True], "the second stretch")
                ears.held.set()
                await speaking
                turn = await followed.turn(0, spoken=True)
    finally:
        ears.held = None
    assert turn["asked"] == f"{WORDS[QUESTION]} {WORDS[OTHER]}" and len(llm.requests) == 1
    assert turn["moments"]["asked_end"] - turn["moments"]["asked"] > 0.6


async def test_the_greeting_is_spoken_to_who_comes_and_can_be_interrupted(simli: Account) -> None:
    """Once, when it can be heard."""
    async with scripted(SHORT) as llm:
        started = await simli.talk(
            llm.url, firstMessage="Good day to you, whoever you are, and wherever you come from."
        )
        async with following(started["roomUrl"]) as followed, entered(started["roomUrl"]) as person:
            await person.hears("the greeting")
            await person.say(QUESTION)
            greeting = await followed.turn(0, spoken=True, interrupted=True)
            await followed.turn(1, spoken=True)
        async with entered(started["roomUrl"]):
            await asyncio.sleep(0.1)
        turns = (await room(simli, started))["turns"]
    assert greeting["by"] == "greeting" and greeting["heard"].startswith("Good")
    assert [turn["by"] for turn in turns] == ["greeting", "spoken"]


async def test_two_people_are_heard(simli: Account) -> None:
    """Each for themselves; both hear the answers, and the room goes on when one has left."""
    async with scripted(SHORT) as llm:
        started = await simli.talk(llm.url)
        room_url = started["roomUrl"]
        async with following(room_url) as followed, entered(room_url) as one, entered(room_url) as other:
            await asyncio.gather(one.say(QUESTION, 0.3), one.hears(), other.hears())
            await other.say(OTHER, 0.3)
            await followed.turn(1, said="No")
            await one.connection.close()
            await other.say(QUESTION, 0.3)
            await followed.turn(2, spoken=True)
    assert [followed.turns[number]["asked"] for number in range(3)] == [WORDS[QUESTION], WORDS[OTHER], WORDS[QUESTION]]
    assert len(llm.requests) == 3


async def test_who_goes_in_the_middle_of_a_word_is_not_waited_for(simli: Account) -> None:
    """The room does not go on hearing somebody who has left, and there is no turn."""
    async with scripted(SHORT) as llm:
        started = await simli.talk(llm.url)
        async with following(started["roomUrl"]) as followed:
            async with entered(started["roomUrl"]) as person:
                speaking = asyncio.create_task(person.say(QUESTION, 5))
                await followed.until(lambda: followed.states[-1]["hearing"], "the voice")
            await followed.until(lambda: not followed.states[-1]["hearing"], "the silence")
            speaking.cancel()
            await asyncio.gather(speaking, return_exceptions=True)
    assert followed.turns == {} and llm.requests == []


async def test_who_is_muted_in_the_middle_of_a_word_has_spoken(simli: Account) -> None:
    """No packets are silence, which ends the turn."""
    async with scripted(SHORT) as llm:
        started = await simli.talk(llm.url)
        async with following(started["roomUrl"]) as followed, entered(started["roomUrl"]) as person:
            speaking = asyncio.create_task(person.say(QUESTION, 5))
            await followed.until(lambda: followed.states[-1]["hearing"], "the voice")
            await asyncio.sleep(0.2)
            person.microphone.muted = True
            turn = await followed.turn(0, spoken=True)
            speaking.cancel()
            await asyncio.gather(speaking, return_exceptions=True)
    assert turn["asked"] == WORDS[QUESTION]


async def test_who_only_sends_is_heard(simli: Account) -> None:
    """An offer of sendonly sound is answered; the picture is seen."""
    async with scripted(SHORT) as llm:
        started = await simli.talk(llm.url)
        async with (
            following(started["roomUrl"]) as followed,
            entered(started["roomUrl"], direction="sendonly") as person,
        ):
            await person.say(QUESTION)
            await followed.turn(0, spoken=True)
    assert person.viewer.sounds == []


async def test_ears_that_fail_say_why_and_typing_goes_on(simli: Account, ears: Scripted) -> None:
    """Nobody is interrupted by what cannot be heard; the first words that are heard again mend it."""
    async with scripted(SHORT) as llm:
        started = await simli.talk(llm.url)
        async with following(started["roomUrl"]) as followed, entered(started["roomUrl"]) as person:
            ears.deaf = "The worker died."
            try:
                await person.say(QUESTION)
                await followed.until(lambda: followed.states[-1]["ears"] == "The worker died.", "the reason")
                typed = asyncio.create_task(simli.sandbox.say(started["roomUrl"], "Hello?", until="spoken"))
                await person.say(QUESTION)
                assert not (await typed)["interrupted"]
            finally:
                ears.deaf = ""
            await person.say(QUESTION)
            turn = await followed.turn(1, spoken=True)
            assert followed.states[-1]["ears"] == ""
    assert turn["by"] == "spoken"


async def test_a_room_without_ears_is_typed_in() -> None:
    """It says what is missing from the beginning, hears nobody, and answers what is typed."""
    ears = Scripted(deaf="no ears")
    async with account(hears=scripted_senses(ears, "No ears are installed.")) as simli, scripted(SHORT) as llm:
        started = await simli.talk(llm.url)
        async with entered(started["roomUrl"]) as person:
            sound = person.connection.getTransceivers()[0]
            assert sound.currentDirection == "recvonly"
            seen = await room(simli, started)
            typed = await simli.sandbox.say(started["roomUrl"], "Hello?")
        assert (seen["ears"], seen["hearing"], seen["turns"]) == ("No ears are installed.", False, [])
        assert typed["said"] == "No"
        await simli.sandbox.leave(started["roomUrl"])


@pytest.mark.parametrize(("limits", "reason"), [({"maxIdleTime": 1}, "IDLE"), ({"maxSessionLength": 2}, "MAX")])
async def test_limits_end_a_session_and_the_connection(simli: Account, limits: dict[str, int], reason: str) -> None:
    """Who speaks is not idle; silence is, and age ends it whoever speaks. The person sees the end."""
    async with scripted(SHORT) as llm:
        started = await simli.talk(llm.url, **limits)
        began = time.perf_counter()
        async with following(started["roomUrl"]) as followed, entered(started["roomUrl"]) as person:
            speaking = asyncio.create_task(person.say(QUESTION, 1.2 if reason == "IDLE" else 9))
            await followed.until(lambda: followed.states[-1]["state"] == "ended", "the end")
            took = time.perf_counter() - began
            await person.viewer.until(lambda: person.connection.connectionState == "closed", "the connection's end")
            speaking.cancel()
            await asyncio.gather(speaking, return_exceptions=True)
    assert followed.states[-1]["reason"] == reason
    assert took > 2.7 if reason == "IDLE" else 1.9 < took < 2.5


async def test_nothing_is_left_of_sessions_that_are_over(simli: Account) -> None:
    """Ten of them, of which some end in the middle of a word: no task, no descriptor, no thread."""
    async with scripted(in_turn(SHORT, Script(["Well, ", Hang()]), SHORT)) as llm:

        async def one(number: int) -> None:
            started = await simli.talk(llm.url)
            async with following(started["roomUrl"]) as followed, entered(started["roomUrl"]) as person:
                if number % 3 == 0:
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(person.say(QUESTION, 5), 0.3)
                elif number % 3 == 1:
                    await person.say(QUESTION, 0.12)
                    await followed.turn(0)
                await simli.sandbox.leave(started["roomUrl"])
                await followed.until(lambda: followed.over, "the end")

        await one(1)
        await asyncio.gather(*(asyncio.to_thread(time.sleep, 0.05) for _ in range(32)))  # the loop's pool is full now
        before = left()
        for number in range(10):
            await one(number)
        for _ in range(40):
            await asyncio.sleep(0.05)
            if not more(before):
                break
    assert more(before) == {}


def left() -> dict[str, int]:
    gc.collect()
    descriptors = len(list(Path("/proc/self/fd").iterdir()))
    return {"tasks": len(asyncio.all_tasks()), "descriptors": descriptors, "threads": threading.active_count()}


def more(before: dict[str, int]) -> dict[str, int]:
    """What there is more of than then."""
    return {name: count for name, count in left().items() if count > before[name]}
