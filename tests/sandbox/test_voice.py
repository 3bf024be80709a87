"""An avatar that speaks English: early, without holding up its picture, and it knows what of it was heard."""

import asyncio
import time

import httpx

from tests.sandbox.account import Account, account
from tests.sandbox.test_films import asking, fetched, played
from tests.sandbox.viewer import Viewer, viewing
from tests.sandboxed import caller
from tests.upstream import Pause, Script, scripted

LOUD = 500
CLAUSE = "At half past seven, "
REST = "the last boat goes back to the mainland. Nothing goes after that one, so do not miss it when the bell rings."


async def enter(simli: Account, room: str, viewer: Viewer, offer: dict[str, str]) -> None:
    """Watch, and wait until the greeting was heard."""
    async with caller() as http:
        answer: httpx.Response = await http.post(f"{room}/offer", json=offer)
    await viewer.take(answer.text)
    await viewer.until(lambda: any(sound.rms > LOUD for sound in viewer.sounds), "the greeting")
    await viewer.until(lambda: all(sound.rms < LOUD for sound in viewer.sounds[-15:]), "its end")


async def test_the_first_clause_is_heard_while_the_llm_still_speaks() -> None:
    """Pictures go on meanwhile; a turn that interrupts silences it, and what was heard by then is remembered."""
    answer = Script([CLAUSE, Pause(1.0), REST])
    async with account(voice="speech") as simli, scripted(answer) as llm, viewing() as (viewer, offer):
        started = await simli.talk(llm.url, firstMessage="Hello.")
        await enter(simli, started["roomUrl"], viewer, offer)
        began, seen, heard = viewer.since(), len(viewer.frames), len(viewer.sounds)
        asked = asyncio.create_task(simli.sandbox.say(started["roomUrl"], "When does it go?"))
        await viewer.until(lambda: any(sound.rms > LOUD for sound in viewer.sounds[heard:]), "the answer")
        assert viewer.since() - began < 1.0
        assert not llm.requests[0].over.is_set()
        await asked
        await asyncio.sleep(0.7)
        assert (len(viewer.frames) - seen) / (viewer.since() - began) > 20
        turn = await simli.sandbox.say(started["roomUrl"], "Thank you.")
        assert turn["error"] is None
        lines = (await simli.sandbox.session(started["sessionId"]))["said"]
        cut = next(line for line in lines if line["interrupted"])["text"]
        assert cut.startswith(CLAUSE) and len(CLAUSE) < len(cut) < len(CLAUSE + REST) / 2


async def test_a_video_of_a_text_speaks_it() -> None:
    """As long as a person takes to say it, and loud."""
    async with account(voice="speech") as simli, asking(simli.sandbox) as client:
        text = "The lamp is lit at dusk. It burns until the morning."
        spoken = {"audioProvider": "Cartesia", "text": text}
        body = {"simliAPIKey": simli.sandbox.key, "faceId": "face", "requestBody": spoken}
        answer = (await client.post("/textToVideoStream", json=body)).json()
        began = time.perf_counter()
        pictures, sounds, loudest = played(await fetched(client, answer["mp4_url"]))
        assert 2.5 < pictures < 5.0 and abs(pictures - sounds) < 0.1 and loudest > 0.1
        assert time.perf_counter() - began < 8
