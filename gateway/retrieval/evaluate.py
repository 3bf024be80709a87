"""Golden questions: what must be found, and what an answer must say.

A file `{collection}.json` is an array of questions about one collection:

    {"id": "nachtzug-17", "agent": "emil", "turns": ["…", "…"], "sources": ["preise.md"],
     "facts": [["140 Euro", "hundertvierzig Euro"]], "unanswerable": false}

`turns` are the user's, the last one is the question. Each group of `facts` is one fact in its spellings. A
question that is `unanswerable` has neither sources nor facts: the knowledge does not hold its answer.
"""

import json
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gateway.errors import ConfigurationError, Fault
from gateway.types import Passage, Query, Retrieval, Retrieve, Retrieved

BUDGET_MS = 10_000
"""Evaluation asks what is found, not how fast."""


@dataclass(frozen=True, slots=True)
class Question:
    """A golden question."""

    id: str
    agent: str
    turns: tuple[str, ...]
    sources: tuple[str, ...] = ()
    facts: tuple[tuple[str, ...], ...] = ()
    unanswerable: bool = False

    @property
    def query(self) -> Query:
        """What is looked up for it."""
        return Query(self.turns[-1], self.turns[-2] if len(self.turns) > 1 else "")


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, what a search brought, and what was said to it."""

    collection: str
    question: Question
    retrieved: Retrieved
    answer: str = ""
    unknown: str = ""
    """The agent's line for what it does not know."""

    @property
    def right(self) -> bool:
        """Whether the answer states the facts; of what cannot be answered, whether it was declined."""
        if self.question.unanswerable:
            return declines(self.unknown, self.answer)
        return states(self.question.facts, self.answer)

    @property
    def rank(self) -> int:
        """The place, from 1, of the first passage that holds the answer; 0 where none does."""
        for rank, passage in enumerate(self.retrieved.passages, 1):
            if holds(self.question, passage):
                return rank
        return 0


def folded(text: str) -> str:
    """A text as it is compared: case, compatibility forms and runs of spaces do not matter."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def states(facts: Sequence[Sequence[str]], text: str) -> bool:
    """Whether a text says every fact, in any of its spellings. What has no facts cannot be stated."""
    said = folded(text)
    return bool(facts) and all(any(folded(spelling) in said for spelling in fact) for fact in facts)


def declines(unknown: str, text: str) -> bool:
    """Whether an answer is the agent's `unknown` line."""
    return bool(unknown) and folded(text) == folded(unknown)


def holds(question: Question, passage: Passage) -> bool:
    """Whether the passage is of a source that is named and says every fact."""
    return passage.source in question.sources and states(question.facts, passage.text)


def golden(directory: Path) -> dict[str, list[Question]]:
    """The questions of each collection. Raises ConfigurationError with every fault."""
    faults: list[Fault] = []
    found: dict[str, list[Question]] = {}
    paths = sorted(directory.glob("*.json")) if directory.is_dir() else []
    if not paths:
        raise ConfigurationError([Fault(str(directory), 0, "", "holds no golden questions (*.json)")])
    for path in paths:
        try:
            entries = json.loads(path.read_text("utf-8"))
        except (OSError, ValueError) as error:
            faults.append(Fault(str(path), getattr(error, "lineno", 0), "", f"is no JSON: {error}"))
            continue
        if not isinstance(entries, list):
            faults.append(Fault(str(path), 0, "", "must be an array of questions"))
            continue
        read = [_question(str(path), number, entry) for number, entry in enumerate(entries)]
        faults.extend(one for one in read if isinstance(one, Fault))
        found[path.stem] = [one for one in read if isinstance(one, Question)]
    if faults:
        raise ConfigurationError(faults)
    return found


def _question(where: str, number: int, entry: object) -> Question | Fault:
    field = f"[{number}]"
    if not isinstance(entry, dict):
        return Fault(where, 0, field, "must be an object")
    unknown = set(entry) - {"id", "agent", "turns", "sources", "facts", "unanswerable"}
    turns, sources, facts = entry.get("turns"), entry.get("sources", []), entry.get("facts", [])
    unanswerable = entry.get("unanswerable", False)
    wrong = ""
    if unknown:
        wrong = f"has unknown keys: {', '.join(sorted(unknown))}"
    elif not isinstance(entry.get("id"), str) or not isinstance(entry.get("agent"), str):
        wrong = "`id` and `agent` must be strings"
    elif not _strings(turns) or not turns:
        wrong = "`turns` must be an array of strings, the question last"
    elif not _strings(sources) or not isinstance(facts, list) or not all(map(_strings, facts)):
        wrong = "`sources` must be an array of strings and `facts` an array of such arrays"
    elif not isinstance(unanswerable, bool) or unanswerable == bool(sources and facts):
        wrong = "needs `sources` and `facts`, or `unanswerable`: true and neither of them"
    if wrong:
        return Fault(where, 0, field, wrong)
    groups = tuple(tuple(group) for group in facts)
    return Question(entry["id"], entry["agent"], tuple(turns or ()), tuple(sources), groups, unanswerable)


def _strings(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) and one.strip() for one in value)


async def ask(retrieve: Retrieve, collection: str, questions: Sequence[Question], count: int) -> list[Asked]:
    """Look each question up, one after the other, as a conversation would."""
    some = Retrieval(top_k=count, budget_ms=BUDGET_MS)
    return [Asked(collection, one, await retrieve([collection], one.query, some)) for one in questions]


def recall(asked: Sequence[Asked], count: int) -> float:
    """Share of the answerable questions whose answer is in one of the first `count` passages that were found."""
    answerable = [one for one in asked if not one.question.unanswerable]
    return sum(0 < one.rank <= count for one in answerable) / len(answerable) if answerable else 1.0
