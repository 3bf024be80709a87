"""Tables, heard: a sentence a row, three rows at most, and an offer of the rest."""

import re
from collections.abc import Sequence

from gateway.chat.speech.phrases import Phrases

ROWS = 3
_RULE = re.compile(r":?-+:?")


class Table:
    """Takes rows, gives sentences."""

    def __init__(self, phrases: Phrases) -> None:
        self._phrases = phrases
        self._head: Sequence[str] = ()
        self._ruled = False
        self._rows = 0

    def row(self, cells: Sequence[str]) -> str:
        """The sentence of a row; empty where there is nothing to say yet."""
        if all(_RULE.fullmatch(cell) for cell in cells if cell) and any(cells):
            self._ruled = True
            return ""
        if not self._rows and not self._head and not self._ruled:
            self._head = cells
            return ""
        said = ""
        if self._head and not self._ruled:
            said, self._head = self._sentence(self._head, ()) + " ", ()
            self._rows += 1
        self._rows += 1
        return (said + self._sentence(cells, self._head) if self._rows <= ROWS else said).strip()

    def end(self) -> str:
        """What is left to say: rows that are left out, or a row that was alone."""
        if self._rows > ROWS:
            return self._phrases.rows.format(n=self._rows - ROWS)
        return "" if self._rows else self._sentence(self._head, ())

    def _sentence(self, cells: Sequence[str], head: Sequence[str]) -> str:
        first, *rest = [cell.rstrip(".,;: ") for cell in cells] or [""]
        names = [*head[1:], *[""] * len(rest)] if head else [""] * len(rest)
        named = [f"{name} {cell}".strip() for name, cell in zip(names, rest, strict=False) if cell]
        if not named:
            return first and first + self._phrases.stop.strip()
        joined = self._phrases.comma.join(named)
        lead = f"{first}: " if first and head else f"{first}{self._phrases.comma}" if first else ""
        return lead + joined + self._phrases.stop.strip()
