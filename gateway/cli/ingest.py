"""`gateway ingest`: bring knowledge/ into the index; list versions; roll one back."""

import argparse
import sys
from collections.abc import Iterable

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from gateway.errors import Fault, KnowledgeError
from gateway.retrieval import ingest, library
from gateway.settings import Settings


def add(parser: argparse.ArgumentParser) -> None:
    """Its arguments."""
    parser.add_argument("collections", metavar="COLLECTION", nargs="*", help="folders in knowledge/; none: all")
    instead = parser.add_mutually_exclusive_group()
    instead.add_argument(
        "--rollback",
        nargs="+",
        metavar=("COLLECTION", "VERSION"),
        help="serve the version before the current one, or VERSION",
    )
    instead.add_argument("--list", action="store_true", help="list the versions that are kept")


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Do it; 1 where anything is at fault."""
    if arguments.list:
        return _list(settings, arguments.collections)
    if arguments.rollback:
        return _rollback(settings, arguments.rollback)
    knowledge = settings.knowledge
    job = ingest.Job(
        str(knowledge.directory),
        str(settings.var),
        knowledge.passage_characters,
        tuple(arguments.collections),
        chroma_url=settings.chroma_url,
    )
    events = ingest.ingest(job)
    faults = _bars(events) if sys.stdout.isatty() else _lines(events)
    for fault in faults:
        print(fault, file=sys.stderr)
    return 1 if faults else 0


def _lines(events: Iterable[ingest.Event]) -> list[Fault]:
    faults = []
    for event in events:
        if isinstance(event, Fault):
            faults.append(event)
        elif not isinstance(event, ingest.Progress):
            print(_said(event), flush=True)
    return faults


def _bars(events: Iterable[ingest.Event]) -> list[Fault]:
    faults = []
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, transient=True) as progress:
        bars = {}
        for event in events:
            if isinstance(event, ingest.Progress):
                if event.collection not in bars:
                    bars[event.collection] = progress.add_task(event.collection, total=event.total)
                progress.update(bars[event.collection], completed=event.done)
            elif isinstance(event, Fault):
                faults.append(event)
            else:
                progress.console.print(_said(event), markup=False, highlight=False)
    return faults


def _said(event: ingest.Note | ingest.Done) -> str:
    if isinstance(event, ingest.Note):
        return event.text
    if not event.built:
        return f"{event.collection}: up to date ({event.files} files, {event.passages} passages, {event.version})"
    return (
        f"{event.collection}: {event.files} files, {event.passages} passages, {event.embedded} embedded, "
        f"{event.cached} from cache, {event.seconds:.1f} s: version {event.version}"
    )


def _rollback(settings: Settings, names: list[str]) -> int:
    if len(names) > 2:
        print("--rollback takes a collection and at most one version", file=sys.stderr)
        return 1
    with library.opened(settings.var, settings.chroma_url) as shelves:
        name = ingest.rollback(shelves.shelf(names[0]), *names[1:])
        soon = "within seconds" if shelves.shared else "at once"
    print(f"{names[0]}: version {name} is current; a running gateway serves it {soon}")
    return 0


def _list(settings: Settings, named: list[str]) -> int:
    with library.opened(settings.var, settings.chroma_url) as shelves:
        there = shelves.names()
        for collection in named or there:
            shelf = shelves.shelf(collection)
            sealed, current = shelf.sealed(), shelf.current()
            if not sealed:
                known = ", ".join(there) or "none"
                raise KnowledgeError(f"{collection}: there are no versions of it; there are: {known}")
            for name in sealed:
                mark = "*" if name == current else " "
                try:
                    version = shelf.version(name)
                    holds = f"{len(version.files)} files, {version.passages} passages"
                except KnowledgeError as error:
                    holds = error.message
                print(f"{mark} {collection} {name}: {holds}")
    return 0
