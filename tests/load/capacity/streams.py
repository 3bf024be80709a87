"""How many streams one core carries: more and more of them, until a core is full or words come late."""

import asyncio
import gc
import os
from collections.abc import Sequence
from typing import NamedTuple

from tests.bench.measuring import percentile
from tests.load.capacity.figures import FULL, Ladder, Rung, TurnCost, Who
from tests.load.capacity.hearing import Heard, calling
from tests.load.capacity.place import Place, Serving, Used, serving
from tests.load.capacity.speaking import Pace
from tests.scraped import Scraped, scraped

WINDOW = 5.0
"""Seconds that are measured."""
SETTLED = 0.3
"""Seconds until what waited while this process read metrics is heard, and no longer counts."""
TRIES = 3
"""Of a rung that does not hold."""
RAMP = 400.0
"""Streams begun in a second, at most: they do not all come at once."""


class Steps(NamedTuple):
    """One ladder's numbers of streams."""

    who: Who
    pace: float
    words: int
    streams: Sequence[int]


LADDERS = (
    Steps("route", 20.0, 240, (250, 500, 750, 1000, 1250, 1500)),
    Steps("route", 100.0, 1200, (100, 150, 200, 300, 400)),
    Steps("agent", 20.0, 40, (50, 100, 150, 200, 300, 400)),
    Steps("agent", 100.0, 40, (25, 50, 75, 100, 150)),
)
"""A route's streams are longer than the window, so that their chunks alone are measured. An agent's are whole turns: 40
chunks are some thirty words, twelve seconds of speech; who has an answer asks again at once."""


async def rung(at: Serving, steps: Steps, streams: int, window: float = WINDOW) -> tuple[Rung, Heard, Used]:
    """So many streams, for so long."""
    at.model.pace = Pace(steps.words, 1 / steps.pace)
    turn = at.model.pace.first + steps.words / steps.pace
    spread = max(streams / RAMP, 0.0 if turn > window else turn)
    async with calling(at.address(steps.who), at.questions(steps.who), steps.words, streams, spread) as heard:
        await asyncio.sleep(at.model.pace.first + 0.5)
        before = await scraped(at.url)
        gc.collect()
        gc.freeze()  # a collection here would count as lateness of the gateway
        await asyncio.sleep(SETTLED)
        used = Used(at.pid)
        heard.counts = True
        await asyncio.sleep(window)
        heard.counts = False
        used.stop()
        gc.unfreeze()
        failures = sum(heard.failures.values())
        after = await scraped(at.url)
    words = len(heard.late)
    measured = Rung(
        streams=streams,
        chunks=round(words / used.seconds, 1),
        turns=round(heard.turns / used.seconds, 2),
        core=round(used.gateway / used.seconds, 3),
        late_p50=round(percentile(heard.late, 0.5), 2) if words else 0.0,
        late_p99=round(percentile(heard.late, 0.99), 2) if words else 0.0,
        load=round(used.own / used.seconds, 3),
        lexical=round(lexical(before, after), 3),
        failures=failures,
    )
    return measured, heard, used


def lexical(before: Scraped, after: Scraped) -> float:
    """Share of the searches between two scrapes that the lexical list served alone."""
    name = "gateway_retrieval_outcome_total"
    counted = {
        kind: after.total(name, outcome=kind) - before.total(name, outcome=kind) for kind in ("hybrid", "lexical")
    }
    return counted["lexical"] / max(1.0, sum(counted.values()))


def full(one: Rung) -> bool:
    """Whether nothing is to be seen above this rung: it did not hold, or a core is full: the gateway's, the load's."""
    return not one.kept or one.core >= FULL or one.load >= FULL


async def climbed(at: Serving, steps: Steps) -> Ladder:
    """One ladder, up to its first rung that did not hold."""
    rungs: list[Rung] = []
    for streams in steps.streams:
        one = await _best(at, steps, streams)
        rungs.append(one)
        if full(one):
            break
    return Ladder(steps.who, steps.pace, steps.words, tuple(rungs))


async def _best(at: Serving, steps: Steps, streams: int) -> Rung:
    """The first try that holds, else the best of all: what holds up a whole machine says nothing of the gateway."""
    tried: list[Rung] = []
    while len(tried) < TRIES and not (tried and tried[-1].kept):
        one, heard, _ = await rung(at, steps, streams)
        tried.append(one)
        print(
            f"{steps.who:6} {steps.pace:4g}/s {streams:5} streams {one.chunks:8.0f} chunks/s {one.turns:6.1f} turns/s"
            f"  core {one.core:4.0%}  late {one.late_p50:6.1f} / {one.late_p99:7.1f} ms  load {one.load:4.0%}"
            f"  lexical {one.lexical:4.0%}  {heard.failures or ''}",
            flush=True,
        )
        await asyncio.sleep(0.5)
    return min(tried, key=lambda one: (one.failures, one.late_p99))


async def measured(place: Place, ladders: Sequence[Steps] = LADDERS) -> tuple[Ladder, ...]:
    """All ladders, each before a gateway of its own."""
    found = []
    for steps in ladders:
        async with serving(place, Pace(steps.words, 1 / steps.pace)) as at:
            await rung(at, steps, min(steps.streams), window=1.0)  # warm
            found.append(await climbed(at, steps))
    return tuple(found)


MODERATE: dict[Who, tuple[int, int]] = {"route": (150, 400), "agent": (30, 150)}
"""Callers of the two loads of which the costs are calculated: with short answers, and with long ones."""
SHORT, LONG = 4, 100
"""Words of their answers."""


async def _cost(at: Serving, who: Who) -> TurnCost:
    """Two loads, of which each has turns and chunks: two equations."""
    few, many = MODERATE[who]
    found = []
    for callers, words in ((few, SHORT), (many, LONG)):
        asked, prompts = at.model.requests, at.model.received
        _, heard, used = await rung(at, Steps(who, 20.0, words, ()), callers, window=8.0)
        heard.whole()
        prompt = (at.model.received - prompts) / (at.model.requests - asked)
        found.append((heard.turns, len(heard.late), used.gateway, heard.received, prompt))
    (turns, chunks, cpu, heard_bytes, prompt), (turns_, chunks_, cpu_, heard_bytes_, _) = found
    both = turns * chunks_ - turns_ * chunks
    sizes = [len(question) for question in at.questions(who)]
    return TurnCost(
        who=who,
        turn_ms=round((cpu * chunks_ - cpu_ * chunks) / both * 1e3, 3),
        chunk_us=round((turns * cpu_ - turns_ * cpu) / both * 1e6, 1),
        asked_bytes=round(sum(sizes) / len(sizes)),
        prompt_bytes=round(prompt),
        model_bytes=at.model.chunk_bytes,
        heard_bytes=round((turns * heard_bytes_ - turns_ * heard_bytes) / both, 1),
        frame_bytes=round((heard_bytes * chunks_ - heard_bytes_ * chunks) / both),
    )


async def costs(place: Place) -> tuple[TurnCost, ...]:
    """What a turn and a chunk cost, of a route and of an agent."""
    found = []
    for who in MODERATE:
        async with serving(place, Pace(SHORT, 0.05)) as at:
            await rung(at, Steps(who, 20.0, SHORT, ()), 10, window=1.0)  # warm
            found.append(await _cost(at, who))
            print(f"{found[-1]}  on {os.cpu_count()} cores", flush=True)
    return tuple(found)
