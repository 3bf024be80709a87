"""`gateway smoke`: one command holds a whole conversation with the avatar, and says what a person would have found."""

import argparse
import asyncio
import re
import shutil
import signal
import sys
import textwrap
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

from rich.console import Console
from rich.markup import escape

from gateway.cli.faces import seconds
from gateway.cli.play import whole
from gateway.errors import InvalidValue
from gateway.settings import Settings
from gateway.smoke import report, script, verdicts
from gateway.smoke.run import Run
from gateway.smoke.script import MOST, SAMPLES, Question
from gateway.smoke.wanted import Start, Wanted
from gateway.types.smoke import Smoke, Step

EX_INTERRUPTED = 130
KEPT = 10
"""Reports that stay under var/smoke."""
WIDTH = 80
NAME = 20
NAMED = re.compile(r"\d{8}T\d{6}")
MARKS = {"passed": "ok", "failed": "FAILED", "skipped": "--"}


def add(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument(
        "--compose", action="store_true", help="text to the gateway, its answer with a local voice to a face"
    )
    mode.add_argument("--auto", action="store_true", help="a session of Simli Auto, its room joined as a person does")
    parser.add_argument("--agent", default="nora", help="whom to talk to (nora)")
    parser.add_argument("--question", action="append", default=[], metavar="TEXT", help="ask this; may be repeated")
    parser.add_argument("--fact", action="append", default=[], metavar="TEXT", help="what its answer has to hold")
    parser.add_argument("--script", type=Path, metavar="FILE", help="questions as TOML or YAML, also as audio files")
    parser.add_argument(
        "--questions", type=whole(1, MOST), metavar="N", help="only so many; 1: without an interruption"
    )
    parser.add_argument(
        "--start", choices=get_args(Start), default="session", help="how the session is started (session)"
    )
    parser.add_argument("--origin", default="", metavar="URL", help="of the page, with --start link")
    parser.add_argument("--wait", type=seconds, default=10.0, metavar="S", help="for an answer to begin (10)")
    parser.add_argument("--within", type=seconds, default=180.0, metavar="S", help="for all of it (180)")
    parser.add_argument("--report", type=Path, metavar="DIR", help="where the report goes (var/smoke/TIME)")
    parser.add_argument("--json", action="store_true", help="the report as JSON on standard output")


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Hold it; 0 only if everything held. Raises InvalidValue for what cannot be asked for."""
    wanted = _wanted(arguments, settings)
    held = Run(settings, wanted)
    interrupted = asyncio.run(_held(held))
    smoke = held.smoke()
    page = report.written(smoke, wanted.folder)
    if arguments.json:
        print(report.as_json(smoke))
        for one in smoke.findings:
            print(f"gateway: {one.says} {one.remedy}", file=sys.stderr)
    else:
        print(*report.table(smoke), sep="\n")
    print(f"report: {page}", file=sys.stderr)
    if not arguments.report:
        _forget(wanted.folder.parent)
    return EX_INTERRUPTED if interrupted else status_of(smoke)


async def _held(held: Run) -> bool:
    """To its end, or until Ctrl-C, which ends it as properly; whether that was so. A second one ends it at once."""
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()
    asked = asyncio.Event()

    def stop() -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
        asked.set()
        if task:
            task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    try:
        with Shown() as shown:
            held.steps.began, held.steps.done = shown.began, shown.done
            await held.hold()
    except asyncio.CancelledError:
        if not asked.is_set():
            raise
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
    return asked.is_set()


def status_of(smoke: Smoke) -> int:
    """The exit status of a run."""
    return 0 if smoke.passed else verdicts.status(smoke.findings) or 1


def _wanted(arguments: argparse.Namespace, settings: Settings) -> Wanted:
    if arguments.origin and arguments.start != "link":
        raise InvalidValue("--origin is of the page that starts a session by a link: say --start link beside it.")
    questions = _questions(arguments)
    folder: Path = arguments.report or settings.var / "smoke" / f"{datetime.now(UTC):%Y%m%dT%H%M%S}"
    if arguments.report and folder.exists() and any(folder.iterdir()):
        raise InvalidValue(f"{folder} is not empty; name another folder with --report.")
    folder.mkdir(parents=True, exist_ok=True)
    return Wanted(
        mode="compose" if arguments.compose else "auto" if arguments.auto else "room",
        agent=arguments.agent,
        questions=questions,
        folder=folder,
        start=arguments.start,
        origin=arguments.origin.rstrip("/"),
        wait=arguments.wait,
        within=arguments.within,
        config=arguments.config,
    )


def _questions(arguments: argparse.Namespace) -> tuple[Question, ...]:
    if arguments.script and (arguments.question or arguments.fact):
        raise InvalidValue("--script has the questions; leave --question and --fact out.")
    if arguments.script:
        found = script.read(arguments.script)
    elif arguments.question or arguments.fact:
        found = script.of_options(arguments.question, arguments.fact)
    else:
        found = SAMPLES
    return script.first(found, arguments.questions) if arguments.questions else found


class Shown:
    """How far it is, on standard error: a line a step; on a terminal also the one that is under way."""

    def __init__(self) -> None:
        self._status = Console(stderr=True).status("") if sys.stderr.isatty() else None

    def __enter__(self) -> "Shown":
        if self._status:
            self._status.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._status:
            self._status.stop()

    def began(self, name: str, says: str) -> None:
        """This is done now."""
        if self._status:
            self._status.update(escape(textwrap.shorten(f"{name}: {says}", WIDTH - 4, placeholder="…")))

    def done(self, step: Step) -> None:
        """This was done."""
        first = f"{MARKS[step.verdict]:<7}{step.name[:NAME]:<{NAME}}{step.seconds:5.1f} s  "
        blank = " " * len(first)
        lines = textwrap.wrap(step.says, WIDTH - len(first)) or [""]
        print(first + lines[0], *(blank + line for line in lines[1:]), sep="\n", file=sys.stderr, flush=True)


def _forget(reports: Path) -> None:
    """Only the newest reports stay."""
    old = sorted(one for one in reports.iterdir() if one.is_dir() and NAMED.fullmatch(one.name))
    for one in old[:-KEPT]:
        shutil.rmtree(one, ignore_errors=True)
