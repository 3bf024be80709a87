"""What `gateway agents` does at Simli: plan, apply, list, adopt, delete, and rotate as far as Simli is told."""

import argparse
import asyncio
import logging
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import orjson

from gateway import agent_files, desk
from gateway.cli import agents_shown, plan_lines
from gateway.cli.nobody import sandbox_there
from gateway.errors import ConfigurationError, SimliError, StoreUnavailable
from gateway.orchestration.agency import Agency
from gateway.settings import Settings
from gateway.store import Store, opened
from gateway.types.orchestration import Applied

CHANGES = 2
"""Exit status of a plan that is not empty: that of `terraform plan -detailed-exitcode`."""
LOST = "The store cannot be reached, so nobody knows the URLs of now; nothing was done at Simli."


async def planned(arguments: argparse.Namespace, settings: Settings) -> int:
    """Say what is to be done."""
    async with _agency(settings) as agency:
        plan = await agency.plan(arguments.prune)
    if arguments.json:
        _json(plan)
    else:
        plan_lines.show(plan_lines.of_plan(plan, settings.simli_url))
    if plan.faults:
        return ConfigurationError.exit_code
    return CHANGES if plan.changed else 0


async def applied(arguments: argparse.Namespace, settings: Settings) -> int:
    """Do it, a line as soon as each thing is done."""
    async with _agency(settings) as agency:
        if arguments.json:
            done = await agency.apply(arguments.prune)
            _json(done)
        else:
            done = await agency.apply(arguments.prune, done=lambda change: plan_lines.show(plan_lines.of_done(change)))
            plan_lines.show([plan_lines.sum_of(done)])
    return _ended(done)


async def listed(arguments: argparse.Namespace, settings: Settings) -> int:
    """Our agents at Simli, or all."""
    async with _agency(settings) as agency:
        found = await agency.listed()
    rows = [each for each in found if arguments.all or each.state != "foreign"]
    if arguments.json:
        _json([each._asdict() for each in rows])
    else:
        plan_lines.show(plan_lines.of_list(rows, len(found) - len(rows)))
    return 0


async def adopted(arguments: argparse.Namespace, settings: Settings) -> int:
    """Take one over."""
    async with _agency(settings) as agency:
        done = await agency.adopt(arguments.id, arguments.name)
    print(f"Simli's agent {done.id} is {done.agent} from now on:", done.file, sep="\n  ")
    return 0


async def deleted(arguments: argparse.Namespace, settings: Settings) -> int:
    """Delete one at Simli."""
    async with _agency(settings) as agency:
        change = await agency.delete(arguments.name)
    plan_lines.show(plan_lines.of_done(change))
    if (settings.prompts / f"{arguments.name}.md").exists():
        print("Its file stays; `gateway agents apply` makes it again.")
    return 0


async def rotated(arguments: argparse.Namespace, settings: Settings) -> int:
    """Renew its capability. The new URL alone is on standard output."""
    if arguments.apply:
        await sandbox_there(settings)
    async with opened(settings) as store:
        if not await store.reached(agents_shown.WAIT):
            raise StoreUnavailable("The store cannot be reached, so nothing was renewed.")
        await store.generations.rotate(arguments.name)
        print(agents_shown.base(settings) + agents_shown.path_of(settings, store, arguments.name), flush=True)
        if not arguments.apply:
            if agents_shown.known(settings, arguments.name).face_id:
                print("An agent at Simli has the old one until `gateway agents apply`.", file=sys.stderr)
            return 0
        done = await _of(settings, store).refresh({arguments.name})
    told = "Simli has the new one." if done.changes else "Simli has no agent of it; `gateway agents apply` makes one."
    if not done.error:
        print(told, file=sys.stderr)
    return _ended(done)


VERBS: Mapping[str, Callable[[argparse.Namespace, Settings], Coroutine[Any, Any, int]]] = {
    "plan": planned,
    "apply": applied,
    "list": listed,
    "adopt": adopted,
    "delete": deleted,
    "rotate": rotated,
}
_KINDS: Sequence[type[SimliError]] = (SimliError, *SimliError.__subclasses__())
_STATUS = {kind.code: kind.exit_code for kind in _KINDS}


def _ended(done: Applied) -> int:
    """The exit status, and what stopped it."""
    if not done.error:
        return 0
    left = f"{len(done.changes)} done, {done.left} left; run it again when that is mended"
    print(f"gateway: {done.error}\ngateway: stopped: {left}", file=sys.stderr)
    return _STATUS.get(done.code, SimliError.exit_code)


def _json(value: Any) -> None:
    sys.stdout.write(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode() + "\n")


@asynccontextmanager
async def _agency(settings: Settings) -> AsyncIterator[Agency]:
    await sandbox_there(settings)
    async with opened(settings) as store:
        if not await store.reached(agents_shown.WAIT):
            raise StoreUnavailable(LOST)
        yield _of(settings, store)


def _of(settings: Settings, store: Store) -> Agency:
    logging.getLogger("gateway.orchestration").setLevel(logging.ERROR)  # what it logs is what is printed here
    return desk.agency(settings, store, partial(asyncio.to_thread, agent_files.read, settings))
