"""`python -m tests.load.soak --minutes 10`: does the gateway hold more and more, and does every stream end?

50 callers ask agents and routes; some hang up, some have a key with limits, some ask nonsense. Once a minute the
upstream is killed for two seconds, and so is Redis (without a redis-server, the gateway's own store is killed); one
route's first target fails now and then. What the gateway's process holds is sampled every five seconds, and the slope
after the warm-up has to be flat. A run of less than five minutes shows that every stream ends; what it says of memory
is the filling of caches, and is not judged.
"""

import argparse
import asyncio
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from tests.bench.targets import QUESTIONS, ingest
from tests.faults.proxy import Hang, Proxy, Reset, Share, proxied
from tests.load.crowd import crowd
from tests.load.listening import PROPER, Ending, Heard, listened
from tests.load.measure import Watch, sampled, table
from tests.load.programs import EmbeddedStore, Program, gateways, redis_process, redis_program, upstream_process
from tests.serving import ROOT, Gateway, gateway_process

CALLERS = 50
EVERY = 5.0
"""Seconds between two samples."""
AWAY = 2.0
"""Seconds that something killed is away."""
TOLD = 30.0
"""Seconds between two lines."""
WARM_UP = 120.0
"""Seconds until caches are full and the allocator has what it needs; of a shorter run, the first half."""
SHORT = 300.0
"""Seconds below which memory is not judged."""
MEGABYTES = 1.0
"""A minute at most, after the warm-up."""
FLAT = 1.0
"""Descriptors a minute: what is surely steeper is not flat. One that is lost with each hang-up would be a hundred."""
REST = 2.0
"""Seconds after the last answer in which connections of callers are closed."""
KEPT = 20
"""Descriptors that may be there afterwards and not before, besides a kept connection for each caller."""
CONFIG = """
prompts = "{prompts}"
[server]
drain_notice = 0
[knowledge]
directory = "{knowledge}"
[routes.main]
[[routes.main.targets]]
url = "http://127.0.0.1:{upstream}/v1"
first_token = 1.0
between_chunks = 1.0
[routes.flaky]
[[routes.flaky.targets]]
url = "http://127.0.0.1:{flaky}/v1"
first_token = 1.0
between_chunks = 1.0
[[routes.flaky.targets]]
url = "http://127.0.0.1:{upstream}/v1"
first_token = 1.0
between_chunks = 1.0
"""
AGENTS = {
    "guide": "route: main\ncollections: [lighthouse]\nrate: {requests: 100000, streams: 1000}",
    "talker": "route: flaky\nfillers: [One moment., Let me see.]\nfiller_after_ms: 300",
    "strict": "route: flaky\non_failure: error",
}
AGENT = """---
name: {name}
language: en
apology: Sorry, I lost my thread.
unknown: I do not know.
{rest}
---
You answer at length.
"""


class Ask(NamedTuple):
    """One request of a caller."""

    path: str
    body: Mapping[str, Any]
    headers: Mapping[str, str]
    leave_after: float = float("inf")


def asked(number: int, chance: random.Random, key: str) -> Ask:
    """What this caller asks now."""
    who = ("guide", "guide", "talker", "strict", "main", "main", "flaky", "guide", "main", "talker")[number % 10]
    if chance.random() < 0.02:
        who = "nobody"
    path = f"/agents/{who}/v1/chat/completions" if who in AGENTS else "/v1/chat/completions"
    told = [
        {"role": role, "content": f"{role} {turn}: {chance.choice(QUESTIONS)}"}
        for turn in range(chance.randrange(6))
        for role in ("user", "assistant")
    ]
    question = {"role": "user", "content": f"{chance.choice(QUESTIONS)} ({chance.randrange(1000)})"}
    body = {"model": who, "stream": True, "messages": [*told, question]}
    if number % 10 == 8 and chance.random() < 0.3:
        body["temperature"] = "warm"
    headers = {"authorization": f"Bearer {key}"} if number % 5 == 4 else {}
    leaves = chance.uniform(0, 1.5) if chance.random() < 0.15 else float("inf")
    return Ask(path, body, headers, leaves)


@dataclass(slots=True)
class Run:
    """What was heard so far, by its ending."""

    endings: dict[Ending, int] = field(default_factory=dict)
    improper: list[Heard] = field(default_factory=list)
    """The first of what must not be."""

    def note(self, heard: Heard) -> None:
        """Count it."""
        self.endings[heard.ending] = self.endings.get(heard.ending, 0) + 1
        if heard.ending not in PROPER and len(self.improper) < 20:
            self.improper.append(heard)

    def __str__(self) -> str:
        return ", ".join(f"{ending} {count}" for ending, count in sorted(self.endings.items()))


class Cast(NamedTuple):
    """Who takes part."""

    gateway: Gateway
    upstream: Program
    store: Program | EmbeddedStore
    flaky: Proxy
    key: str


@asynccontextmanager
async def cast(var: Path, workers: int = 1) -> AsyncIterator[Cast]:
    """Start everybody: the programs, the proxy, the knowledge, a key with limits, the gateway."""
    async with AsyncExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="soak-")))
        for name, rest in AGENTS.items():
            (place / f"{name}.md").write_text(AGENT.format(name=name, rest=rest), "utf-8")
        upstream = await stack.enter_async_context(upstream_process(chunks=20, first=0.05, gap=0.05))
        redis = await stack.enter_async_context(redis_process()) if redis_program() else None
        often = (Share(0.05, Reset(after=0)), Share(0.05, Reset(after=1500)), Share(0.03, Hang(after=1500)))
        flaky = await stack.enter_async_context(proxied("127.0.0.1", upstream.port, *often))
        config = CONFIG.format(prompts=place, knowledge=ROOT / "knowledge", upstream=upstream.port, flaky=flaky.port)
        ingest(place, config, var)
        environ = {"GATEWAY_VAR": str(var), **({"REDIS_URL": f"redis://127.0.0.1:{redis.port}/0"} if redis else {})}
        key = made_key(config, environ, place)
        gateway = stack.enter_context(gateway_process(config, environ, arguments=["--workers", str(workers)]))
        yield Cast(gateway, upstream, redis or EmbeddedStore(gateway.process.pid), flaky, key)


