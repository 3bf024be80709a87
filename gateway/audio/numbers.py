"""Numbers, years, times and days in one form: `half past seven` as `7:30`, `twenty-four` as `24`. All of it is English.

Words are lower case; a comma, or the end of a sentence, is a word of its own (`STOP`).
"""

from collections.abc import Callable, Iterator
from typing import TypeAlias

STOP = ","


def _numbered(words: str, first: int) -> dict[str, int]:
    return {word: number for number, word in enumerate(words.split(), first)}


TEENS = "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen"
UNITS = _numbered(f"zero one two three four five six seven eight nine {TEENS}", 0)
TENS = {word: 10 * tens for word, tens in _numbered("twenty thirty forty fifty sixty seventy eighty ninety", 2).items()}
POWERS = {"hundred": 100, "thousand": 1000, "million": 1_000_000, "billion": 1_000_000_000}
ORDINALS = (
    _numbered("first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth", 1)
    | {f"{word}th": UNITS[word] for word in TEENS.split()[3:]}
    | {f"{word[:-1]}ieth": number for word, number in TENS.items()}
)
ENDINGS = {1: "st", 2: "nd", 3: "rd"}
HALVES = {"half": 0.5, "quarter": 0.25}
MONTHS = _numbered("january february march april may june july august september october november december", 1)
DAYTIMES = {("in", "the", "morning"): "am", ("in", "the", "afternoon"): "pm", ("in", "the", "evening"): "pm"}
AT = frozenset({"at", "until", "till", "by", "before", "after", "from", "to"})
"""What stands before a time, which a recogniser may write as `930` or `9.30`."""
GOES_ON = frozenset({"", STOP, "and", "or", "in", "on", "every", "each", "until", "till", "to", "but", "am", "pm"})
"""And after it: what is counted or measured is none of these."""
MONEY = frozenset({"pounds", "dollars", "euros"})
PENNIES = frozenset({"pence", "cents", "cent"})
Rule: TypeAlias = Callable[[list[str], int], tuple[str, int] | None]
"""Words and a place among them: what stands there instead of how many; None: the rule says nothing about it."""


def counted(words: list[str]) -> list[str]:
    """The same words with every number in figures."""
    for rules in (NUMBERS, SUMS, TIMES, DAYS):
        words = list(_replaced(words, rules))
    return words


def _replaced(words: list[str], rules: tuple[Rule, ...]) -> Iterator[str]:
    at = 0
    while at < len(words):
        found = next((found for rule in rules if (found := rule(words, at))), None)
        instead, size = found or (words[at], 1)
        yield from instead.split(" ")
        at += size


def _at(words: list[str], at: int) -> str:
    return words[at] if 0 <= at < len(words) else ""


def _figures(word: str) -> int | None:
    return int(word) if word.isdecimal() and len(word) < 13 else None


def _small(words: list[str], at: int) -> tuple[int, int] | None:
    """A number under a hundred, in words, and how many these are."""
    word = _at(words, at)
    if word in UNITS:
        return UNITS[word], 1
    if word in TENS:
        unit = UNITS.get(_at(words, at + 1), 0)
        return (TENS[word] + unit, 2) if 0 < unit < 10 else (TENS[word], 1)
    return None


def _multiplied(words: list[str], at: int) -> tuple[int, int] | None:
    """The 2 of `2 million`, the 1 of `a hundred`."""
    value = 1 if _at(words, at) == "a" else _figures(_at(words, at))
    return (value, 1) if value is not None and _at(words, at + 1) in POWERS else None


def _hundreds(words: list[str], at: int) -> tuple[int, int] | None:
    """What is multiplied by a thousand or a million, or by nothing."""
    found = _small(words, at) or _multiplied(words, at)
    if found is None or _at(words, at + found[1]) != "hundred":
        return found
    value, size = 100 * found[0], found[1] + 1
    joins = _at(words, at + size) == "and"
    rest = _small(words, at + size + joins)
    return (value + rest[0], size + joins + rest[1]) if rest else (value, size)


