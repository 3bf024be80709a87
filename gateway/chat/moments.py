"""The moments of an answer as it goes out that a person hears: its first word, its first clause, its longest silence.

A chunk costs a reading of the clock and a comparison, and until the first clause is whole a look for its end in a few
characters.
"""

import re
from collections.abc import Callable

import regex

from gateway.types import Turn

LEAST = 12
"""Characters before a comma that make a clause: what is shorter is waited with by voices, for it sounds cut off."""
_BEHIND = 12
_CLOSING = r"[\"'\u2019\u201d\u00bb)\]]*"
_ENDS = regex.compile(
    rf"(?:(?<!\b(?:Mr|Mrs|Ms|Dr|Prof|St|vs|e\.g|i\.e|\p{{Lu}}))\.|[!?\u2026:;\u061f\u06d4\u0964]){_CLOSING}\s"
    r"|[\u3002\uff01\uff1f\uff1b\uff1a]|\S\n"
)
"""The end of a sentence, or of what is as good as one: a dot behind a title or an initial is none."""
_MARKS = re.compile(
    "[.!?\u2026:;\u061f\u06d4\u0964\u3002\uff01\uff1f\uff1b\uff1a,\u2013\u2014\u060c\uff0c\u3001\n\"'\u2019\u201d\u00bb)\\]]"
)
"""One of them stands in every text that ends a clause, or in the one before it: most have none, and cost one look."""
_PAUSES = regex.compile(r"[,\u2013\u2014\u060c]\s|[\uff0c\u3001]")


class Clause:
    """Finds where a voice can begin: at the first sentence's end, or at a comma that enough stands before.

    A mark counts once the blank behind it is there, since "3.5" has none; Chinese ones count by themselves.
    """

    __slots__ = ("_count", "_marked", "_recent")

    def __init__(self) -> None:
        self._recent = ""
        self._count = 0
        self._marked = False
        """A mark was seen: what follows says whether it is one."""

    def ended(self, text: str) -> bool:
        """Whether it is whole with this text, which follows what was said before."""
        seen = self._recent + text
        if self._marked or _MARKS.search(text):
            before = self._count - len(self._recent)
            if _ENDS.search(seen) or any(before + found.start() >= LEAST for found in _PAUSES.finditer(seen)):
                return True
            self._marked = _MARKS.search(seen, len(self._recent)) is not None
        self._recent = seen[-_BEHIND:]
        self._count += len(text)
        return False


class Moments:
    """Told of each text when it goes out; writes the moments into the turn, in milliseconds."""

    __slots__ = ("_clause", "_clock", "_last", "_longest", "_turn")

    def __init__(self, turn: Turn, clock: Callable[[], float]) -> None:
        self._turn = turn
        self._clock = clock
        # Who waits for the whole of it hears neither a clause nor a silence.
        self._clause = Clause() if turn.stream else None
        self._last = 0.0
        self._longest = -1.0

    def said(self, text: str) -> None:
        """A text that is not empty goes out."""
        now = self._clock()
        if not self._turn.chunks:
            self._turn.timings["ttft"] = (now - self._turn.began) * 1000
        elif now - self._last > self._longest:
            self._longest = now - self._last
        self._last = now
        if self._clause is not None and self._clause.ended(text):
            self._whole(now)

    def finished(self) -> None:
        """The answer is at its end: without a mark, that ends its first clause."""
        if self._clause is not None and self._turn.chunks:
            self._whole(self._clock())

    def over(self) -> None:
        """Nothing more goes out, however that came."""
        if self._turn.stream and self._longest >= 0:
            self._turn.timings["longest_gap"] = self._longest * 1000

    def _whole(self, now: float) -> None:
        self._clause = None
        self._turn.timings["first_clause"] = (now - self._turn.began) * 1000
