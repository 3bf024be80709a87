"""`gateway smoke`: one command holds a whole conversation with the avatar, and says what a person would have found."""

import argparse
import asyncio
import shutil
import signal
import sys
import textwrap
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

from rich.console import Console

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
    parser.add_argument("--questions", type=whole(1, MOST), metavar="N", help="only so many; 1: without an interruption")
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
    shown = Shown()
    held.steps.began, held.steps.done = shown.began, shown.done
    with shown.console.status("") if shown.live else _nothing() as status:
        shown.status = status
        interrupted = asyncio.run(_held(held))
    smoke = held.smoke()
    page = report.written(smoke, wanted.folder)
    if arguments.json:
        print(report.as_json(smoke))
    else:
        print(*report.table(smoke), sep="\n")
    print(f"report: {page}", file=sys.stderr)
    if not arguments.report:
        _forget(wanted.folder.parent)
    return EX_INTERRUPTED if interrupted else status_of(smoke)


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


def _questions(arguments: argparse.Namespace) -> Sequence[Question]:
    if arguments.script and (arguments.question or arguments.fact):
        raise InvalidValue("--script has the questions; leave --question and --fact out.")
    if arguments.script:
        found = script.read(arguments.script)
    elif arguments.question or arguments.fact:
        found = script.of_options(arguments.question, arguments.fact)
    else:
        found = SAMPLES
    return script.first(found, arguments.questions) if arguments.questions else found
