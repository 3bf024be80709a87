"""`python -m tests.bench.peers`: what sessions cost, four at once and fifty one after another, and whether they leave
anything behind. One process is the sandbox, this one all of its peers."""

import argparse
import asyncio
import gc
import os
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
from av import AudioFrame, VideoFrame

from gateway.peer.listening import Listening
from gateway.peer.packets import Packets
from gateway.peer.patience import Patience
from gateway.peer.playing import Playing
from gateway.peer.room import entered
from gateway.peer.session import Way, joined
from gateway.peer.watch import Watch
from gateway.settings import Simli as Options
from gateway.simli.client import Simli, opened
from gateway.types.peer import PeerDialect, Ticket
from tests.bench.counted import Counted, Held, counted, held
from tests.bench.targets import cpu_seconds
from tests.sandboxed import caller

FACES = ("tmp9i8bbq7c", "5514e24d-6086-46a3-ace4-6a7264e5cb7c", "face-c", "face-d")
FIRST_S = 0.600
"""In which the first picture has to be there, its token and all."""
WITHIN = 2.0
"""Pictures a second, more or fewer than the face has, in each of its windows."""
WINDOW_S = 5.0
SETTLED = 10
"""Sessions after which memory is not to grow any more."""
GROWTH_KB = 100.0
"""That it may grow by a session all the same: an allocator with threads settles slowly, by some 50 KB. A connection
that is kept holds two decoders, and more than a megabyte."""
MORE_DESCRIPTORS = 2
PATIENCE = Patience(picture=30.0, sound=30.0)


@dataclass
class Row:
    """One of several sessions at once."""

    watch: Watch = field(default_factory=Watch)
    seen: list[float] = field(default_factory=list)
    """When each picture came."""
    failed: str = ""

    def __post_init__(self) -> None:
        """Watch."""
        self.watch.sinks.append(self._take)

    def _take(self, frame: AudioFrame | VideoFrame, _: float) -> None:
        if isinstance(frame, VideoFrame):
            self.seen.append(self.watch.now())

    def windows(self, until: float) -> list[float]:
        """Pictures a second of each window from a second after the first one on, until the sound was over."""
        came = np.array(self.seen)
        begin = (came[0] if came.size else 0.0) + 1.0
        edges = np.arange(begin, until - WINDOW_S + 1e-6, WINDOW_S)
        return [float(((came >= edge) & (came < edge + WINDOW_S)).sum()) / WINDOW_S for edge in edges]


@dataclass(frozen=True, slots=True)
class Bar:
    """What has to hold, and whether it did."""

    says: str
    holds: bool


def voice(seconds: float) -> bytes:
    """Syllables, four a second."""
    at = np.arange(round(16000 * seconds)) / 16000
    wave = 9000 * np.abs(np.sin(2 * np.pi * 2 * at)) * np.sin(2 * np.pi * 180 * at)
    return bytes(wave.astype("<i2").tobytes())


def reader(seconds: float) -> Callable[[], Awaitable[bytes]]:
    """A source of so many seconds of it."""
    second, left = voice(1.0), seconds

    async def read() -> bytes:
        nonlocal left
        left -= 1.0
        return second if left > -1e-6 else b""

    return read


async def issued(simli: Simli, face: str) -> Ticket:
    """What opens a session."""
    token, servers = await asyncio.gather(simli.compose_token(face), simli.ice())
    return Ticket(token, tuple(servers))


async def held_up(loop_lag: list[float]) -> None:
    """Note by how much this process's loop is late."""
    while True:
        before = time.perf_counter()
        await asyncio.sleep(0.02)
        loop_lag.append(time.perf_counter() - before - 0.02)


