"""`gateway sessions`: start, link, list, show, end, transcript. It uses the store directly, as `gateway keys` does.

What a script wants is alone on standard output: the room of a start, the address of a link, the lines of a transcript.
"""

import argparse
import asyncio
import sys
import webbrowser
from pathlib import Path

from gateway import clients, store
from gateway.cli import sessions_shown as shown
from gateway.errors import StoreUnavailable
from gateway.launching import launchpad
from gateway.orchestration.sessions import sessions_desk
from gateway.orchestration.transcripts import PENDING
from gateway.settings import Settings
from gateway.types.orchestration import Launched, SessionsDesk, Transcript

WAIT = 10.0
"""Seconds for our own store to be there: it may have to be started, and to read its data."""
WAIT_FOR_OTHERS = 3.0
"""Seconds for the store of REDIS_URL, which runs or does not."""
ASKED_EVERY = 2.0
"""Seconds between two looks for a transcript that is waited for."""
EX_TEMPFAIL = 75
"""A transcript that is pending: the same command may say more later."""


def add(parser: argparse.ArgumentParser) -> None:
    """Its verbs and their options."""
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    forms: dict[str, argparse._MutuallyExclusiveGroup] = {}

    def verb(name: str, purpose: str, description: str = "") -> argparse.ArgumentParser:
        made = verbs.add_parser(name, help=purpose, description=description or f"{purpose[0].upper()}{purpose[1:]}.")
        made.add_argument(
            "--config", metavar="FILE", type=Path, default=argparse.SUPPRESS, help="settings (TOML); or GATEWAY_CONFIG"
        )
        forms[name] = made.add_mutually_exclusive_group()
        forms[name].add_argument("--json", action="store_true", help="print all of it as JSON")
        return made

    start = verb(
        "start",
        "start a session with an agent; it is billed from then on",
        "Start a session. Its room alone is printed on standard output: ROOM=$(gateway sessions start nora)",
    )
    start.add_argument("agent", metavar="AGENT")
    start.add_argument("--by-agent", action="store_true", help="with the agent that `agents apply` made at Simli")
    start.add_argument("--open", action="store_true", help="open the room in the browser")
    link = verb(
        "link",
        "make an address by which a browser starts a session",
        "Make an address by which a page starts a session with a GET. It holds a token, and starts nothing by itself.",
    )
    link.add_argument("agent", metavar="AGENT")
    link.add_argument(
        "--origin", action="append", default=[], metavar="URL", help="whose pages may use it; else those of its file"
    )
    verb("list", "list the sessions", "List the sessions, newest first.")
    for name, purpose in (
        ("show", "say what is known of a session"),
        ("end", "take a session's key away, and say what Simli still bills"),
        ("transcript", "print what was said in a session"),
    ):
        made = verb(name, purpose)
        made.add_argument("id", metavar="ID", help="as `gateway sessions list` shows it")
    forms["transcript"].add_argument("--text", action="store_true", help="print it as text, which is the default")
    made.add_argument("--wait", action="store_true", help="until Simli has it, or ten minutes after the end")


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Do it. Raises ConfigurationError, StoreUnavailable, NotFound, Conflict, SimliError, NotReachable."""
    return asyncio.run(_run(arguments, settings))


async def _run(arguments: argparse.Namespace, settings: Settings) -> int:
    agents = clients.agents(settings) if arguments.verb in ("start", "link") else {}
    async with store.opened(settings) as opened:
        if not await opened.reached(WAIT_FOR_OTHERS if settings.redis_url else WAIT):
            where = "that REDIS_URL names" if settings.redis_url else f"under {settings.var}"
            raise StoreUnavailable(f"the store {where} is not there; nothing was done")
        desk = sessions_desk(launchpad(settings, opened, lambda: agents))
        return await _done(arguments, desk)


async def _done(arguments: argparse.Namespace, desk: SessionsDesk) -> int:
    if arguments.verb == "start":
        _launched(await desk.start(arguments.agent, arguments.by_agent), arguments)
    elif arguments.verb == "link":
        _launched(await desk.link(arguments.agent, arguments.origin), arguments)
    elif arguments.verb == "list":
        found = await desk.listed()
        print(shown.as_json(found) if arguments.json else shown.table(found))
    elif arguments.verb == "show":
        session = await desk.shown(arguments.id)
        print(shown.as_json(session) if arguments.json else shown.described(session))
    elif arguments.verb == "end":
        ended = await desk.end(arguments.id)
        print(shown.as_json(ended) if arguments.json else shown.wrapped(f"{ended.session.id}: {ended.says}"))
    else:
        return await _written_down(arguments, desk)
    return 0


def _launched(launched: Launched, arguments: argparse.Namespace) -> None:
    if arguments.json:
        print(shown.as_json(launched), flush=True)
    else:
        print(launched.room_url or launched.start_url, flush=True)
        print(shown.launched(launched), file=sys.stderr)
    for warning in launched.warnings:
        print(shown.wrapped(f"warning: {warning}"), file=sys.stderr)
    if getattr(arguments, "open", False) and not webbrowser.open(launched.room_url):
        print("No browser was found on this machine; open the address above.", file=sys.stderr)


async def _written_down(arguments: argparse.Namespace, desk: SessionsDesk) -> int:
    session = await desk.shown(arguments.id)
    found = await desk.transcript(session.id)
    if arguments.wait and found.state == "pending":
        print(shown.wrapped(f"{found.says} Waiting; Ctrl-C ends the wait."), file=sys.stderr)
        found = await _waited(desk, session.id, session.expires + PENDING)
    if arguments.json or found.lines:
        print(shown.as_json(found) if arguments.json else shown.lines(found, session.agent))
    silent = found.state == "ready" and found.source != "none" and not found.lines
    print(shown.wrapped(f"{found.says} Nothing was said." if silent else found.says), file=sys.stderr)
    return EX_TEMPFAIL if found.state == "pending" else 0


async def _waited(desk: SessionsDesk, id_: str, until: float) -> Transcript:
    """The transcript once it is no longer pending; at the latest, the one of that moment."""
    while True:
        found = await desk.transcript(id_)
        if found.state == "ready" or shown.now() > until:
            return found
        await asyncio.sleep(ASKED_EVERY)
