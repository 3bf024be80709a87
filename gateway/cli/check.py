"""`gateway check`: what a start or a turn would miss, and what to do about it."""

import argparse
import asyncio
import logging
import sys
import textwrap
from collections.abc import Sequence
from dataclasses import asdict

import orjson

from gateway import checks
from gateway.checks import Finding
from gateway.cli import serve
from gateway.errors import ConfigurationError
from gateway.settings import Read, Settings

WIDTH = 80
LEVEL, WHAT = 9, 22
"""Columns of the first two; the third has the rest."""


def add(parser: argparse.ArgumentParser) -> None:
    """Its arguments: those of `serve`, since that is what is checked."""
    serve.add(parser)
    parser.add_argument("--json", action="store_true", help="for machines")


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Look, and say what was found. 78 where there is a fault; warnings are none."""
    return refused(arguments, Read(settings))


def refused(arguments: argparse.Namespace, read: Read) -> int:
    """The same where the settings have faults: they are found too, and the rest is looked at even so."""
    logging.getLogger("gateway").setLevel(logging.CRITICAL)  # what is tried logs too; the table says it once
    found = asyncio.run(checks.findings(read))
    faults = sum(one.level == "fault" for one in found)
    warnings = sum(one.level == "warning" for one in found)
    if arguments.json:
        sys.stdout.write(orjson.dumps({"ok": not faults, "findings": [asdict(one) for one in found]}).decode() + "\n")
    else:
        print(table(found))
        print(f"{faults} fault{'' if faults == 1 else 's'}, {warnings} warning{'' if warnings == 1 else 's'}")
    return ConfigurationError.exit_code if faults else 0


def table(found: Sequence[Finding]) -> str:
    """One finding after another in three columns, its remedy below it."""
    return "\n".join(line for one in found for line in _row(one))


def _row(one: Finding) -> Sequence[str]:
    says = textwrap.wrap(one.says, WIDTH - LEVEL - WHAT, break_on_hyphens=False)
    remedy = textwrap.wrap(f"-> {one.remedy}", WIDTH - LEVEL - WHAT, break_on_hyphens=False) if one.remedy else []
    what = [one.what[at : at + WIDTH - LEVEL] for at in range(0, len(one.what), WIDTH - LEVEL)]
    first = f"{one.level:<{LEVEL}}"
    blank = " " * LEVEL
    rest = [f"{blank}{'':<{WHAT}}{line}" for line in [*says, *remedy]]
    if len(one.what) < WHAT:
        return [f"{first}{one.what:<{WHAT}}{says[0]}", *rest[1:]]
    return [first + what[0], *(blank + more for more in what[1:]), *rest]
