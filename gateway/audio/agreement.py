"""How well two texts agree that were heard rather than read: words misheard, and whether a fact was stated. English."""

import unicodedata

import regex

from gateway.audio.numbers import STOP, counted

MONEY = {"£": "pounds", "$": "dollars", "€": "euros"}
AMOUNT = regex.compile(r"([£$€])\s?(\d[\d,.]*\d|\d)(\s(?:hundred|thousand|million|billion)\b)?")
MEASURES = {
    "km": "kilometres",
    "m": "metres",
    "cm": "centimetres",
    "mm": "millimetres",
    "kg": "kilograms",
    "km/h": "kilometres an hour",
    "mph": "miles an hour",
    "%": "percent",
    "°c": "degrees",
    "°": "degrees",
    "am": "am",
    "pm": "pm",
}
MEASURED = regex.compile(r"(?<=\d)\s?(km/h|mph|km|cm|mm|kg|°c|am|pm|m|%|°)(?![\p{L}/])")
"""A unit behind a figure, with or without a space."""
CONTRACTED = [
    (regex.compile(rf"\b{short}\b"), long)
    for short, long in {
        "won't": "will not",
        "can't": "can not",
        "cannot": "can not",
        r"(\w+)n't": r"\1 not",
        r"(\w+)'re": r"\1 are",
        r"(\w+)'ll": r"\1 will",
        r"(\w+)'ve": r"\1 have",
        "i'm": "i am",
        "let's": "let us",
        r"(it|that|there|here|what|who|where|when|how|he|she)'s": r"\1 is",
        r"(i|you|he|she|we|they)'d": r"\1 would",
    }.items()
]
BRITISH = """
canceled cancelled|canceling cancelling|center centre|centimeter centimetre|centimeters centimetres|color colour|
colored coloured|colorful colourful|colors colours|favor favour|favorite favourite|gray grey|harbor harbour|
harbors harbours|honor honour|jewelry jewellery|kilometer kilometre|kilometers kilometres|labor labour|liter litre|
liters litres|meter metre|meters metres|millimeter millimetre|millimeters millimetres|mold mould|neighbor neighbour|
neighbors neighbours|ok okay|plow plough|program programme|theater theatre|ton tonne|tons tonnes|traveled travelled|
traveler traveller|travelers travellers|traveling travelling|woolen woollen|mr mister|dr doctor
"""
SPELLED = dict(pair.split() for pair in BRITISH.split("|"))
WORD = regex.compile(r"\d+(?:[.:]\d+)*(?:st|nd|rd|th)?|[\p{L}\p{M}]+|\d+|[,.;:!?](?=\s|$)")
LONG = 5
"""Letters from which on one of them may be misheard."""
BETWEEN = 2
"""Words that may stand between two of a fact."""


def normal(text: str) -> list[str]:
    """Its words: lower case, no punctuation, British, contractions written out, numbers, times and days in one form."""
    written = unicodedata.normalize("NFKC", text).lower().replace("\u2019", "'").replace("o'clock", "oclock")
    written = regex.sub(r"\b([ap])\.\s?m\b\.?", r"\1m", written)
    written = regex.sub(r"(?<=\d),(?=\d{3}\b)", "", written)
    written = AMOUNT.sub(lambda found: f"{found[2].removesuffix('.00')}{found[3] or ''} {MONEY[found[1]]}", written)
    written = (
        MEASURED.sub(lambda found: f" {MEASURES[found[1]]}", written)
        .replace("&", " and ")
        .replace("per cent", "percent")
    )
    for short, long in CONTRACTED:
        written = short.sub(long, written)
    found = WORD.findall(regex.sub(r"(?<=\p{L})'", "", written))
    words = [STOP if not word[0].isalnum() else SPELLED.get(word, word) for word in found]
    return [word for word in counted(words) if word != STOP]


def word_error(said: str, heard: str) -> float:
    """The share of what was said that was misheard, left out or put in; 0 is word for word, and it can exceed 1."""
    right, wrong = normal(said), normal(heard)
    return _apart(right, wrong) / len(right) if right else float(bool(wrong))


def states(heard: str, fact: str) -> bool:
    """Whether all words of a fact stand in it, in order, near one another; of a long one a letter may be misheard."""
    there, wanted = normal(heard), normal(fact)
    if not wanted:
        return False
    ends = {at for at, word in enumerate(there) if _alike(word, wanted[0])}
    for fact_word in wanted[1:]:
        near = {at + step for at in ends for step in range(1, BETWEEN + 2) if at + step < len(there)}
        ends = {at for at in near if _alike(there[at], fact_word)}
    return bool(ends)


def _alike(heard: str, word: str) -> bool:
    if heard in {word, f"{word}:00"}:
        return True
    if not (word.isalpha() and heard.isalpha() and len(word) >= LONG):
        return False
    return abs(len(heard) - len(word)) <= 1 and _apart(word, heard) <= 1


def _apart(one: list[str] | str, other: list[str] | str) -> int:
    """How many have to be changed, left out or put in to make one of the other (Levenshtein)."""
    row = list(range(len(other) + 1))
    for at, left in enumerate(one, 1):
        before, row = row, [at]
        for to, right in enumerate(other, 1):
            row.append(min(before[to] + 1, row[-1] + 1, before[to - 1] + (left != right)))
    return row[-1]