def _cardinal(words: list[str], at: int) -> tuple[int, int] | None:
    """A number in words, or in figures and words (`2 million`), and how many words it has."""
    total, begin, before = 0, at, max(POWERS.values()) + 1
    while True:
        joins = at > begin and _at(words, at) == "and"
        part = _hundreds(words, at + joins)
        if part is None:
            break
        at += joins + part[1]
        power = POWERS.get(_at(words, at), 1)
        if not 100 < power < before:
            total += part[0]
            break
        total, before, at = total + part[0] * power, power, at + 1
    return (total, at - begin) if at > begin else None


def _number(words: list[str], at: int) -> tuple[str, int] | None:
    found = _cardinal(words, at)
    if found is None:
        return None
    value, size = found
    if value > 9 and (year := _pair(words, at, value, size)):
        return year
    if _at(words, at + size) == "point" and _at(words, at + size + 1) in UNITS:
        digits = ""
        while (unit := UNITS.get(_at(words, at + size + 1 + len(digits)), 10)) < 10:
            digits += str(unit)
        return (f"{value}.{digits}", size + 1 + len(digits)) if digits else (str(value), size)
    return str(value), size


def _pair(words: list[str], at: int, value: int, size: int) -> tuple[str, int] | None:
    """`eighteen fifty-seven`, `nineteen oh five`: a year. Under thirteen it is a time, if it can be one."""
    if value > 99 or _at(words, at + size - 1) in POWERS:
        return None
    if _at(words, at + size) in {"oh", "o"} and 0 < UNITS.get(_at(words, at + size + 1), 0) < 10 and value > 12:
        return f"{value}0{UNITS[_at(words, at + size + 1)]}", size + 2
    rest = _small(words, at + size)
    if rest is None or rest[0] < 10 or (value <= 12 and rest[0] < 60):
        return None
    return f"{value}{rest[0]}", size + rest[1]


def _ordinal(words: list[str], at: int) -> tuple[str, int] | None:
    word = _at(words, at)
    if word in ORDINALS:
        return _nth(ORDINALS[word]), 1
    unit = ORDINALS.get(_at(words, at + 1), 10)
    return (_nth(TENS[word] + unit), 2) if word in TENS and unit < 10 else None


def _nth(number: int) -> str:
    """`1st`, `12th`, `23rd`."""
    return f"{number}{ENDINGS.get(number if number in {11, 12, 13} else number % 10, 'th')}"


def _and_a_half(words: list[str], at: int) -> tuple[str, int] | None:
    """`three and a half`, `3 and a quarter`."""
    found = _cardinal(words, at)
    value, size = found or (_figures(_at(words, at)), 1)
    share = HALVES.get(_at(words, at + size + 2), 0)
    if value is None or words[at + size : at + size + 2] != ["and", "a"] or not share:
        return None
    return f"{value + share:g}", size + 3


def _sum(words: list[str], at: int) -> tuple[str, int] | None:
    """`2400 and 12`: nobody says a hundred and twelve in another way."""
    value, rest = _figures(_at(words, at)), _figures(_at(words, at + 2))
    if (
        not value
        or value % 100
        or _at(words, at + 1) != "and"
        or not rest
        or rest > 99
        or _at(words, at - 1) == "between"
    ):
        return None
    return str(value + rest), 3


def _money(words: list[str], at: int) -> tuple[str, int] | None:
    """`7 pounds 50`, `7 pounds and 50 pence`: `7.50 pounds`."""
    value, unit = _figures(_at(words, at)), _at(words, at + 1)
    stands = at + 2 + (_at(words, at + 2) == "and")
    rest = _figures(_at(words, stands))
    pennies = _at(words, stands + 1) in PENNIES
    if value is None or unit not in MONEY or not rest or rest > 99 or not (pennies or stands == at + 2):
        return None
    return f"{value}.{rest:02} {unit}", stands + 1 + pennies - at


def _hour(words: list[str], at: int) -> int | None:
    hour = _figures(_at(words, at))
    return hour if hour is not None and 1 <= hour <= 12 else None


