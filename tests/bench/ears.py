"""`python -m tests.bench.ears`: what the ears understand of the sandbox's voice, what it takes, what it disturbs.

Forty sentences of the sample knowledge are spoken and recognised: as they are, after Opus (as WebRTC carries them), and
with noise. Beside it another process beats every 20 ms, as media does: how late it is is what recognition costs others.
"""

import argparse
import asyncio
import io
import multiprocessing
import re
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import av
import numpy as np

from gateway.audio.activity import Activity, Began, Spoke
from gateway.audio.agreement import normal, word_error
from gateway.audio.hearing import Hearing
from gateway.audio.reader import Reader
from gateway.audio.spoken import AUDIBLE, RATE
from tests.bench.measuring import percentile

KNOWLEDGE = Path(__file__).parents[2] / "knowledge" / "lighthouse"
BEAT_S = 0.02


def sentences(count: int) -> list[str]:
    """So many of the knowledge, of any file, that are neither short nor long."""
    found = [
        sentence.strip()
        for path in sorted(KNOWLEDGE.glob("*.md"))
        for line in path.read_text("utf-8").splitlines()
        if not line.startswith("#")
        for sentence in re.findall(r"[A-Z][^.!?]{30,160}[.!?]", line)
    ]
    return found[:: len(found) // count][:count]


def opus(pcm: bytes, bit_rate: int = 32000) -> bytes:
    """The same after it went through Opus at 48 kHz."""
    held = io.BytesIO()
    with av.open(held, "w", format="ogg") as file:
        stream = file.add_stream("libopus", rate=48000, layout="mono", bit_rate=bit_rate)
        wave = np.frombuffer(pcm, "<i2").reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(wave, format="s16", layout="mono")
        frame.sample_rate = RATE
        for packet in (*stream.encode(frame), *stream.encode(None)):
            file.mux(packet)
    held.seek(0)
    resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)
    with av.open(held, "r") as file:
        frames = [*file.decode(audio=0), None]
        return b"".join(bytes(part.to_ndarray().tobytes()) for one in frames for part in resampler.resample(one))


def noisy(pcm: bytes, snr_db: float) -> bytes:
    """The same with white noise."""
    wave = np.frombuffer(pcm, "<i2").astype(float)
    level = wave[np.abs(wave) > AUDIBLE].std() / 10 ** (snr_db / 20)
    mixed = wave + np.random.default_rng(7).normal(0, level, wave.size)
    return np.clip(mixed, -32768, 32767).astype("<i2").tobytes()


async def understood(hearing: Hearing, said: list[str], sounds: list[bytes], name: str, *, wrong: bool) -> None:
    """The word error, and how long it took."""
    took, errors, words = [], 0.0, 0
    for text, pcm in zip(said, sounds, strict=True):
        heard = await hearing.heard(pcm)
        took.append(1000 * heard.seconds)
        size = len(normal(text))
        errors, words = errors + size * word_error(text, heard.text), words + size
        if wrong and normal(text) != normal(heard.text):
            print(f"  {text}\n  {heard.text}")
    print(
        f"{name:<26} {100 * errors / words:5.1f} % of {words} words misheard; "
        f"p50 {percentile(took, 0.5):.0f} ms, p95 {percentile(took, 0.95):.0f} ms"
    )


def turns(sounds: list[bytes], name: str, snr_db: float | None = None) -> None:
    """How soon a turn, with a second of silence around it, is known to begin and to be over; what it costs to know."""
    begins, ends, whole, seconds = [], [], 0, 0.0
    cost = 0.0
    for pcm in sounds:
        sound = bytes(2 * RATE) + pcm + bytes(2 * RATE)
        loud = np.flatnonzero(np.abs(np.frombuffer(sound, "<i2").astype(int)) >= 4 * AUDIBLE)
        sound = noisy(sound, snr_db) if snr_db else sound
        activity, found = Activity(), []
        worked = time.process_time()
        for at in range(0, len(sound), 640):
            found += [((at + 640) / 2, event) for event in activity.hear(sound[at : at + 640])]
        cost += 1000 * (time.process_time() - worked)
        seconds += len(sound) / 2 / RATE
        began = [at for at, event in found if isinstance(event, Began)]
        spoke = [at for at, event in found if isinstance(event, Spoke)]
        whole += len(spoke) == 1
        if spoke:
            begins.append(1000 * (began[0] - loud[0]) / RATE)
            ends.append(1000 * (spoke[-1] - loud[-1]) / RATE)
    print(
        f"{name:<26} {whole} of {len(sounds)} are one turn; known to begin after {percentile(begins, 0.5):.0f} ms "
        f"(p95 {percentile(begins, 0.95):.0f}), to be over after {percentile(ends, 0.5):.0f} ms "
        f"(p95 {percentile(ends, 0.95):.0f}); {cost / seconds:.1f} ms a second of sound"
    )


def late(seconds: float) -> list[float]:
    """By how many milliseconds each beat comes too late, in a loop that does nothing else."""

    async def beat() -> list[float]:
        found, begin = [], time.perf_counter()
        for at in range(1, int(seconds / BEAT_S)):
            await asyncio.sleep(max(0.0, begin + at * BEAT_S - time.perf_counter()))
            found.append(1000 * (time.perf_counter() - begin - at * BEAT_S))
        return found

    return asyncio.run(beat())


async def beside(hearing: Hearing, sounds: list[bytes], seconds: float) -> None:
    """How late another process is, without recognition and while it goes on all the time."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(pool, late, 0.1)
        for name, busy in (("alone", False), ("beside recognition", True)):
            beats = loop.run_in_executor(pool, late, seconds)
            at = 0
            while busy and not beats.done():
                await hearing.heard(sounds[at % len(sounds)])
                at += 1
            found = await beats
            print(
                f"a beat {name:<19} p50 {percentile(found, 0.5):.1f} ms late, p99 {percentile(found, 0.99):.1f}, "
                f"most {max(found):.1f}"
            )


def resident(pid: int) -> float:
    """Megabytes of its memory."""
    lines = Path(f"/proc/{pid}/status").read_text("ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


async def measured(count: int, seconds: float, *, wrong: bool) -> None:
    """All of it."""
    reader, hearing = Reader(), Hearing()
    said = sentences(count)
    sounds = [reader.say(text).pcm for text in said]
    reader.close()
    began = time.perf_counter()
    await hearing.heard(bytes(RATE))
    print(f"{'its program starts in':<26} {1000 * (time.perf_counter() - began):.0f} ms")
    await understood(hearing, said, sounds, "as it is", wrong=wrong)
    await understood(hearing, said, [opus(pcm) for pcm in sounds], "after Opus at 48 kHz", wrong=wrong)
    for snr_db in (20, 10):
        await understood(hearing, said, [noisy(pcm, snr_db) for pcm in sounds], f"{snr_db} dB over noise", wrong=wrong)
    print(f"{'its process holds':<26} {resident(hearing.pids[0]):.0f} MB")
    await beside(hearing, sounds, seconds)
    hearing.close()
    turns(sounds, "turns")
    for snr_db in (20, 10):
        turns(sounds, f"turns, {snr_db} dB over noise", snr_db)


def main() -> int:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=40, help="sentences")
    parser.add_argument("--seconds", type=float, default=10.0, help="of the beat")
    parser.add_argument("--wrong", action="store_true", help="show what was misheard")
    arguments = parser.parse_args()
    asyncio.run(measured(arguments.count, arguments.seconds, wrong=arguments.wrong))
    return 0


if __name__ == "__main__":
    sys.exit(main())
