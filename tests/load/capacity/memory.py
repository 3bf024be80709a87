"""What a gateway process holds: idle, and with hundreds of streams open that have begun and go on slowly."""

import asyncio
import contextlib
from collections.abc import Sequence
from itertools import pairwise
from typing import get_args

from tests.load.capacity.figures import Held, Memory, Who
from tests.load.capacity.hearing import Spoilt, calling
from tests.load.capacity.place import Place, Serving, serving
from tests.load.capacity.speaking import Pace
from tests.load.measure import sampled

STREAMS = (250, 500, 1000)
SLOW = Pace(words=100_000, gap=2.0)
"""They are open for as long as anybody looks."""
EACH_SECOND = 80.0
"""Streams begun in a second: an agent's cost some 10 ms each."""


async def _held(at: Serving, who: Who, streams: Sequence[int]) -> Memory:
    sample = sampled(at.pid, 0.0)
    held = [Held(0, round(sample.megabytes, 1), sample.descriptors)]
    async with contextlib.AsyncExitStack() as open_:
        for before, count in pairwise((0, *streams)):
            spread = (count - before) / EACH_SECOND
            questions = at.questions(who)
            heard = await open_.enter_async_context(
                calling(at.address(who), questions, SLOW.words, count - before, spread)
            )
            await asyncio.sleep(1.5)
            if heard.failures:
                raise Spoilt(f"Streams that should stay open did not: {heard.failures}. Is the machine quiet?")
            sample = sampled(at.pid, 0.0)
            held.append(Held(count, round(sample.megabytes, 1), sample.descriptors))
    return Memory(who, tuple(held))


async def measured(place: Place, streams: Sequence[int] = STREAMS) -> tuple[Memory, ...]:
    """A process that holds a route's streams, and one that holds an agent's."""
    found = []
    for who in get_args(Who):
        async with serving(place, SLOW) as at:
            found.append(await _held(at, who, streams))
            one = found[-1]
            held = ", ".join(f"{each.streams}: {each.megabytes} MB, {each.descriptors}" for each in one.held)
            print(f"{who:6} {held} descriptors; {one.kilobytes:.0f} kB a stream", flush=True)
    return tuple(found)
