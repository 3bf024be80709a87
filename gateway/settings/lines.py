"""On which line of a TOML text a key stands. `tomllib` does not say, and a person looks for it.

A scan over lines, not a second parser: the text has been parsed before, so only valid TOML comes here. A key
inside an inline table has the line of the key that holds the table.
"""

import re

from gateway.settings.build import Keys

_PART = r"""(?:[A-Za-z0-9_-]+|"(?:[^"\\]|\\.)*"|'[^']*')"""
_DOTTED = rf"{_PART}(?:\s*\.\s*{_PART})*"
_HEADER = re.compile(rf"\s*(?P<open>\[\[?)\s*(?P<name>{_DOTTED})\s*\]")
_ENTRY = re.compile(rf"\s*(?P<name>{_DOTTED})\s*=")
_FENCES = ('"""', "'''")


def marked(text: str) -> dict[Keys, int]:
    """The 1-based line of each table and key."""
    found: dict[Keys, int] = {}
    counts: dict[Keys, int] = {}
    prefix: Keys = ()
    fence = ""
    for number, line in enumerate(text.split("\n"), 1):
        if fence:
            fence = "" if line.count(fence) % 2 else fence
            continue
        if header := _HEADER.match(line):
            prefix = _table(_parts(header["name"]), counts, repeated=header["open"] == "[[")
            found.setdefault(prefix, number)
        elif entry := _ENTRY.match(line):
            found.setdefault(prefix + _parts(entry["name"]), number)
            fence = next((each for each in _FENCES if line.count(each) % 2), "")
    return found


def nearest(marks: dict[Keys, int], keys: Keys) -> int:
    """The line of `keys`, else of what is around it; 0 where nothing is."""
    while keys:
        if keys in marks:
            return marks[keys]
        keys = keys[:-1]
    return 0


def _parts(name: str) -> Keys:
    return tuple(part.strip("\"'") for part in re.findall(_PART, name))


def _table(names: Keys, counts: dict[Keys, int], *, repeated: bool) -> Keys:
    """The keys of a `[table]` or of the next `[[table]]`, with the indexes of the repeated ones around it."""
    keys: Keys = ()
    for depth, name in enumerate(names):
        keys = (*keys, name)
        if repeated and depth == len(names) - 1:
            counts[keys] = counts.get(keys, -1) + 1
        if keys in counts:
            keys = (*keys, counts[keys])
    return keys
