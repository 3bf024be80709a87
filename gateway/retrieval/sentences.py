"""The sentences of a passage, as they can be spoken: Markdown taken off, each a unit that stands alone.

List items and table rows are units of their own, whatever they end with; headings are left out. Otherwise a
mark of any script ends a sentence, except for the abbreviations, initials and dates that end with one too.
"""

from functools import lru_cache

import regex

WINDOW = 3
"""Sentences to a vector that is searched."""
_FENCE = regex.compile(r"^\s*(?:```|~~~)")
_RULE = regex.compile(r"^\s*(?:[-*_]\s*){3,}$|^\s*=+\s*$|^[\s|:+-]*-{2,}[\s|:+-]*$")
_HEADING = regex.compile(r"^\s{0,3}#{1,6}(?:\s+|$)")
_ITEM = regex.compile(r"^\s*(?:[-*+•\u2013]|\d{1,3}[.)])\s+(?:\[[ xX]\]\s+)?")
_QUOTE = regex.compile(r"^\s*(?:>\s?)+")
_MARKUP = (
    (regex.compile(r"<!--.*?-->|</?[a-zA-Z][^<>]*>"), ""),
    (regex.compile(r"!?\[([^\[\]]*)\]\((?:[^()\s]|\([^()]*\))*(?:\s+\"[^\"]*\")?\)"), r"\1"),
    (regex.compile(r"\[([^\[\]]+)\]\[[^\[\]]*\]"), r"\1"),
    (regex.compile(r"\[\^[^\]]+\]|<https?://[^>\s]+>"), ""),
    (regex.compile(r"(?<![\p{L}\p{N}\\])(\*{1,3}|~~)(?=\S)(.+?)(?<=\S)\1(?!\p{N})"), r"\2"),
    (regex.compile(r"(?<![\p{L}\p{N}_])(_{1,3})(?=\S)(.+?)(?<=\S)\1(?![\p{L}\p{N}_])"), r"\2"),
    (regex.compile(r"`+([^`]+)`+"), r"\1"),
    (regex.compile(r"\\([\\`*_{}\[\]()#+\-.!|>~])"), r"\1"),
)
_MARKS = frozenset("*_`[<~\\")
_END = regex.compile(
    r"(?P<stop>[.!?…]+|[\p{Sentence_Terminal}--[.!?]])"
    r"(?P<close>[\p{Pf}\p{Pe}\"'\u201c]*)"
    r"(?P<gap>\s+|(?<=[\u3002\uff01\uff1f\uff61])(?![\p{Pf}\p{Pe}])|$)",
    regex.VERSION1,
)
"""A mark, what closes behind it (German quotations end with U+201C), and a space, which CJK does without."""
_LAST_WORD = regex.compile(r"[\p{L}\p{M}\p{N}.]+$")
_NEXT_WORD = regex.compile(r"[\p{Pi}\p{Ps}\"'\u201e\u201a¿¡]*(?P<word>[\p{L}\p{M}\p{N}]+)")
_ABBREVIATIONS = {
    *(
        "mr",
        "mrs",
        "ms",
        "dr",
        "prof",
        "st",
        "jr",
        "sr",
        "vs",
        "etc",
        "no",
        "nos",
        "fig",
        "approx",
        "dept",
        "est",
    ),
    *("inc", "ltd", "co", "ave", "gov", "gen", "capt", "col", "sgt", "rev", "hon"),
    *(
        "nr",
        "hr",
        "fr",
        "bzw",
        "ca",
        "evtl",
        "ggf",
        "inkl",
        "zzgl",
        "usw",
        "vgl",
        "abs",
        "art",
        "bd",
        "str",
        "tel",
    ),
    *("std", "min", "max", "mind", "mio", "mrd", "jh", "sog", "geb", "gest", "kap"),
    *(
        "sra",
        "srta",
        "dra",
        "ud",
        "uds",
        "pág",
        "núm",
        "aprox",
        "av",
        "mme",
        "mlle",
        "env",
        "éd",
        "réf",
        "dott",
    ),
    *("sig", "mevr", "dhr", "bijv", "enz", "osv", "kl"),
}
_MONTHS = {
    *(
        "januar",
        "jänner",
        "februar",
        "märz",
        "april",
        "mai",
        "juni",
        "juli",
        "august",
        "september",
        "oktober",
    ),
    *("november", "dezember", "januari", "februari", "maart", "mei", "augustus", "maj", "augusti", "marts"),
    *("desember", "december"),
}
"""What follows a day's number where dates are written with a full stop, as in "am 3. Mai"."""


