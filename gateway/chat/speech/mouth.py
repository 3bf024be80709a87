"""What is said: sentences made of lines, lists of items, one blank where something was left out.

A blank behind a word comes with what follows it: a mark that ends the sentence may stand behind what is left out.
"""

from enum import Enum, auto

from gateway.chat.endings import ENDED
from gateway.chat.speech.phrases import Phrases

ITEMS = 8
"""Items of a list that are said; the rest is counted."""
HELD = 80
"""Characters of an item that are waited for, to know whether it is the last one."""
_RECENT = 12
_PAUSES = (",", ";", ":", "，", "；", "：", "、")  # noqa: RUF001 Chinese marks


_CLOSE = ("'", '"', "\u2019", "\u201d", "%")
_ENDS = ".,;:!?\u2026)"
"""Marks that stand at the word before them."""


class Line(Enum):
    """What a line is."""

    PROSE = auto()
    HEADING = auto()
    BULLET = auto()
    NUMBER = auto()
    TABLE = auto()


class Mouth:
    """Takes the words of lines, and says them as sentences."""

    def __init__(self, phrases: Phrases) -> None:
        self._phrases = phrases
        self._said: list[str] = []
        self.recent = ""
        """The last characters said."""
        self.line = Line.PROSE
        self.items = 0
        """Items so far of the list that is being said."""
        self._breaks = 0
        self._gap = self._apart = self._muted = False
        self._spaced = False
        """A blank followed what was left out last."""
        self._item: str | None = None

    @property
    def free(self) -> bool:
        """Whether words of prose pass as they are."""
        return self.line is Line.PROSE and not (self._gap or self._apart)

    @property
    def held(self) -> int:
        """Characters of an item that wait for the item's end, and of a blank that waits for what follows."""
        return len(self._item or "") + sum(map(len, self._said))

    def passed(self, text: str) -> str:
        """The text itself, where the mouth is `free`."""
        if self._said or text[-1:] in (" ", "\t"):
            self._put(text)
            return self.taken()
        self.recent = (self.recent + text)[-_RECENT:]
        return text

    def taken(self, *, last: bool = False) -> str:
        """What was said since it was asked for the last time; a blank behind a word only where it is the `last`."""
        text = "".join(self._said)
        self._said.clear()
        kept = len(text) if last or not _waits(self.recent) else len(text.rstrip(" \t"))
        if kept < len(text):
            self._said.append(text[kept:])
        return text[:kept]

    def say(self, text: str) -> None:
        """Words of the line."""
        if self._gap:
            bare = text.lstrip(" \t")
            self._spaced = self._spaced or bare != text
            text = bare
        if not text or self._muted:
            return
        if self._gap and not self._spaced and text[0] in _ENDS:
            self._unblank()
        if self._apart and text[0].isalnum() and not self._blank():
            text = f" {text}"
        self._gap = self._apart = False
        if self._item is None:
            self._put(text)
            return
        self._item += text
        if len(self._item) > HELD:
            self._release(self._phrases.stop)

    def gap(self) -> None:
        """Something is left out here: what stood around it has one blank."""
        self._gap, self._spaced = self._gap or self._blank(), False

    def apart(self) -> None:
        """What follows is not part of the word before."""
        self._apart = True

    def line_end(self) -> None:
        """A line ends, or is blank."""
        if self.line is not Line.PROSE:
            self._breaks += 1
        elif self.recent and not self.recent.endswith("\n\n"):
            self._put("\n")
        self._gap = self._apart = False

    def begin(self, line: Line, indent: int = 0) -> None:
        """A line begins that is of this kind: the one before ends, and maybe its list."""
        listed = self.line in (Line.BULLET, Line.NUMBER)
        if line is Line.PROSE and listed and indent > 1 and self._breaks == 1:
            self._breaks = 0
            self.say(" ")
            return
        if line is Line.BULLET and self.line is Line.NUMBER and indent > 1:
            self._breaks = 0
            self._next_sentence()
            return
        if line is not self.line or not listed:
            self.close()
        self.line = line
        if line in (Line.BULLET, Line.NUMBER):
            self._begin_item(line)
        self._breaks = 0

    def close(self) -> None:
        """End the line before, whatever it is, and its list."""
        line, self.line = self.line, Line.PROSE
        if line is Line.PROSE:
            return
        left_out, self._muted = max(0, self.items - ITEMS), False
        self.items = 0
        self._release(self._phrases.comma if left_out else self._phrases.final)
        if line is not Line.TABLE:
            self._end()
        if left_out:
            self._put(self._blank_or(" ") + self._phrases.more.format(n=left_out))
        self._put("\n" * min(2, self._breaks))
        self._gap = self._apart = False

    def sentence(self, text: str) -> None:
        """A sentence of its own."""
        if text and not self._muted:
            self._put(("" if self._blank() else " ") + text)

    def _begin_item(self, line: Line) -> None:
        self.items += 1
        self._release(self._phrases.comma)
        if self.items > ITEMS:
            self._muted = True
            return
        if line is Line.NUMBER:
            self._next_sentence()
            self._put(self._phrases.ordinals[self.items - 1])
        elif self.items > 1:
            if self._ended() or self.recent.rstrip().endswith(_PAUSES):
                self._put(self._blank_or(" "))
            else:
                self._item = ""

    def _release(self, before: str) -> None:
        item, self._item = self._item, None
        if item and item.strip():
            self._unblank()
            self._put(before + item)

    def _next_sentence(self) -> None:
        if self._muted or not self.recent:
            return
        self._release(self._phrases.comma)
        self._end()
        self._put(self._blank_or(" "))

    def _end(self) -> None:
        """A full stop, where no mark ends it."""
        if self.recent.strip() and not self._ended() and not self.recent.rstrip().endswith(_PAUSES):
            self._unblank()
            self._put(self._phrases.stop.strip())

    def _ended(self) -> bool:
        return bool(ENDED.search(self.recent.rstrip()))

    def _blank(self) -> bool:
        recent = self._item or self.recent
        return not recent or recent[-1].isspace()

    def _unblank(self) -> None:
        """Take the blank behind the last word back, which was not said yet."""
        if self._item is not None:
            self._item = self._item.rstrip(" \t") if _waits(self._item) else self._item
        elif _waits(self.recent):
            self._said[:] = ["".join(self._said).rstrip(" \t")]
            self.recent = self.recent.rstrip(" \t")

    def _blank_or(self, blank: str) -> str:
        return "" if not self.recent or self.recent[-1].isspace() else blank

    def _put(self, text: str) -> None:
        if text:
            self._said.append(text)
            self.recent = (self.recent + text)[-_RECENT:]


def _waits(said: str) -> bool:
    """Whether a blank stands at its end, behind a word or what closes one."""
    words = said.rstrip(" \t")
    return words != said and (words[-1:].isalnum() or words[-1:] in _CLOSE)
