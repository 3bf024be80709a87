"""`python -m tests.bench`: every target side by side, in interleaved rounds, before one scripted upstream."""

import argparse
import asyncio
import contextlib
import json
import os
import platform
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import uvloop

from tests import nginx
from tests.bench.chart import page
from tests.bench.measuring import SCENARIOS, Measured, Scenario, measured, medians
from tests.bench.report import Results, promises, table
from tests.bench.targets import TARGETS, Place, Target, answers, before, cores, free_port, process
from tests.serving import ROOT


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="What the gateway costs.")
    parser.add_argument("--quick", action="store_true", help="one short round, under a minute")
    parser.add_argument("--rounds", type=int, default=0, help="3; with --quick 1")
    parser.add_argument("--only", default=",".join(TARGETS), help="targets, with commas: %(default)s")
    scenarios = ",".join(scenario.name for scenario in SCENARIOS)
    parser.add_argument("--scenarios", default=scenarios, help="with commas: %(default)s")
    parser.add_argument("--out", type=Path, default=ROOT / "var" / "bench")
    parser.add_argument("--beside", type=Path, metavar="CHECKOUT", help="measure its gateway too: what a change costs")
    parser.add_argument("--check", action="store_true", help="fail where a promise is not kept")
    return parser.parse_args()


@contextlib.contextmanager
def scripted_upstream(out: Path, core: int) -> Iterator[str]:
    """The upstream as a process on the load's core; its base URL."""
    port = free_port()
    command = [sys.executable, "-m", "tests.upstream", "--port", str(port)]
    with process(out, "upstream", command, core, {}) as pid:
        answers(f"http://127.0.0.1:{port}/stats", pid, out / "upstream.log")
        yield f"http://127.0.0.1:{port}/v1"


async def rounds(
    targets: Sequence[Target], scenarios: Sequence[Scenario], upstream: str, *, count: int, quick: bool
) -> dict[str, dict[str, list[Measured]]]:
    """Measure: in each round every scenario, in each scenario every target, one after another."""
    results: dict[str, dict[str, list[Measured]]] = {}
    for number in range(count):
        for scenario in scenarios:
            for target in targets:
                began = time.monotonic()
                result = await measured(target, scenario, upstream, quick=quick)
                results.setdefault(scenario.name, {}).setdefault(target.name, []).append(result)
                took = time.monotonic() - began
                progress = f"round {number + 1}/{count}  {scenario.title:22} {target.name:15} {took:5.1f} s"
                print(progress, file=sys.stderr, flush=True)
    return results


def surroundings() -> dict[str, Any]:
    """What the figures depend on besides the code."""
    models = [
        line.partition(": ")[2] for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line
    ]
    packages = ("aiohttp", "fastapi", "openai", "starlette", "uvicorn", "uvloop", "sse-starlette")
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "system": platform.platform(),
        "processor": models[0] if models else platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "load_before": os.getloadavg()[0],
        "packages": {name: version(name) for name in packages},
    }


def run(given: argparse.Namespace) -> Results:
    """Start everything, measure, stop everything."""
    out = given.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    every = TARGETS | (before(given.beside.resolve()) if given.beside else {})
    names = given.only.split(",") + [name for name in every if name not in TARGETS]
    if "nginx" in names and nginx.program() is None:
        print("nginx is not installed: its row is missing", file=sys.stderr)
        names.remove("nginx")
    names.sort(key=list(every).index)
    wanted = given.scenarios.split(",")
    scenarios = [scenario for scenario in SCENARIOS if scenario.name in wanted]
    target_core, load_core = cores()
    with contextlib.ExitStack() as stack:
        upstream = stack.enter_context(scripted_upstream(out, load_core))
        place = Place(out, target_core, load_core, upstream, ROOT / "knowledge", ROOT / "prompts")
        targets = [stack.enter_context(every[name](place)) for name in names]
        os.sched_setaffinity(0, {load_core})
        count = given.rounds or (1 if given.quick else 3)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            taken = runner.run(rounds(targets, scenarios, upstream, count=count, quick=given.quick))
    return {scenario: {name: medians(some) for name, some in rows.items()} for scenario, rows in taken.items()}


def main() -> int:
    """Measure, print, save."""
    given = arguments()
    around = surroundings()
    began = time.monotonic()
    results = run(given)
    around["seconds"] = round(time.monotonic() - began)
    print(*table(results), sep="\n")
    kept = list(promises(results))
    print("\npromises")
    for promise in kept:
        print(
            f"{'kept  ' if promise.kept else 'BROKEN'} {promise.says}: {promise.value:.3f} (at most {promise.limit:g})"
        )
    saved = {
        "surroundings": around,
        "results": {name: {who: row.as_json() for who, row in rows.items()} for name, rows in results.items()},
        "promises": [{**promise._asdict(), "kept": promise.kept} for promise in kept],
    }
    (given.out / "bench.json").write_text(json.dumps(saved, indent=1) + "\n")
    (given.out / "bench.html").write_text(page(results, around))
    print(f"\n{around['seconds']} s; saved as {given.out}/bench.json and bench.html")
    return 1 if given.check and not all(promise.kept for promise in kept) else 0


if __name__ == "__main__":
    sys.exit(main())