def spoken(text: str) -> str:
    """`text` on one line and without Markdown: labels of links and emphasised words stay, marks go."""
    if not _MARKS.isdisjoint(text):
        for pattern, kept in _MARKUP:
            text = pattern.sub(kept, text)
    return " ".join(text.split())


@lru_cache(maxsize=4096)
def headed(text: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """The sentences of a passage by the heading that they stand below within it; empty for those above the first.

    Cached: one passage answers many questions.
    """
    found: list[tuple[str, tuple[str, ...]]] = []
    heading, lines = "", list[str]()
    for line in (*text.split("\n"), "#"):
        if not _HEADING.match(line) and line != "#":
            lines.append(line)
            continue
        if below := tuple(sentences("\n".join(lines))):
            found.append((heading, below))
        heading, lines = spoken(line.lstrip(" #")), []
    return tuple(found) or (("", (spoken(text),)),)


def units(text: str) -> tuple[str, ...]:
    """The sentences of a passage; the whole of it where it has none."""
    return tuple(sentence for _, below in headed(text) for sentence in below)


def windows(text: str) -> list[tuple[str, str]]:
    """Each three sentences of a passage that follow one another below one heading, and that heading.

    A question asks for one fact. The vector of three sentences is nearer to it than that of a whole passage, and
    whoever answers still gets the whole passage.
    """
    return [
        (heading, " ".join(below[at : at + WINDOW]))
        for heading, below in headed(text)
        for at in range(max(1, len(below) - WINDOW + 1))
    ]


def sentences(text: str) -> list[str]:
    """The speakable sentences of a Markdown text, in order, without its headings."""
    return [sentence for block in _blocks(text) for sentence in _split(spoken(block))]


def _blocks(text: str) -> list[str]:
    """Paragraphs with their lines joined, list items, table rows."""
    blocks: list[list[str]] = [[]]
    quoted = False
    for line in text.splitlines():
        if not line.strip() or _FENCE.match(line) or _RULE.match(line) or _HEADING.match(line):
            blocks.append([])
            continue
        bare = _QUOTE.sub("", line)
        if bare != line and not quoted:
            blocks.append([])
        quoted = bare != line
        if _ITEM.match(bare):
            blocks.append([_ITEM.sub("", bare)])
        elif bare.lstrip().startswith("|"):
            blocks += [[_row(bare)], []]
        else:
            blocks[-1].append(bare)
    return ["\n".join(block) for block in blocks if block]


def _row(line: str) -> str:
    cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
    return ", ".join(filter(None, cells))


def _split(text: str) -> list[str]:
    found, start = [], 0
    for match in _END.finditer(text):
        if match["gap"] != "" and not _ends(text, match):
            continue
        found.append(text[start : match.end()].strip())
        start = match.end()
    found.append(text[start:].strip())
    return [sentence for sentence in found if any(map(str.isalnum, sentence))]


def _ends(text: str, match: regex.Match[str]) -> bool:
    """Whether the mark is the end of a sentence, and not of an abbreviation or a number."""
    following = _NEXT_WORD.match(text, match.end())
    if following is None:
        return True
    word = following["word"]
    if word[0].islower():  # "e.g. when", "he asked?" he said
        return False
    if match["stop"] != ".":
        return True
    before = _LAST_WORD.search(text, 0, match.start())
    last = before.group().lower() if before else ""
    if last.isdecimal():
        return len(last) > 2 or word.lower() not in _MONTHS
    initial = len(last.rpartition(".")[2]) == 1 and last[-1:].isalpha()
    return not (initial or last in _ABBREVIATIONS)
