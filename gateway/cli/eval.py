"""`gateway eval`: ask the golden questions of each collection and count what was found and said.

What is said is the embedded answerer's, with no other model: what it quotes is what `make run` speaks.
"""

import argparse
import asyncio
import json
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.table import Table

from gateway import clients
from gateway.chat.query import reply
from gateway.errors import ConfigurationError, Fault
from gateway.retrieval import evaluate, retriever
from gateway.retrieval.evaluate import Asked
from gateway.settings import Settings
from gateway.types import Agent, Ask, Prompt
from gateway.upstream.extractive import extractive


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
    """Print what was found, stated and declined for each collection, and what was not found."""
    golden = evaluate.golden(arguments.golden)
    agents = clients.agents(settings)
    named = {one.agent for questions in golden.values() for one in questions}
    if unknown := sorted(named - agents.keys()):
        raise ConfigurationError([Fault(str(arguments.golden), 0, "agent", f"no agent {name!r}") for name in unknown])
    asked, missing = asyncio.run(_asked(golden, settings, agents, arguments.k))
    if arguments.json:
        print(json.dumps(_summary(asked, arguments.k), ensure_ascii=False, indent=1))
    else:
        _show(asked, arguments.k)
    for name in missing:
        remedy = "see that the server of CHROMA_URL runs" if name == "chroma" else "run `gateway ingest`"
        print(f"missing: {name}: {remedy}", file=sys.stderr)
    return 1 if missing else 0


async def _asked(
    golden: Mapping[str, list[evaluate.Question]], settings: Settings, agents: Mapping[str, Agent], count: int
) -> tuple[list[Asked], list[str]]:
    answerer = extractive(reply, pause=0)
    async with retriever.opened(settings, golden) as opened:
        found: list[Asked] = []
        for collection, questions in golden.items():
            # An agent answers from as many passages as it always does; recall counts the first `count` of them.
            wanted = max([count, *(agents[one.agent].retrieval.top_k for one in questions)])
            found += await evaluate.ask(opened.retrieve, collection, questions, wanted)
        return [await _answered(answerer, one, agents[one.question.agent]) for one in found], list(opened.missing)


async def _answered(answerer: Ask, asked: Asked, agent: Agent) -> Asked:
    query = asked.question.query
    passages = asked.retrieved.passages[: agent.retrieval.top_k]
    prompt = Prompt((), agent=agent, question=query.question, context=query.context, passages=passages)
    answer = "".join([chunk.text async for chunk in answerer(prompt)])
    return replace(asked, answer=answer, unknown=agent.unknown)


def _by_collection(asked: list[Asked]) -> dict[str, list[Asked]]:
    groups: dict[str, list[Asked]] = {}
    for one in asked:
        groups.setdefault(one.collection, []).append(one)
    return {**groups, "all": asked} if len(groups) > 1 else groups


def _right(asked: list[Asked], *, unanswerable: bool) -> tuple[int, int]:
    """How many were answered (or declined) rightly, of how many."""
    some = [one for one in asked if one.question.unanswerable == unanswerable]
    return sum(one.right for one in some), len(some)


def _summary(asked: list[Asked], count: int) -> dict[str, object]:
    groups = _by_collection(asked)
    return {
        "k": count,
        "recall": {name: round(evaluate.recall(group, count), 4) for name, group in groups.items()},
        "stated": {name: _right(group, unanswerable=False) for name, group in groups.items()},
        "declined": {name: _right(group, unanswerable=True) for name, group in groups.items()},
        "questions": [
            {
                "id": one.question.id,
                "rank": one.rank,
                "unanswerable": one.question.unanswerable,
                "outcome": one.retrieved.outcome,
                "passages": [[p.id, p.similarity] for p in one.retrieved.passages],
                "answer": one.answer,
                "right": one.right,
            }
            for one in asked
        ],
    }


def _show(asked: list[Asked], count: int) -> None:
    console = Console()
    table = Table("collection", "asked", "follow-ups", "recall@1", f"recall@{count}", "stated", "declined")
    for name, group in _by_collection(asked).items():
        answerable = [one for one in group if not one.question.unanswerable]
        follow_ups = sum(len(one.question.turns) > 1 for one in answerable)
        first = sum(one.rank == 1 for one in answerable) / len(answerable) if answerable else 1.0
        shares = (f"{first:.2f}", f"{evaluate.recall(group, count):.2f}")
        said = ("{} of {}".format(*_right(group, unanswerable=lack)) for lack in (False, True))
        table.add_row(name, str(len(group)), str(follow_ups), *shares, *said)
    console.print(table)
    for one in asked:
        if not one.question.unanswerable and not 0 < one.rank <= count:
            console.print(f"not found: {one.question.id}: {' / '.join(one.question.turns)}", markup=False)
            console.print(f"  wanted {', '.join(one.question.sources)}; found:", markup=False)
            for passage in one.retrieved.passages:
                console.print(f"    {passage.id} ({passage.title})", markup=False)