async def at_once(other: Counted, simli: Simli, fps: int, seconds: float) -> Iterator[Bar]:
    """Four sessions that are spoken to all the time; what was measured is printed."""
    await other.sandbox.behave(fps=fps)
    rows: list[Row] = []

    async def one(face: str) -> None:
        row = Row()
        rows.append(row)
        try:
            way = Way(other.sandbox.url, "p2p", simli.signalled)
            async with joined(way, await issued(simli, face), row.watch, PATIENCE) as session:
                playing = Playing(session, Packets())
                await playing.play(reader(seconds + 3.0), seconds + 2.0)
                await playing.finish()
        except Exception as failed:  # noqa: BLE001 whatever it is, it is a row
            row.failed = f"{type(failed).__name__}: {failed}"

    lag: list[float] = []
    lagging = asyncio.create_task(held_up(lag))
    began, ours, theirs = time.perf_counter(), cpu_seconds(os.getpid()), other.cpu()
    await asyncio.gather(*(one(face) for face in FACES))
    took = time.perf_counter() - began
    cores = (other.cpu() - theirs) / took, (cpu_seconds(os.getpid()) - ours) / took
    lagging.cancel()
    windows = [row.windows(seconds) for row in rows]
    shown(rows, windows, fps)
    late = np.percentile(lag, 99) * 1000
    load = os.getloadavg()[0]
    print(f"  cores: sandbox {cores[0]:.2f}, peers {cores[1]:.2f}; this loop late p99 {late:.0f} ms; load {load:.1f}\n")
    return bars(rows, windows, fps)


def shown(rows: list[Row], windows: list[list[float]], fps: int) -> None:
    """A row each."""
    print(f"four at once, {fps} fps")
    print(
        f"  {'first picture':>14}{'fps':>7}{'least':>7}{'most':>7}{'freezes':>9}{'longest':>9}{'jitter':>8}{'gaps':>6}"
    )
    for row, rates in zip(rows, windows, strict=True):
        pictures = row.watch.pictures
        if row.failed or pictures.first is None or not rates:
            print(f"  {row.failed or 'nothing was seen'}")
            continue
        jitter = (pictures.jitter or 0.0) * 1000
        print(
            f"  {pictures.first * 1000:>11.0f} ms{np.mean(rates):>7.1f}{min(rates):>7.1f}{max(rates):>7.1f}"
            f"{pictures.gaps:>9}{pictures.longest_gap * 1000:>6.0f} ms{jitter:>5.1f} ms{row.watch.sounds.gaps:>6}"
        )


def bars(rows: list[Row], windows: list[list[float]], fps: int) -> Iterator[Bar]:
    """What was to hold."""
    failures = [row.failed for row in rows if row.failed]
    yield Bar(f"{fps} fps: all four sessions ran to their end", not failures)
    slowest = max(row.watch.pictures.first or 99.0 for row in rows)
    yield Bar(
        f"{fps} fps: the first picture within {FIRST_S * 1000:.0f} ms (the slowest {slowest * 1000:.0f})",
        slowest <= FIRST_S,
    )
    rates = [rate for each in windows for rate in each] or [0.0]
    sustained = all(abs(rate - fps) <= WITHIN for rate in rates) and all(windows)
    yield Bar(f"{fps} fps ±{WITHIN:g} in every {WINDOW_S:g} s ({min(rates):.1f} to {max(rates):.1f})", sustained)


async def in_turn(other: Counted, simli: Simli, count: int) -> list[Bar]:
    """Sessions one after another, of every dialect and in a room; what is held after each is kept."""
    taken: list[tuple[Held, Held]] = []
    firsts: list[float] = []
    ways: tuple[PeerDialect | None, ...] = ("p2p", "websocket", "rest", None)
    for number in range(count + 1):
        watch = Watch()
        if dialect := ways[number % len(ways)]:
            way = Way(other.sandbox.url, dialect, simli.signalled)
            async with joined(way, await issued(simli, FACES[0]), watch, PATIENCE) as session:
                playing = Playing(session, Packets())
                await playing.play(reader(1.0), 0.5)
                await playing.idle(lambda: watch.heard)  # noqa: B023 awaited here
        else:
            async with entered(await room(other), watch, PATIENCE) as there:
                Listening(watch)
                await there.say(voice(0.5))
        firsts.append(watch.pictures.first or 0.0)
        await deserted(other)
        taken.append((await settled(), other.held()))
        if number == 0:
            print(f"{count} sessions one after another, after one that came before")
            print(f"  {'':>9}{'ours: tasks':>13}{'files':>7}{'RSS':>10}{'theirs: tasks':>16}{'files':>7}{'RSS':>10}")
        if number % 10 == 0 or number == count:
            print(f"  {number:>9}{cells(taken[-1][0], 13)}{cells(taken[-1][1], 16)}", flush=True)
    print(f"  first picture: median {np.median(firsts) * 1000:.0f} ms, most {max(firsts) * 1000:.0f} ms")
    return [
        bar for name, which in (("ours", 0), ("the sandbox's", 1)) for bar in kept(name, [one[which] for one in taken])
    ]


