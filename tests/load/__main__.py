"""`python -m tests.load`: conversations with the gateway, more and more of them, until a promise breaks.

Without a target it starts a gateway of its own and a scripted model, and all of it stays on this machine. What is
promised is in `steps.py`, how people talk in `traffic.py`, how the limit is closed in on in `knee.py`. The report is
written to `var/load`, a folder a run. The exit status is 1 where no step kept its promises, where a stream was not what
a stream has to be, or where callers and /metrics disagree; 2 where there was nothing to run.
"""

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.bench.__main__ import surroundings
from tests.load.aims import SAMPLES, Aim, deployment, own
from tests.load.plan import (
    HALVINGS,
    QUICK_SECONDS,
    QUICK_USERS,
    QUICK_WARM_UP,
    SECONDS,
    USERS,
    WARM_UP,
    Plan,
    Wrong,
    base,
)
from tests.load.report import Told, page, saved
from tests.load.steps import Step, read
from tests.serving import ROOT

SHOWN = 3
"""Of what was wrong, at the end; the report has more."""
MOST_WORKERS = 64
GRACE = 60.0
"""Seconds beyond the plan after which the generator is stopped."""
NOBODY = Aim("http://127.0.0.1/v1", SAMPLES)


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.load", description="Conversations, until a promise breaks.")
    parser.add_argument("--target", default="", help="URL of a deployment; without, one is started here")
    parser.add_argument("--agents", default="", help="with commas; without, all that the target lists")
    parser.add_argument("--users", default="", help=f"people of each step, with commas: {','.join(map(str, USERS))}")
    parser.add_argument("--seconds", type=float, default=0.0, help=f"that a step is measured: {SECONDS:g}")
    parser.add_argument("--workers", type=int, default=1, help="of the gateway that is started here")
    parser.add_argument("--quick", action="store_true", help="two short steps")
    parser.add_argument("--key-from-input", action="store_true", help="the first line of standard input is the key")
    parser.add_argument("--out", type=Path, default=ROOT / "var" / "load")
    return parser.parse_args()


def planned(given: argparse.Namespace, aim: Aim, folder: Path, key: str) -> Plan:
    """What the command line asks for. Raises Wrong."""
    usual = QUICK_USERS if given.quick else USERS
    try:
        users = [int(each) for each in given.users.split(",")] if given.users else list(usual)
    except ValueError as failed:
        raise Wrong(f"USERS={given.users[:80]}: whole numbers, by commas.") from failed
    if not 1 <= given.workers <= MOST_WORKERS:
        raise Wrong(f"WORKERS={given.workers}: 1 to {MOST_WORKERS}.")
    return Plan(
        aim.url,
        aim.models,
        users,
        given.seconds or (QUICK_SECONDS if given.quick else SECONDS),
        QUICK_WARM_UP if given.quick else WARM_UP,
        str(folder),
        key,
        aim.metrics,
        aim.model,
        halvings=0 if given.quick else HALVINGS,
    )


def announced(plan: Plan, aim: Aim) -> str:
    """What will be sent, before it is."""
    sent = plan.sent
    steps = ", ".join(map(str, plan.users))
    halved = f"         and up to {plan.halvings} steps between the last that holds and the first that does not\n"
    return (
        f"target   {plan.url}\n         {aim.says}\n"
        f"people   {steps}; {plan.seconds:g} s each, and {plan.warm_up:g} s before\n{halved if plan.halvings else ''}"
        f"at most  {plan.duration:.0f} s, about {sent.requests:,} requests with {sent.model_calls:,} model calls\n"
        f"         of {sent.tokens / 1e6:.1f} million tokens, and never more than {plan.requests:,} requests\n"
    )


@contextlib.contextmanager
def aimed(given: argparse.Namespace, folder: Path, key: str) -> Iterator[Aim]:
    """The target, running. Raises Wrong."""
    if given.target:
        agents = [each for each in given.agents.split(",") if each]
        yield deployment(base(given.target), key, agents)
        return
    print("starting a gateway and a scripted model …", flush=True)
    with own(folder, given.workers) as aim:
        yield aim


def generated(plan: Plan) -> list[Step]:
    """Let the generator carry the plan out; its steps. Raises Wrong where it has written none."""
    running = subprocess.Popen(
        [sys.executable, "-m", "tests.load.locusts"],
        cwd=ROOT,
        env={"PATH": os.defpath, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        text=True,
        process_group=0,  # Ctrl-C is for this process, which ends that one
    )
    try:
        running.communicate(plan.told(), timeout=plan.duration + GRACE)
    except subprocess.TimeoutExpired as slow:
        raise Wrong(f"The generator did not end within {plan.duration + GRACE:.0f} s.") from slow
    finally:
        running.kill()
        running.wait()
    written = Path(plan.folder) / "steps.json"
    if running.returncode or not written.exists():
        raise Wrong(f"The generator ended with status {running.returncode}; what it wrote says why.")
    return read(json.loads(written.read_text("utf-8")))


def commit() -> str:
    """Of this checkout; empty where it is none."""
    found = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return found.stdout.strip()


def main() -> int:
    """Start, load, judge, write."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    given = arguments()
    key = sys.stdin.readline().strip() if given.key_from_input else ""
    began = time.monotonic()
    around: dict[str, Any] = {**surroundings(), "commit": commit()}
    folder = given.out.resolve() / datetime.now(UTC).strftime("%Y-%m-%dT%H-%M-%SZ")
    try:
        planned(given, NOBODY, folder, key)  # what cannot be is said before anything is started
        folder.mkdir(parents=True, exist_ok=True)
        with aimed(given, folder, key) as aim:
            plan = planned(given, aim, folder, key)
            print(announced(plan, aim), flush=True)
            steps = generated(plan)
    except KeyboardInterrupt:
        print(f"\nStopped; nothing is judged. What the programs said is in {folder}.", file=sys.stderr)
        return 130
    except Wrong as wrong:
        with contextlib.suppress(OSError):
            folder.rmdir()
        print(wrong, file=sys.stderr)
        return 2
    told = Told(plan, aim.says, aim.alone, steps, around, round(time.monotonic() - began, 1))
    (folder / "report.json").write_text(json.dumps(saved(told), indent=1, allow_nan=False) + "\n", "utf-8")
    (folder / "report.html").write_text(page(told), "utf-8")
    (folder / "steps.json").unlink()
    print(f"\n{told.conclusion}")
    for fault in told.faults:
        print(f"FAILED {fault}")
    for words in [each for step in steps for each in step.wrong][:SHOWN]:
        print(f"  {words}")
    print(f"{told.took:.0f} s; the report is {folder}/report.html")
    return 1 if told.faults else 0


if __name__ == "__main__":
    sys.exit(main())
