"""The moments of an answer as it goes out that a person hears: its first word, its first clause, its longest silence.

A text costs a reading of the clock and a place in two lists: many are reckoned together, and none is kept for longer.
"""

import re
from bisect import bisect_left
from collections.abc import Callable
from itertools import accumulate
from operator import sub

import regex

from gateway.types import Turn

LEAST = 12
"""Characters before a comma that make a clause: what is shorter is waited with by voices, for it sounds cut off."""
TOGETHER = 64
"""Texts that are reckoned together: one after another they cost three times as much."""
_BEHIND = 12
_CLOSING = r"[\"'\u2019\u201d\u00bb)\]]*"
_ENDS = regex.compile(
    rf"(?:(?<!\b(?:Mr|Mrs|Ms|Dr|Prof|St|vs|e\.g|i\.e|\p{{Lu}}))\.|[!?\u2026:;\u061f\u06d4\u0964]){_CLOSING}\s"
    r"|[\u3002\uff01\uff1f\uff1b\uff1a]|\S\n"
)
"""The end of a sentence, or of what is as good as one: a dot behind a title or an initial is none."""
_MARKS = re.compile("[.!?\u2026:;\u061f\u06d4\u0964\u3002\uff01\uff1f\uff1b\uff1a,\u2013\u2014\u060c\uff0c\u3001\n]")
"""One of them stands in every text that ends a clause: where there is none, nothing else is looked for."""
_PAUSES = regex.compile(r"[,\u2013\u2014\u060c]\s|[\uff0c\u3001]")


class Clause:
    """Finds where a voice can begin: at the first sentence's end, or at a comma that enough stands before.

    A mark counts once the blank behind it is there, since "3.5" has none; Chinese ones count by themselves.
    """

    __slots__ = ("_count", "_recent")

    def __init__(self) -> None:
        self._recent = ""
        self._count = 0

    def end(self, text: str) -> int | None:
        """How much of this text, which follows what was said before, makes it whole; None: all of it does not."""
        seen = self._recent + text
        known = len(self._recent)
        if _MARKS.search(seen):
            before = self._count - known
            ends = (found.end() for found in _ENDS.finditer(seen))
            pauses = (found.end() for found in _PAUSES.finditer(seen) if before + found.start() >= LEAST)
            # What ends within what was known is none: it was looked at with all that stood before it.
            first = [next((end for end in each if end > known), None) for each in (ends, pauses)]
            if whole := [end for end in first if end is not None]:
                return min(whole) - known
        self._recent = seen[-_BEHIND:]
        self._count += len(text)
        return None


class Moments:
    """What went out, and when; written into the turn in milliseconds, with how many texts and characters it was.

    Whoever sends a text puts it into `texts` and the moment into `times`, and has them reckoned when they are TOGETHER.
    """

    __slots__ = ("_clause", "_clock", "_last", "_longest", "_turn", "texts", "times")

    def __init__(self, turn: Turn, clock: Callable[[], float]) -> None:
        self._turn = turn
        self._clock = clock
        # Who waits for the whole of it hears neither a clause nor a silence.
        self._clause = Clause() if turn.stream else None
        self._last: float | None = None
        self._longest = -1.0
        self.texts: list[str] = []
        """Texts that went out and are not reckoned yet; none is empty."""
        self.times: list[float] = []
        """The clock's time of each."""

    def reckon(self) -> None:
        """Count the texts, and find among them what a person hears."""
        times, turn = self.times, self._turn
        if not times:
            return
        said = "".join(self.texts)
        turn.chunks += len(times)
        turn.characters += len(said)
        if self._last is None:
            turn.timings["ttft"] = (times[0] - turn.began) * 1000
        else:
            self._longest = max(self._longest, times[0] - self._last)
        if len(times) > 1:
            self._longest = max(self._longest, *map(sub, times[1:], times))
        self._last = times[-1]
        if self._clause is not None and (end := self._clause.end(said)) is not None:
            until = list(accumulate(map(len, self.texts)))
            self._whole(times[bisect_left(until, end)])
        self.texts.clear()
        times.clear()

    def finished(self) -> None:
        """The answer is at its end: without a mark, that ends its first clause."""
        self.reckon()
        if self._clause is not None and self._turn.chunks:
            self._whole(self._clock())

    def over(self) -> None:
        """Nothing more goes out, however that came."""
        self.reckon()
        if self._turn.stream and self._longest >= 0:
            self._turn.timings["longest_gap"] = self._longest * 1000

    def _whole(self, at: float) -> None:
        self._clause = None
        self._turn.timings["first_clause"] = (at - self._turn.began) * 1000
