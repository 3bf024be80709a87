"""deploy/faults.md: made of the names and docstrings of the tests, so that it says what is proven and nothing else."""

import ast
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from tests.faults import FAMILIES, LATER, TITLES

NAMED = re.compile(r"^test_((?:[a-z]\d\d_)+)")
HEAD = """# What happens when something fails

Each row is proven by tests, on real sockets, whose own sentences stand in the last column; `make test` and `make e2e`
run them, and `python -m tests.faults` makes this page of their names and sentences.

In a route of several targets another target answers where one fails before its first word. An agent speaks its apology
where nobody can (`on_failure = "speak"`); a bare route answers with the status, or with an error event where it has
begun (`"error"`).
"""
NOT_YET = "not proven yet"


class Proof(NamedTuple):
    """A test that names rows."""

    rows: tuple[str, ...]
    says: str
    """The first paragraph of its docstring."""
    test: str
    """`tests/faults/test_upstream.py::test_u01_…`"""


def proofs(root: Path) -> list[Proof]:
    """Every test below `root`/tests whose name begins with ids of rows, by file. Nothing is imported."""
    found: list[Proof] = []
    for path in sorted((root / "tests").rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (named := NAMED.match(node.name)):
                rows = tuple(named[1].upper().strip("_").split("_"))
                says = " ".join((ast.get_docstring(node) or "").split("\n\n")[0].split())
                found.append(Proof(rows, says, f"{path.relative_to(root)}::{node.name}"))
    return found


def problems(found: Sequence[Proof]) -> Iterator[str]:
    """Rows that no test proves, ids that no row has, tests that say nothing."""
    proven = {row for proof in found for row in proof.rows}
    for row in TITLES:
        if row not in proven:
            yield f"{row} has no test: {TITLES[row]}"
    for proof in found:
        if unknown := [row for row in proof.rows if row not in TITLES and row not in LATER]:
            yield f"{proof.test} names {', '.join(unknown)}, which is no row"
        if not proof.says:
            yield f"{proof.test} says nothing"


def page(found: Sequence[Proof]) -> str:
    """The page as Markdown."""
    lines = [HEAD]
    for letter, family in FAMILIES.items():
        lines += [f"## {family}\n", "| | what is done | what the caller sees |", "|---|---|---|"]
        for row, title in TITLES.items():
            if row.startswith(letter):
                says = _joined(proof.says for proof in found if row in proof.rows)
                lines.append(f"| {row} | {_cell(title)} | {_cell(says or NOT_YET)} |")
        lines.append("")
    lines += ["## Where each is proven\n", "```", *_places(found), "```", ""]
    lines += ["## What waits\n", *_waiting({row for proof in found for row in proof.rows})]
    return "\n".join(lines) + "\n"


def _joined(sentences: Iterable[str]) -> str:
    """Several tests' sentences, each once."""
    return " ".join(dict.fromkeys(sentence if sentence.endswith(".") else f"{sentence}." for sentence in sentences))


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _places(found: Sequence[Proof]) -> Iterator[str]:
    """The tests, under their files."""
    files: dict[str, list[str]] = {}
    for proof in found:
        file, _, name = proof.test.partition("::")
        files.setdefault(file, []).append(name)
    for file, names in files.items():
        yield file
        yield from (f"    {name}" for name in names)


def _waiting(proven: set[str]) -> Iterator[str]:
    """What later work is about, and its rows."""
    yield "Rows of the same lists for which there is nothing yet that could fail:\n"
    topics: Mapping[str, list[str]] = {topic: [] for topic in LATER.values()}
    for row, topic in LATER.items():
        if row not in proven:
            topics[topic].append(row)
    for topic, rows in topics.items():
        if rows:
            yield f"- {topic}: {', '.join(rows)}"
