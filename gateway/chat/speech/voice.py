"""The reader: text as it comes, in whatever chunks, to text that is spoken.

What is said depends on the text alone, never on the chunks that it came in, and is said as soon as it is certain: only
the beginning of a mark that the next character could complete is waited for (`patterns.LONGEST` characters at most).
"""

import re
from unicodedata import east_asian_width

import regex

from gateway.chat.speech.braces import Braces
from gateway.chat.speech.length import Length
from gateway.chat.speech.mouth import Line, Mouth
from gateway.chat.speech.patterns import DRAWN, INLINE, LETTER, LINE, SPECIAL
from gateway.chat.speech.phrases import phrases_of
from gateway.chat.speech.tables import Table

Match = regex.Match[str]

_BEHIND = 8
_LINES = {character: rows for characters, rows in LINE.items() for character in characters}
_APART = re.compile(r"</?(?:br|p|div|li|ul|ol|h[1-6]|hr|tr|td|th|table)\b", re.IGNORECASE)
_NEWLINE = (re.compile(r"\n"), 1)
_COMMENT = (re.compile(r"-->"), 3)
_CELLS = re.compile(r"(?<!\\)\|")
_KINDS = {"heading": Line.HEADING, "task": Line.BULLET, "bullet": Line.BULLET, "number": Line.NUMBER}
_ORDINAL = frozenset(["de", "pl", "tr", "cs", "da", "fi", "hu", "hr", "nb", "nn", "no", "sk", "sl"])
"""Languages that write "first" as "1.", so that an answer can begin with it."""


