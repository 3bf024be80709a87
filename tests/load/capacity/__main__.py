"""`python -m tests.load.capacity [PART …] [--write]` measures; `… calculate --sessions N` says what so many need."""

import argparse
import asyncio
import os
import platform
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import uvloop

from tests.load.capacity import memory, page, registering, storing, streams, vectors
from tests.load.capacity.calculation import assumed
from tests.load.capacity.figures import Figures, read
from tests.load.capacity.place import Place, prepared
from tests.load.capacity.told import told
from tests.serving import ROOT

KEPT = ROOT / "deploy" / "capacity.json"
PAGE = ROOT / "deploy" / "capacity.md"

Found = TypeVar("Found")


LONGEST = 400.0
"""Seconds of one part."""


def _run(measuring: Coroutine[Any, Any, Found]) -> Found:
    async def within() -> Found:
        async with asyncio.timeout(LONGEST):
            return await measuring

    return uvloop.run(within())


def _redis(place: Place) -> Mapping[str, Any]:
    turns, sizes = _run(storing.measured(place))
    return {"redis": turns, "sizes": (sizes,)}


PARTS: Mapping[str, Callable[[Place], Mapping[str, Any]]] = {
    "turns": lambda place: {"turns": _run(streams.costs(place))},
    "streams": lambda place: {"streams": _run(streams.measured(place))},
    "memory": lambda place: {"memory": _run(memory.measured(place))},
    "redis": _redis,
    "register": lambda place: {"register": (_run(registering.measured(place)),)},
    "embedding": lambda place: {"embedding": (vectors.questions(place),)},
    "chroma": lambda place: {"chroma": vectors.measured(place)},
}
"""Each answers with the fields of `Figures` that it has measured."""


def surroundings() -> str:
    """When and on what."""
    models = [
        line.partition(": ")[2] for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line
    ]
    cores, load = len(os.sched_getaffinity(0)), os.getloadavg()[0]
    processor = models[0].strip() if models else platform.machine()
    when = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    return f"{when}, {cores} cores of {processor}, Python {platform.python_version()}, load before {load:.1f}"


def measure(parts: Sequence[str], figures: Figures, keep: Callable[[Figures], None]) -> list[str]:
    """Measure these parts, one after another; each is handed on as soon as it is there. Answers which could not be."""
    missing = []
    with prepared() as place:
        for part in parts:
            print(f"\n{part}", flush=True)
            around, began = surroundings(), time.monotonic()
            found = _tried(part, place)
            if found is None:
                missing.append(part)
            else:
                figures = replace(figures, around={**figures.around, part: around}, **found)
                keep(figures)
            print(f"{part}: {time.monotonic() - began:.0f} s", flush=True)
    return missing


def _tried(part: str, place: Place) -> Mapping[str, Any] | None:
    """What was measured; None where that was spoilt twice: it takes one stall of the machine."""
    for _ in range(2):
        try:
            return PARTS[part](place)
        except (RuntimeError, TimeoutError, subprocess.SubprocessError) as error:
            print(f"{part} was not measured: {error}", file=sys.stderr, flush=True)
    return None


def known() -> Figures:
    """The figures that are kept; none where there is no file."""
    return read(KEPT.read_bytes()) if KEPT.exists() else Figures()


def write(figures: Figures) -> None:
    """Keep the figures, and make the page of them where they are whole."""
    KEPT.write_bytes(figures.written())
    if set(PARTS) <= set(figures.around):
        PAGE.write_text(page.page(figures), "utf-8")


def calculate(sessions: int, settings: list[str]) -> int:
    """Print what so many sessions need, and what has broken by then."""
    figures = known()
    if missing := set(PARTS) - set(figures.around):
        print(f"Not measured yet: {', '.join(sorted(missing))}. `make capacity` does it.", file=sys.stderr)
        return 1
    try:
        print(*told(sessions, figures, assumed(settings)), sep="\n")
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.load.capacity", description="What the gateway can carry.")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)}: all; or calculate")
    parser.add_argument(
        "--write", action="store_true", help="keep the figures in deploy/capacity.json, and make the page"
    )
    parser.add_argument(
        "--page", action="store_true", help="measure nothing: make the page of the figures that are kept"
    )
    parser.add_argument("--sessions", type=int, default=1_000, help="of calculate: %(default)s")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=NUMBER", help="of calculate: an assumption")
    given = parser.parse_args()
    if unknown := [part for part in given.parts if part not in PARTS and given.parts != ["calculate"]]:
        parser.error(f"There is no part {unknown[0]!r}: {', '.join(PARTS)}, or calculate.")
    if given.sessions < 1:
        parser.error("--sessions is a number from 1 on.")
    return given


def main() -> int:
    """Calculate, make the page, or measure."""
    given = arguments()
    if given.parts == ["calculate"]:
        return calculate(given.sessions, given.set)
    if given.page:
        write(known())
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that what was started is stopped
    try:
        missing = measure(given.parts or list(PARTS), known(), write if given.write else lambda _: None)
    except KeyboardInterrupt:
        print("Stopped; the parts that were measured are kept." if given.write else "Stopped.", file=sys.stderr)
        return 130
    if missing:
        print(f"Not measured: {', '.join(missing)}. What was kept of them before stays.", file=sys.stderr)
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
