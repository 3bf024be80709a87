"""`gateway agents`: what an agent's file says, the URL that opens it, and its counterpart at Simli."""

import argparse
import asyncio
from pathlib import Path

from gateway.cli import agents_at_simli, agents_shown
from gateway.settings import Settings

PLANNED = (
    "Say what `apply` would do at Simli, field by field; what somebody changed there by hand is in it. "
    "Exit status: 0 nothing to do, 2 changes, 78 files or settings at fault."
)
APPLIED = (
    "Make the agents at Simli what the files say. May be cut short and run again at any moment: nothing is made twice. "
    "Agents that are not this gateway's stay as they are."
)
ADOPTED = (
    "Write an agent file of an agent that somebody made in Simli's dashboard, its prompt as the persona, and serve "
    "the agent from here."
)
DELETED = "Delete an agent of this gateway's at Simli. Its file stays, and the next `apply` makes the agent again."
RENEWED = "Give an agent a new URL; the old one opens nothing from then on, on every worker."


def add(parser: argparse.ArgumentParser) -> None:
    """The command's own verbs."""
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    plan = verbs.add_parser("plan", help="what apply would do at Simli; exit status 2: something", description=PLANNED)
    apply = verbs.add_parser("apply", help="make the agents at Simli what the files say", description=APPLIED)
    for verb in (plan, apply):
        verb.add_argument("--prune", action="store_true", help="delete agents of ours that no file asks for")
    listing = verbs.add_parser("list", help="our agents at Simli, and whether they are as their files say")
    listing.add_argument("--all", action="store_true", help="those that are not ours too")
    for verb in (plan, apply, listing):
        verb.add_argument("--json", action="store_true", help="for machines")
    show = verbs.add_parser("show", help="what its file says, and its URL", description="What an agent's file says.")
    show.add_argument("--url", action="store_true", help="the whole URL, with the capability: whoever has it may chat")
    adopt = verbs.add_parser("adopt", help="make a file of an agent at Simli, and take it over", description=ADOPTED)
    adopt.add_argument("id", metavar="ID", help="Simli's id of it; `gateway agents list --all` shows them")
    adopt.add_argument("--name", default="", metavar="NAME", help="of the file; else made of the name at Simli")
    delete = verbs.add_parser("delete", help="delete it at Simli; the file stays", description=DELETED)
    rotate = verbs.add_parser(
        "rotate", help="give it a new URL; the old one opens nothing any more", description=RENEWED
    )
    rotate.add_argument("--apply", action="store_true", help="tell Simli at once")
    for verb in (show, delete, rotate):
        verb.add_argument("name", metavar="NAME")
    for verb in (plan, apply, listing, show, adopt, delete, rotate):
        verb.add_argument(
            "--config", metavar="FILE", type=Path, default=argparse.SUPPRESS, help="settings (TOML); or GATEWAY_CONFIG"
        )


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Do it. Raises ConfigurationError for an agent that is none, StoreUnavailable, SimliError, NotFound, Conflict."""
    if arguments.verb in {"show", "rotate"}:
        agents_shown.known(settings, arguments.name)
    if arguments.verb == "show":
        return agents_shown.shown(settings, arguments.name, url=arguments.url)
    return asyncio.run(agents_at_simli.VERBS[arguments.verb](arguments, settings))