def _past(words: list[str], at: int) -> tuple[str, int] | None:
    """`half past 7`, `a quarter to 5`, `20 minutes past 2`; not `from 10 to 5`."""
    begin, at = at, at + (_at(words, at) == "a")
    minutes = {"half": 30, "quarter": 15}.get(_at(words, at), _figures(_at(words, at)))
    stands = at + 1 + (_at(words, at + 1) in {"minutes", "minute"})
    way, hour = _at(words, stands), _hour(words, stands + 1)
    if minutes is None or not 0 < minutes < 60 or hour is None or way not in {"past", "to"}:
        return None
    if way == "to":
        if _at(words, at) == "half" or _at(words, begin - 1) in {"from", "of"}:
            return None
        hour, minutes = (hour - 2) % 12 + 1, 60 - minutes
    return f"{hour}:{minutes:02}{_half(words, stands + 2)[0]}", stands + 2 - begin + _half(words, stands + 2)[1]


def _clock(words: list[str], at: int) -> tuple[str, int] | None:
    """`9 oclock`, `9 pm`, `9 15`, `9:15`, `9.15 pm`, `9 in the evening`."""
    hours, colon, minutes = _at(words, at).replace(".", ":").partition(":")
    hour, size = _hour([hours], 0), 1
    if hour is None or (colon and not (minutes.isdecimal() and len(minutes) == 2 and int(minutes) < 60)):
        return None
    if not colon and _at(words, at + 1) == "oclock":
        minutes, size = "00", 2
    elif not colon and len(_at(words, at + 1)) == 2 and 10 <= (_figures(_at(words, at + 1)) or 0) < 60:
        minutes, size = words[at + 1], 2
    half, more = _half(words, at + size)
    if not half and (not minutes or "." in _at(words, at)):
        return None
    return f"{hour}:{minutes or '00'}{half}", size + more


def _unmarked(words: list[str], at: int) -> tuple[str, int] | None:
    """`at 930`, `until 4.15`."""
    word = _at(words, at)
    figures = word.replace(".", "")
    hour, minutes = figures[:-2], figures[-2:]
    if _at(words, at - 1) not in AT or _at(words, at + 1) not in GOES_ON or not figures.isdecimal() or not hour:
        return None
    if _hour([hour], 0) is None or int(minutes) > 59 or ("." in word and word[-3] != "."):
        return None
    half, more = _half(words, at + 1)
    return f"{int(hour)}:{minutes}{half}", 1 + more


def _half(words: list[str], at: int) -> tuple[str, int]:
    """Of the day: what is said of it, with a space before, and in how many words."""
    if _at(words, at) in {"am", "pm"}:
        return f" {words[at]}", 1
    said = DAYTIMES.get((_at(words, at), _at(words, at + 1), _at(words, at + 2)), "")
    return (f" {said}", 3) if said else ("", 0)


def _day(words: list[str], at: int) -> tuple[str, int] | None:
    """`the 1st of october`, `1 october`, `october the 1st`: `1 october`."""
    begin, at = at, at + (_at(words, at) == "the")
    if _at(words, at) in MONTHS and at == begin:
        stands = at + 1 + (_at(words, at + 1) == "the")
        day = _number_of_day(_at(words, stands))
        return (f"{day} {words[at]}", stands + 1 - begin) if day else None
    day = _number_of_day(_at(words, at))
    stands = at + 1 + (_at(words, at + 1) == "of")
    if not day or _at(words, stands) not in MONTHS:
        return None
    return f"{day} {words[stands]}", stands + 1 - begin


def _number_of_day(word: str) -> int:
    day = _figures(word[:-2] if word.endswith(("st", "nd", "rd", "th")) else word)
    return day if day is not None and day <= 31 else 0


NUMBERS: tuple[Rule, ...] = (_and_a_half, _ordinal, _number)
SUMS: tuple[Rule, ...] = (_sum, _money)
TIMES: tuple[Rule, ...] = (_past, _clock, _unmarked)
DAYS: tuple[Rule, ...] = (_day,)
