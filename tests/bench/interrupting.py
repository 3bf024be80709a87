"""How soon an avatar falls silent when somebody speaks over it, with the ears and the voice that are installed.

Sandbox and person are in this process, over loopback. From the person's first audible sample, as it is sent, to what is
measured: the sandbox noticing it and clearing its buffer, and the last audible 20 ms at the person's end (in whose time
is the avatar's own way to them, 80 ms of it aiortc's buffer). Run it on a machine that does nothing else:

    .venv/bin/python -m tests.bench.interrupting [TIMES]
"""

import asyncio
import sys
import time
from statistics import median

import numpy as np

from gateway.audio.reader import Reader
from tests.sandbox.account import account
from tests.sandbox.hearing import entered
from tests.sandbox.room import following
from tests.upstream import Script, scripted

LONG = (
    "The last boat goes back to the mainland at half past seven in the evening, and nothing goes after that one. " * 3
)
WORDS = (
    "Stop, please.",
    "Wait a moment.",
    "And when does it go on Sundays?",
    "Can I bring my dog?",
    "Thank you, that will do.",
)
AUDIBLE = 300


async def measured(times: int) -> None:
    voice = Reader()
    said = []
    for words in WORDS:
        wave = np.frombuffer((await voice.spoken(words)).pcm, "<i2")
        at = np.arange(wave.size * 3) / 3
        said.append(np.interp(at, np.arange(wave.size), wave).astype("<i2"))
    rows = []
    async with account(voice="speech") as simli, scripted(Script([LONG])) as llm:
        started = await simli.talk(llm.url)
        async with following(started["roomUrl"]) as followed, entered(started["roomUrl"]) as person:
            for number in range(times):
                wave = said[number % len(said)]
                lead = int(np.flatnonzero(np.abs(wave.astype(int)) > AUDIBLE)[0]) / 48000
                before = len(followed.turns)
                asked = asyncio.create_task(simli.sandbox.say(started["roomUrl"], "When?"))
                await person.hears()
                await asked
                await asyncio.sleep(0.5 + 0.037 * number)
                await person.microphone.say(wave)
                turn = await followed.turn(before, spoken=True)
                spoken = await followed.turn(before + 1, by="spoken")
                while "requested" not in spoken["moments"]:
                    await asyncio.sleep(0.01)
                    spoken = followed.turns[before + 1]
                began = person.microphone.began + lead
                last = max(
                    sound.at
                    for sound in person.viewer.sounds
                    if sound.rms > AUDIBLE
                    and sound.at < person.viewer.since() - (time.time() - turn["moments"]["hushed"]) + 0.4
                )
                heard = time.time() - person.viewer.since() + last
                rows.append((turn["moments"]["hushed"] - began, heard - began))
                waited = spoken["moments"]["requested"] - spoken["moments"]["asked_end"]
                hushed, silent, asked_after = (f"{1000 * one:4.0f} ms" for one in (*rows[-1], waited))
                print(f"{spoken['asked']!r:40} hushed {hushed}, silent {silent}; asked {asked_after} after the end")
                await simli.sandbox.say(started["roomUrl"], "Enough.")
                await asyncio.sleep(0.2)
    for name, column in zip(("hushed", "silent"), zip(*rows, strict=True), strict=True):
        print(f"{name}: p50 {1000 * median(column):.0f} ms, most {1000 * max(column):.0f} ms of {len(column)}")
    voice.close()


if __name__ == "__main__":
    asyncio.run(measured(int(sys.argv[1]) if len(sys.argv) > 1 else 10))
