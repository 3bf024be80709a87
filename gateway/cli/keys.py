"""`gateway keys`: make, list and revoke API keys. It uses the store directly, and starts it where nobody runs it."""

import argparse
import asyncio
import re
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

from gateway import store
from gateway.errors import ConfigurationError, Fault, NotFound, StoreUnavailable
from gateway.settings import Settings
from gateway.store import Listed, Store
from gateway.types import Key, Rate, Scope

WAIT = 10.0
"""Seconds for our own store to be there: it may have to be started, and to read its data."""
WAIT_FOR_OTHERS = 3.0
"""Seconds for the store of REDIS_URL, which runs or does not."""
WIDTH = 80
_UNITS = {"m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def add(parser: argparse.ArgumentParser) -> None:
    """Its verbs and their options."""
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    create = verbs.add_parser(
        "create",
        help="make a key; it alone is printed on standard output, once",
        description="Make a key. It alone is printed on standard output: KEY=$(gateway keys create)",
    )
    create.add_argument("--scope", choices=get_args(Scope), default="chat", help="what it opens (chat)")
    create.add_argument("--agent", default="", metavar="NAME", help="the only agent that it may ask; else all")
    create.add_argument("--name", default="", metavar="TEXT", help="what you call it")
    create.add_argument("--requests", type=_count, default=0, metavar="N", help="requests a minute; 0: any number")
    create.add_argument("--streams", type=_count, default=0, metavar="N", help="streams at once; 0: any number")
    create.add_argument("--expires", type=_duration, metavar="TIME", help="from now: 90m, 12h, 30d, 4w; else never")
    listing = verbs.add_parser("list", help="list the keys", description="List the keys, oldest first.")
    revoke = verbs.add_parser(
        "revoke",
        help="make a key worthless, everywhere at once",
        description="Make a key worthless, on every process within a second.",
    )
    revoke.add_argument("id", metavar="ID", help="the key's id, as `gateway keys list` shows it")
    for verb in (create, listing, revoke):
        verb.add_argument(
            "--config", metavar="FILE", type=Path, default=argparse.SUPPRESS, help="settings (TOML); or GATEWAY_CONFIG"
        )


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Do it. Raises ConfigurationError, StoreUnavailable, NotFound, InvalidValue."""
    return asyncio.run(_run(arguments, settings))


async def _run(arguments: argparse.Namespace, settings: Settings) -> int:
    if arguments.verb == "create":
        _checked(arguments, settings)
    async with store.opened(settings) as opened:
        if not await opened.reached(WAIT_FOR_OTHERS if settings.redis_url else WAIT):
            where = "that REDIS_URL names" if settings.redis_url else f"under {settings.var}"
            raise StoreUnavailable(f"the store {where} is not there; nothing was done")
        if arguments.verb == "create":
            await _create(arguments, opened)
        elif arguments.verb == "list":
            _print(await opened.keys.listed())
        else:
            await _revoke(arguments.id, opened)
    return 0


def _checked(arguments: argparse.Namespace, settings: Settings) -> None:
    """A key for an agent that does not exist opens nothing, and would be looked at for long."""
    if arguments.scope != "chat" and arguments.agent:
        problem = f"a key of scope {arguments.scope} is not for one agent; leave it off"
        raise ConfigurationError([Fault("--agent", 0, "", problem)])
    names = sorted(path.stem for path in settings.prompts.glob("*.md"))
    if arguments.agent and arguments.agent not in names:
        known = ", ".join(names) or "none"
        raise ConfigurationError([Fault("--agent", 0, "", f"no agent {arguments.agent!r}; there are: {known}")])


async def _create(arguments: argparse.Namespace, opened: Store) -> None:
    key, text = await opened.keys.create(
        scope=arguments.scope,
        name=arguments.name,
        agent=arguments.agent,
        rate=Rate(arguments.requests, arguments.streams),
        expires=time.time() + arguments.expires if arguments.expires else None,
    )
    print(text, flush=True)
    terms = [key.scope, *_bounds(key)]
    if key.expires:
        terms.append(f"until {datetime.fromtimestamp(key.expires, UTC):%Y-%m-%d %H:%M} UTC")
    print(f"Key {key.id}: {'; '.join(terms)}.", file=sys.stderr)
    print("It is not kept, and not shown again.", file=sys.stderr)


async def _revoke(id_: str, opened: Store) -> None:
    key = await opened.keys.revoke(id_)
    if key is None:
        raise NotFound(f"there is no key {id_[:40]!r}; `gateway keys list` shows them")
    print(f"{key.id} is revoked since {_day(key.revoked)}.")


def _print(keys: list[Listed]) -> None:
    if not keys:
        print("There are no keys; `gateway keys create` makes one.")
        return
    print(f"{'ID':<12}  {'SCOPE':<7}  {'STATE':<16}  {'LAST USED':<10}  NAME")
    now = time.time()
    for key, used in keys:
        line = f"{key.id:<12}  {key.scope:<7}  {_state(key, now):<16}  {_day(used):<10}  {key.name}".rstrip()
        print(line if len(line) <= WIDTH else f"{line[: WIDTH - 1]}…")
        if terms := _bounds(key):
            print(f"{'':<14}{'; '.join(terms)}"[:WIDTH])


def _state(key: Key, now: float) -> str:
    if key.revoked:
        return "revoked"
    if key.expires is None:
        return "good"
    return "expired" if key.expires <= now else f"until {_day(key.expires)}"


def _bounds(key: Key) -> list[str]:
    """What it is bound to, in words."""
    bounds = [f"agent {key.agent}"] if key.agent else []
    if key.rate.requests:
        bounds.append(f"{key.rate.requests} requests a minute")
    if key.rate.streams:
        bounds.append(f"{key.rate.streams} streams at once")
    return bounds


def _day(moment: float | None) -> str:
    return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d}" if moment else "never"


def _count(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,7}", text):
        raise argparse.ArgumentTypeError(f"must be a number from 0 to 9999999, not {text[:40]!r}")
    return int(text)


def _duration(text: str) -> int:
    """Seconds."""
    found = re.fullmatch(r"([1-9][0-9]{0,5})([mhdw])", text)
    if not found:
        raise argparse.ArgumentTypeError(f"must be a time such as 90m, 12h, 30d or 4w, not {text[:40]!r}")
    return int(found[1]) * _UNITS[found[2]]
