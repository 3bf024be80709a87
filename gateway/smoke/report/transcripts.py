"""What each side wrote down, line beside line: which line of one is which of another, and where they disagree."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple, TypeAlias

from gateway.audio.agreement import normal
from gateway.smoke.report.words import Run, compared, keys, plain
from gateway.types.smoke import SmokeLine

Agreement: TypeAlias = Literal["first", "agrees", "shorter", "differs", "missing", "unasked"]
"""Compared with the first of its row that wrote the line down: it is that one; the same words; the beginning of them
(or more of them), of an answer that was broken off; other words; nothing was written down;
nothing was, of a first message: Simli speaks it, and asks nobody for it."""
WRITERS: dict[str, str] = {
    "sandbox": "The sandbox",
    "simli": "Simli",
    "gateway": "The gateway",
    "recogniser": "What was heard",
}
"""From who knows best what was said to who can mishear it."""
ALIKE = 0.2
"""How much of two lines has to be the same for them to be the same line."""
MOST = 400
"""Lines of a transcript that are laid along another's."""


class Cell(NamedTuple):
    """A line in one transcript."""

    runs: tuple[Run, ...]
    agreement: Agreement


class Row(NamedTuple):
    """A line in all of them."""

    role: Literal["user", "assistant"]
    cells: tuple[Cell, ...]


class Transcripts(NamedTuple):
    """All of them."""

    writers: tuple[str, ...]
    rows: tuple[Row, ...]

    @property
    def complete(self) -> int:
        """Lines that all have."""
        return sum(all(cell.agreement != "missing" for cell in row.cells) for row in self.rows)

    @property
    def alike(self) -> int:
        """Lines that all have, word for word or as far as they were spoken."""
        bad = ("differs", "missing")
        return sum(all(cell.agreement not in bad for cell in row.cells) for row in self.rows)


def transcripts(said: Mapping[str, Sequence[SmokeLine]], broken_off: Iterable[str] = ()) -> Transcripts:
    """Lay them along one another; who wrote down what nobody else did has a row of its own.

    `broken_off`: the answers of which nobody heard the end, so that a part of them is no disagreement.
    """
    cut = [normal(answer) for answer in broken_off]
    rows: list[dict[str, SmokeLine]] = []
    writers = (*(writer for writer in WRITERS if writer in said), *(writer for writer in said if writer not in WRITERS))
    for writer in writers:
        rows = _joined(rows, writer, said[writer][:MOST])
    shown = tuple(WRITERS.get(writer, writer) for writer in writers)
    found = [_row(row, writers, cut) for row in rows]
    first = next((number for number, row in enumerate(found) if row.role == "user"), 0)
    return Transcripts(
        shown, tuple(_unasked(row, writers) if number < first else row for number, row in enumerate(found))
    )


def _joined(rows: list[dict[str, SmokeLine]], writer: str, lines: Sequence[SmokeLine]) -> list[dict[str, SmokeLine]]:
    """The rows with one more transcript: the pairing that has most in common, in order."""
    if not rows:
        return [{writer: line} for line in lines]
    firsts = [next(iter(row.values())) for row in rows]
    words = [set(keys(line.text)) for line in firsts], [set(keys(line.text)) for line in lines]
    alike = [
        [_alike(a.role == b.role, words[0][i], words[1][j]) for j, b in enumerate(lines)] for i, a in enumerate(firsts)
    ]
    best = [[0.0] * (len(lines) + 1) for _ in range(len(rows) + 1)]
    for i in reversed(range(len(rows))):
        for j in reversed(range(len(lines))):
            paired = best[i + 1][j + 1] + alike[i][j] if alike[i][j] else 0.0
            best[i][j] = max(best[i + 1][j], best[i][j + 1], paired)
    found, i, j = [], 0, 0
    while i < len(rows) or j < len(lines):
        here = i < len(rows) and j < len(lines)
        if here and alike[i][j] and best[i][j] == best[i + 1][j + 1] + alike[i][j]:
            found.append({**rows[i], writer: lines[j]})
            i, j = i + 1, j + 1
        elif j == len(lines) or (i < len(rows) and best[i][j] == best[i + 1][j]):
            found.append(rows[i])
            i += 1
        else:
            found.append({writer: lines[j]})
            j += 1
    return found


def _alike(same_role: bool, one: set[str], other: set[str]) -> float:
    """From nothing in common to word for word; a line that was broken off is alike to the whole."""
    if not same_role or bool(one) != bool(other):
        return 0.0
    if not one:
        return 0.05  # nothing but marks, on either side
    share = len(one & other) / min(len(one), len(other))
    return share + 0.01 if share >= ALIKE else 0.0


def _row(row: Mapping[str, SmokeLine], writers: Sequence[str], cut: Sequence[list[str]]) -> Row:
    first = next(iter(row.values()))
    by = next(writer for writer in writers if writer in row)
    return Row(first.role, tuple(_cell(row.get(writer), first, writer == by, cut) for writer in writers))


def _unasked(row: Row, writers: Sequence[str]) -> Row:
    """A line before the first question, which the gateway is not asked for."""
    cells = zip(writers, row.cells, strict=True)
    return Row(row.role, tuple(Cell((), "unasked") if by == "gateway" and not one.runs else one for by, one in cells))


def _cell(line: SmokeLine | None, first: SmokeLine, is_first: bool, cut: Sequence[list[str]]) -> Cell:
    if line is None:
        return Cell((), "missing")
    if is_first:
        return Cell(plain(line.text), "first")
    one, other = normal(first.text), normal(line.text)
    shorter = min(one, other, key=len)
    if one == other:
        return Cell(plain(line.text), "agrees")
    both = one[: len(shorter)] == other[: len(shorter)]
    if shorter and both and any(whole[: len(shorter)] == shorter for whole in cut):
        return Cell(plain(line.text), "shorter")
    return Cell(compared(first.text, line.text).heard, "differs")
