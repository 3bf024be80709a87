"""`python -m tests.bench.voice`: what the sandbox's voice costs, and how soon it is heard.

The LLM says a clause and goes on three seconds later. What is timed is a viewer's: from the LLM's being asked, which
answers with that clause at once, to the first sound over WebRTC; and the pictures that come meanwhile.
"""

import argparse
import asyncio
import sys
import time
from pathlib import Path

from gateway.audio.reader import Reader
from tests.bench.measuring import percentile
from tests.sandbox.account import account
from tests.sandbox.viewer import viewing
from tests.sandboxed import caller
from tests.upstream import Pause, Script, scripted

LOUD = 500
TEXT = "The last boat goes back to the mainland at half past seven, and nothing goes after that one. "
ANSWER = Script(["At half past seven, ", Pause(3.0), "the last boat goes back to the mainland."])


def alone() -> None:
    """Its start, its speed and its memory."""
    reader = Reader()
    began = time.perf_counter()
    reader.say("Hello.")
    print(f"start and a first word     {1000 * (time.perf_counter() - began):7.0f} ms")
    began = time.perf_counter()
    seconds = sum(len(reader.say(TEXT).pcm) / 32000 for _ in range(40))
    took = time.perf_counter() - began
    print(
        f"a sentence of {seconds / 40:.1f} s        {1000 * took / 40:7.0f} ms, "
        f"{seconds / took:.0f} times as fast as it sounds"
    )
    lines = Path(f"/proc/{reader.pid}/status").read_text("ascii").splitlines()
    resident = next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))
    print(f"its process holds          {resident / 1024:7.0f} MB")
    reader.close()


async def heard(count: int, voice: str) -> None:
    """Turns of one session with a viewer."""
    waits, frames, seconds = [], 0, 0.0
    async with account(voice=voice) as simli, scripted(ANSWER) as llm, viewing() as (viewer, offer):
        started = await simli.talk(llm.url, firstMessage="Hello.")
        async with caller() as http:
            answer = await http.post(f"{started['roomUrl']}/offer", json=offer)
        await viewer.take(answer.text)
        await viewer.until(lambda: any(sound.rms > LOUD for sound in viewer.sounds), "the greeting")
        for turn in range(count):
            await viewer.until(lambda: all(sound.rms < LOUD for sound in viewer.sounds[-15:]), "silence")
            asked = asyncio.create_task(simli.sandbox.say(started["roomUrl"], "When does it go?"))
            async with asyncio.timeout(8):
                while len(llm.requests) <= turn:  # noqa: ASYNC110 it has no event for it
                    await asyncio.sleep(0.001)
            began, loud, seen = llm.requests[turn].began - viewer.began, len(viewer.sounds), len(viewer.frames)
            await viewer.until(lambda at=loud: any(one.rms > LOUD for one in viewer.sounds[at:]), "a sound")  # type: ignore[misc]
            waits.append(1000 * (viewer.since() - began))
            await asyncio.sleep(2)
            frames, seconds = frames + len(viewer.frames) - seen, seconds + viewer.since() - began
            await asked
    print(
        f"first words to first sound {percentile(waits, 0.5):7.0f} ms ({voice}; p95 {percentile(waits, 0.95):.0f}), "
        f"{frames / seconds:.1f} pictures a second meanwhile"
    )


def main() -> int:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10, help="turns")
    count = parser.parse_args().count
    alone()
    for voice in ("speech", "babble"):
        asyncio.run(heard(count, voice))
    return 0


if __name__ == "__main__":
    sys.exit(main())
