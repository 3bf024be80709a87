"""`gateway eval`: ask the golden questions of each collection and count what was found."""

import argparse
import asyncio
import json
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from gateway.retrieval import evaluate, retriever
from gateway.retrieval.evaluate import Asked
from gateway.settings import Settings


def add(parser: argparse.ArgumentParser) -> None:
    """Its arguments."""
    parser.add_argument(
        "--golden",
        metavar="DIR",
        type=Path,
        default=Path("tests/golden"),
        help="the questions (tests/golden)",
    )
    parser.add_argument("-k", metavar="N", type=int, default=4, help="passages that count as found (4)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Print recall for each collection, and what was not found."""
    golden = evaluate.golden(arguments.golden)
    asked, missing = asyncio.run(_asked(golden, settings, arguments.k))
    if arguments.json:
        print(json.dumps(_summary(asked, arguments.k), ensure_ascii=False, indent=1))
    else:
        _show(asked, arguments.k)
    for name in missing:
        print(f"missing: {name}: run `gateway ingest`", file=sys.stderr)
    return 1 if missing else 0


async def _asked(
    golden: dict[str, list[evaluate.Question]], settings: Settings, count: int
) -> tuple[list[Asked], list[str]]:
    async with retriever.opened(settings, golden) as opened:
        found = []
        for collection, questions in golden.items():
            found += await evaluate.ask(opened.retrieve, collection, questions, count)
        return found, list(opened.missing)


def _by_collection(asked: list[Asked]) -> dict[str, list[Asked]]:
    groups: dict[str, list[Asked]] = {}
    for one in asked:
        groups.setdefault(one.collection, []).append(one)
    return {**groups, "all": asked} if len(groups) > 1 else groups


def _summary(asked: list[Asked], count: int) -> dict[str, object]:
    return {
        "k": count,
        "recall": {name: round(evaluate.recall(group), 4) for name, group in _by_collection(asked).items()},
        "questions": [
            {
                "id": one.question.id,
                "rank": one.rank,
                "unanswerable": one.question.unanswerable,
                "outcome": one.retrieved.outcome,
                "passages": [[p.id, p.similarity] for p in one.retrieved.passages],
            }
            for one in asked
        ],
    }


def _show(asked: list[Asked], count: int) -> None:
    console = Console()
    table = Table("collection", "questions", "answerable", "follow-ups", "recall@1", f"recall@{count}")
    for name, group in _by_collection(asked).items():
        answerable = [one for one in group if not one.question.unanswerable]
        follow_ups = [one for one in answerable if len(one.question.turns) > 1]
        first = sum(one.rank == 1 for one in answerable) / len(answerable) if answerable else 1.0
        figures = (f"{first:.2f}", f"{evaluate.recall(group):.2f}")
        table.add_row(name, str(len(group)), str(len(answerable)), str(len(follow_ups)), *figures)
    console.print(table)
    for one in asked:
        if not one.question.unanswerable and not one.rank:
            console.print(f"not found: {one.question.id}: {' / '.join(one.question.turns)}", markup=False)
            console.print(f"  wanted {', '.join(one.question.sources)}; found:", markup=False)
            for passage in one.retrieved.passages:
                console.print(f"    {passage.id} ({passage.title})", markup=False)