def made_key(config: str, environ: Mapping[str, str], place: Path) -> str:
    """A key that may ask 300 times a minute, three at once."""
    file = place / "keys.toml"
    file.write_text(config, "utf-8")
    limits = ["--requests", "300", "--streams", "3", "--config", str(file)]
    made = subprocess.run(
        [sys.executable, "-m", "gateway", "keys", "create", *limits],
        cwd=ROOT,
        env={"PATH": os.defpath, **environ},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return made.stdout.strip()


async def killed_now_and_then(program: Program | EmbeddedStore, first: float, every: float) -> None:
    """Kill it and bring it back, again and again."""
    await asyncio.sleep(first)
    while True:
        await program.kill()
        await asyncio.sleep(AWAY)
        await program.start()
        await asyncio.sleep(every - AWAY)


async def soaked(who: Cast, seconds: float) -> tuple[Run, Mapping[str, Watch]]:
    """Let the crowd ask for so long, while things die, and look at each of the gateway's processes."""
    run, pids = Run(), gateways(who.gateway.process.pid)
    watches = {name: Watch(min(WARM_UP, seconds / 2), before=sampled(pid, 0).descriptors) for name, pid in pids.items()}
    chances = [random.Random(number) for number in range(CALLERS)]

    async def ask(number: int) -> Heard:
        path, body, headers, leave_after = asked(number, chances[number], who.key)
        url = who.gateway.url + path
        return await listened(url, body, headers=headers, patience=20, leave_after=leave_after)

    every = min(60.0, seconds / 2)
    began = time.monotonic()
    killers = [
        asyncio.create_task(killed_now_and_then(program, first * every, every))
        for program, first in ((who.upstream, 0.3), (who.store, 0.6))
    ]
    try:
        async with crowd(CALLERS, ask, run.note):
            told = 0.0
            while (at := time.monotonic() - began) < seconds:
                for name, pid in pids.items():
                    watches[name].samples.append(sampled(pid, at))
                if at >= told:
                    told += TOLD
                    print(line(watches, run), flush=True)
                await asyncio.sleep(EVERY)
    finally:
        for killer in killers:
            killer.cancel()
        await asyncio.gather(*killers, return_exceptions=True)
    await asyncio.sleep(REST)
    for name, pid in pids.items():
        watches[name].after = sampled(pid, 0).descriptors
    return run, watches


def line(watches: Mapping[str, Watch], run: Run) -> str:
    """Where it stands; of several processes each."""
    last = [watch.samples[-1] for watch in watches.values()]
    megabytes = " + ".join(f"{one.megabytes:.1f}" for one in last)
    descriptors = " + ".join(f"{one.descriptors}" for one in last)
    threads = " + ".join(f"{one.threads}" for one in last)
    return f"{last[0].at:6.0f} s {megabytes:>7} MB {descriptors:>5} descriptors {threads:>3} threads  {run}"


def verdict(run: Run, watches: Mapping[str, Watch]) -> list[tuple[str, bool]]:
    """What is promised, in words, and whether it was kept."""
    without = sum(count for ending, count in run.endings.items() if ending not in PROPER)
    held = [(f"{name}: {words}", kept) for name, watch in watches.items() for words, kept in flat(watch)]
    return [*held, (f"{without} streams without an end, of {sum(run.endings.values())}", not without)]


def flat(watch: Watch) -> list[tuple[str, bool]]:
    """What is promised of one process."""
    judged = watch.samples[-1].at + EVERY >= SHORT
    memory, descriptors = watch.memory, watch.descriptors
    unjudged = "" if judged else "; a short run: not judged"
    return [
        (
            f"memory {memory} (MB; at most {MEGABYTES:g}{unjudged})",
            not (judged and memory.over(MEGABYTES)),
        ),
        (
            f"descriptors {descriptors} (flat{unjudged})",
            not (judged and descriptors.over(FLAT)),
        ),
        (
            f"descriptors of the idle process: {watch.before} before, {watch.after} after (a kept connection a caller)",
            watch.after <= watch.before + CALLERS + KEPT,
        ),
    ]


async def main_run(minutes: float, workers: int) -> bool:
    """Soak, print, and say whether all is kept."""
    async with cast(ROOT / "var" / "bench" / "var", workers) as who:
        run, watches = await soaked(who, minutes * 60)
    print(f"\n{run}; slopes after a warm-up of {min(WARM_UP, minutes * 30):.0f} s")
    for name, watch in watches.items():
        print(f"{name}\n{table(watch)}")
    every = verdict(run, watches)
    for words, kept in every:
        print(f"{'kept  ' if kept else 'BROKEN'} {words}")
    for heard in run.improper:
        print(f"  {heard.ending} {heard.status} after {heard.seconds:.1f} s: {heard.text[-40:]!r} {heard.why}"[:160])
    return all(kept for _, kept in every)


def main() -> int:
    """Read the arguments; 1 where a promise is broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.load.soak", description="Does it grow, does it fall silent?")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--workers", type=int, default=1, help="of the gateway; each is looked at")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    given = parser.parse_args()
    return 0 if asyncio.run(main_run(given.minutes, given.workers)) else 1


if __name__ == "__main__":
    sys.exit(main())