def cells(now: Held, wide: int) -> str:
    """Three of a row."""
    return f"{now.tasks:>{wide}}{now.descriptors:>7}{now.kilobytes / 1024:>7.1f} MB"


def kept(name: str, taken: list[Held]) -> Iterator[Bar]:
    """What a process may not hold more of."""
    first, last = taken[0], taken[-1]
    yield Bar(f"{name}: no more tasks than before ({first.tasks} and {last.tasks})", last.tasks <= first.tasks)
    more = last.descriptors - first.descriptors
    yield Bar(f"{name}: no more descriptors ({first.descriptors} and {last.descriptors})", more <= MORE_DESCRIPTORS)
    sizes = [one.kilobytes for one in taken[min(SETTLED, len(taken) // 2) :]]
    slope = float(np.polyfit(np.arange(len(sizes)), sizes, 1)[0]) if len(sizes) > 1 else 0.0
    print(f"  {name}: RSS grows by {slope:.1f} KB a session over the last {len(sizes) - 1}")
    yield Bar(f"{name}: RSS grows by at most {GROWTH_KB:g} KB a session ({slope:.1f})", slope <= GROWTH_KB)


async def settled() -> Held:
    """What this process holds, once what has ended is gone."""
    await asyncio.sleep(0.05)
    gc.collect()
    return held(len(asyncio.all_tasks()), os.getpid())


async def deserted(other: Counted) -> None:
    """Wait until nothing runs there."""
    for _ in range(200):
        if not (await other.sandbox.state())["running"]:
            return
        await asyncio.sleep(0.02)
    raise RuntimeError("A session runs on at the sandbox.")


async def room(other: Counted) -> str:
    """A room's URL."""
    body = {"apiKey": other.sandbox.key, "faceId": FACES[0], "systemPrompt": "You are brief.", "firstMessage": "Hello."}
    async with caller(headers={"x-simli-api-key": other.sandbox.key}) as client:
        answer = await client.post(f"{other.sandbox.url}/auto/start/configurable", json=body)
    return str(answer.json()["roomUrl"])


async def measured(given: argparse.Namespace) -> list[Bar]:
    """All of it."""
    found: list[Bar] = []
    with counted() as other:
        async with opened(other.sandbox.url, other.sandbox.key, Options()) as simli:
            for fps in map(int, given.fps.split(",")) if given.seconds else ():
                found += await at_once(other, simli, fps, given.seconds)
            if given.count:
                found += await in_turn(other, simli, given.count)
    return found


def main() -> int:
    """Measure, print; 1 where a bar is missed."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.peers", description="What sessions cost.")
    parser.add_argument("--seconds", type=float, default=120.0, help="of four at once; 0: none (%(default)g)")
    parser.add_argument("--fps", default="25,30", help="of the face, one run each: %(default)s")
    parser.add_argument("--count", type=int, default=50, help="one after another; 0: none (%(default)s)")
    found = asyncio.run(measured(parser.parse_args()))
    print()
    for bar in found:
        print(f"{'kept  ' if bar.holds else 'MISSED'} {bar.says}")
    return 0 if found and all(bar.holds for bar in found) else 1


if __name__ == "__main__":
    sys.exit(main())