class Voice:
    """One answer: `feed` what comes, `finish` at its end; each gives what is to be said now."""

    def __init__(self, language: str, *, lines: bool = True) -> None:
        """Without `lines` the text is a piece of a line: it has no headings, lists or tables."""
        self._language = language
        self._phrases = phrases_of(language)
        self._mouth = Mouth(self._phrases)
        self._length = Length(self._phrases.onward)
        self._rest = self._before = ""
        self._lines = self._begins = lines
        self._closing: tuple[re.Pattern[str], int] | None = None
        self._braces: Braces | None = None
        self._table: Table | None = None
        self._coded = False
        self._free = not lines

    @property
    def over(self) -> bool:
        """Whether it was too long, and was ended."""
        return self._length.over

    @property
    def held(self) -> int:
        """Characters that wait for what follows."""
        return len(self._rest) + self._mouth.held

    def feed(self, text: str) -> str:
        """What is to be said of it now."""
        if self._free and not SPECIAL.search(text):
            self._before = (self._before + text)[-_BEHIND:]
            return self._length.cut(self._mouth.passed(text))
        return self._length.cut(self._read(text))

    def finish(self) -> str:
        """What is left to say."""
        said = self._read("\0", last=True)
        self._end_table()
        self._mouth.close()
        return self._length.cut(said + self._mouth.taken(last=True))

    def _read(self, text: str, *, last: bool = False) -> str:
        text = self._rest + (text if last else text.replace("\r", "").replace("\0", ""))
        at = 0
        while at < len(text) and (then := self._step(text, at, last=last)) is not None:
            at = then
        self._before = self._behind(text, at)
        self._rest = text[at:]
        self._free = self._mouth.free and not (self._rest or self._begins or self._closing or self._braces)
        return self._mouth.taken()

    def _step(self, text: str, at: int, *, last: bool) -> int | None:
        """Read on from here; where to go on, or None where more text is needed to know."""
        if self._closing:
            return self._skipped(text, at, *self._closing)
        if self._braces:
            end = self._braces.end(text, at)
            if end is not None:
                self._braces = None
                self._left_out()
            return len(text) if end is None else end
        return self._line(text, at, last=last) if self._begins else self._inline(text, at, last=last)

    def _skipped(self, text: str, at: int, closing: re.Pattern[str], longest: int) -> int | None:
        if found := closing.search(text, at):
            self._closing = None
            self._left_out()
            return found.end()
        if text.endswith("\0"):
            return len(text)
        end = max(at, len(text) - longest + 1)
        return end if end > at else None

    def _left_out(self) -> None:
        self._mouth.gap()
        self._begins = self._lines and (not self._mouth.recent or self._mouth.recent.endswith("\n"))

    def _line(self, text: str, at: int, *, last: bool) -> int | None:
        """The beginning of a line: what kind of line it is."""
        end = at
        while end < len(text) and text[end] in " \t" and end - at < 40:
            end += 1
        if end == len(text):
            return None
        if text[end] == "\n":
            self._mouth.line_end()
            return end + 1
        for name, pattern in _LINES.get(text[end], {}).items():
            if found := pattern.match(text, end, partial=not last):
                if found.partial:
                    return None
                if (then := self._line_as(name, found, end - at)) is not None:
                    return then
        self._opens(Line.PROSE, end - at)
        if self._mouth.line is Line.PROSE:
            self._mouth.say(text[at:end])
        return end

    def _opens(self, line: Line, indent: int = 0) -> None:
        if line is not Line.TABLE:
            self._end_table()
        self._begins = False
        self._mouth.begin(line, indent)

    def _line_as(self, name: str, found: Match, indent: int) -> int | None:
        """Begin the line as what it is; where its words begin, or None where it is something else after all."""
        if name == "quote":
            return found.start("then")
        if name in ("rule", "ruled", "defined"):
            self._closing = _NEWLINE if name == "defined" else None
            return found.end()
        if name == "row":
            return self._row(found)
        if name == "number" and not self._counts(int(found["number"])):
            return None
        self._opens(_KINDS.get(name, Line.PROSE), indent)
        if name == "fence":
            return self._fence(found)
        if name == "tool":
            self._braces = Braces()
        return found.start("then")

    def _counts(self, number: int) -> bool:
        """Whether it is the number of the next item of a list."""
        if self._mouth.line is Line.NUMBER:
            return number == self._mouth.items + 1
        return number == 1 and bool(self._mouth.recent or self._language.split("-", 1)[0].lower() not in _ORDINAL)

    def _row(self, found: Match) -> int:
        self._opens(Line.TABLE)
        self._table = self._table or Table(self._phrases)
        row = found["row"].strip().removesuffix("|")
        self._mouth.sentence(self._table.row([self._cell(cell) for cell in _CELLS.split(row)]))
        self._begins = True
        if found[0][-1] not in "\n\0":
            self._closing = _NEWLINE
        return found.end()

    def _cell(self, text: str) -> str:
        voice = Voice(self._language, lines=False)
        return (voice.feed(text) + voice.finish()).strip()

    def _end_table(self) -> None:
        if self._table:
            self._mouth.sentence(self._table.end())
            self._mouth.line_end()
            self._table = None

    def _inline(self, text: str, at: int, *, last: bool) -> int | None:
        """The middle of a line."""
        special = SPECIAL.search(text, at)
        if special is None or special.start() > at:
            end = special.start() if special else len(text)
            self._mouth.say(text[at:end])
            return end
        character = text[at].lower()
        if character == "\n":
            self._mouth.line_end()
            self._begins = self._lines
            return at + 1
        if DRAWN.match(character):
            return self._drawn(text, at)
        if character in "hw!" and LETTER.match(self._behind(text, at)[-1:]):
            self._mouth.say(text[at])
            return at + 1
        for name, pattern in INLINE.get(character, {}).items():
            if name == "aside" and not self._pauses(text, at):
                continue
            if found := pattern.match(text, at, partial=not last):
                return None if found.partial else self._mark(name, found, text)
        if character != "\0":
            self._mouth.say(text[at])
        return at + 1

    def _drawn(self, text: str, at: int) -> int:
        """An emoji goes, and with it what joins it to others; elsewhere joiners belong to the script."""
        if text[at] == "\u200d" and not DRAWN.match(self._behind(text, at)[-1:]):
            self._mouth.say(text[at])
        else:
            self._mouth.gap()
        return at + 1

    def _mark(self, name: str, found: Match, text: str) -> int:
        """Say of a mark what is to be said; where to go on behind it."""
        if name == "run":
            return self._run(found, text)
        if name == "address" and "host" in found.re.groupindex:
            return self._address(found, text)
        if name == "hidden":
            self._closing = (re.compile(rf"</{found['name']}\s{{0,4}}>", re.IGNORECASE), len(found["name"]) + 7)
        elif name == "comment":
            self._closing = _COMMENT
        elif name in ("tool", "json"):
            self._braces = Braces()
        elif name in ("left out", "cited", "aside"):
            self._mouth.gap()
        elif name == "tag" and _APART.match(found[0]):
            self._mouth.apart()
        elif name == "escaped" and found["then"] not in "*_`~#\\[]":
            self._mouth.say(found["then"])
        then = name != "escaped" and found.groupdict().get("then")
        return found.start("then") if then else found.end()

    def _run(self, found: Match, text: str) -> int:
        """Stars, underscores, tildes or backticks: kept where they are arithmetic or part of a name."""
        run, then, end = found["run"], found["then"], found.end("run")
        before = self._behind(text, found.start())[-1:]
        if run[0] == "`" and len(run) > 2:
            return self._fence(found)
        inside = _word(before) and _word(then)
        if run[0] == "*":
            alone = before.isspace() and then.isspace() and len(run) < 3
            kept = alone or (inside and (len(run) == 1 or (len(run) == 2 and before.isdigit() and then.isdigit())))
        elif run[0] == "_":
            kept = inside
        else:
            kept = run == "~"
        if kept:
            self._mouth.say(run)
        elif then.isspace():
            self._mouth.gap()
        return end

    def _fence(self, found: Match) -> int:
        """A block of code: it is not spoken, and that is said once."""
        run = found["run"]
        self._closing = (re.compile(re.escape(run)), len(run))
        self._mouth.gap()
        if not self._coded:
            self._coded = True
            self._mouth.sentence(self._phrases.code)
        self._mouth.apart()
        return found.end("run")

    def _address(self, found: Match, text: str) -> int:
        whole = found["host"]
        end = found.end("host") - (len(whole) - len(whole.rstrip(".,;:!?")))
        host = re.split(r"[/?#]", whole)[0].rpartition("@")[2].split(":")[0].strip(".,;!").removeprefix("www.")
        self._mouth.say(f" {self._phrases.dot} ".join(part for part in host.split(".") if part))
        bracketed = text[found.start() - 1 : found.start()] == "<" or self._behind(text, found.start())[-1:] == "<"
        return end + 1 if bracketed and text[end] == ">" else end

    def _pauses(self, text: str, at: int) -> bool:
        """Whether a stage direction can stand here: where a sentence or a clause begins."""
        behind = self._behind(text, at).rstrip()
        return not behind or not (behind[-1].isalnum() or behind[-1] in "'\")")

    def _behind(self, text: str, at: int) -> str:
        return (self._before + text[max(0, at - _BEHIND) : at])[-_BEHIND:]


def _word(character: str) -> bool:
    """A letter or digit of a script that puts blanks between words."""
    return character.isalnum() and east_asian_width(character) not in "WF"
