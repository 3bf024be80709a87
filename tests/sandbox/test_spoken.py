"""A room with the ears and the voice that are installed: what is spoken is understood, also after the ears died."""

import asyncio
import os
import signal
from pathlib import Path

import numpy as np
import pytest

from gateway.audio.agreement import word_error
from gateway.audio.hearing import missing
from gateway.audio.reader import Reader
from tests.sandbox.account import account
from tests.sandbox.hearing import entered
from tests.sandbox.room import following
from tests.upstream import Script, scripted

QUESTION = "When does the last boat go back?"


@pytest.mark.skipif(bool(missing()), reason=missing() or "nothing is missing")
async def test_what_is_spoken_is_understood_though_the_ears_died_before() -> None:
    """A voice asks through the connection; the LLM gets its words, and again from the ears that are started anew."""
    voice = Reader()
    wave = np.frombuffer((await voice.spoken(QUESTION)).pcm, "<i2")
    await asyncio.to_thread(voice.close)
    heard = np.interp(np.arange(wave.size * 3) / 3, np.arange(wave.size), wave).astype("<i2")
    async with account() as simli, scripted(Script(["Nine."])) as llm:
        started = await simli.talk(llm.url)
        async with following(started["roomUrl"]) as followed, entered(started["roomUrl"]) as person:
            for number in range(2):
                await person.microphone.say(heard)
                turn = await followed.turn(number, spoken=True)
                assert word_error(QUESTION, turn["asked"]) < 0.4
                moments = turn["moments"]
                assert 0.5 < moments["requested"] - moments["asked_end"] < 2.5
                [worker] = recognisers()
                if number == 0:
                    os.kill(worker, signal.SIGKILL)
    assert recognisers() == []


def recognisers() -> list[int]:
    """The processes that hear for this one."""
    children = Path(f"/proc/{os.getpid()}/task").glob("*/children")
    pids = [int(pid) for each in children for pid in each.read_text().split()]
    return [pid for pid in pids if b"transcribing" in Path(f"/proc/{pid}/cmdline").read_bytes()]
