"""What was said beside what was heard: the words that differ, found by laying one text along the other."""

from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher
from itertools import groupby
from typing import Literal, NamedTuple, TypeAlias

from gateway.audio.spoken import WORD
from gateway.smoke.report.figures import readable

Kind: TypeAlias = Literal["same", "other", "cut"]
"""As on the other side; not so; after the place where somebody broke it off."""
LONG = 2000
"""Words from which on frequent ones are no anchors: a comparison of all with all would take seconds."""


class Run(NamedTuple):
    """Words in a row that fared alike, with the spaces after them."""

    text: str
    kind: Kind


class Compared(NamedTuple):
    """Both sides of a text."""

    said: tuple[Run, ...]
    heard: tuple[Run, ...]

    @property
    def differs(self) -> bool:
        """Whether a word was heard as another, or not at all, where it was to be heard."""
        return any(run.kind == "other" for side in self for run in side)


def key(word: str) -> str:
    """A word without capitals and marks. Empty: it was nothing but marks."""
    return "".join(each for each in word.casefold() if each.isalnum())


def keys(text: str) -> list[str]:
    """The words of a text as they are compared."""
    return [found for word in WORD.findall(text) if (found := key(word))]


def compared(said: str, heard: str, *, broken_off: bool = False) -> Compared:
    """Lay them along each other. Of what was broken off, the end that was not heard is `cut`, and no difference."""
    left, right = WORD.findall(readable(said)), WORD.findall(readable(heard))
    of_left, of_right = _differing(left, right)
    kinds = _kinds(left, of_left)
    if broken_off:
        same = [index for index, word in enumerate(left) if key(word) and index not in of_left]
        after = same[-1] + 1 if same else 0
        kinds = [*kinds[:after], *("cut" for _ in left[after:])]
    return Compared(_runs(left, kinds), _runs(right, _kinds(right, of_right)))


def plain(text: str) -> tuple[Run, ...]:
    """A text with nothing to compare it with."""
    return (Run(readable(text), "same"),) if text else ()


def _differing(left: Sequence[str], right: Sequence[str]) -> tuple[set[int], set[int]]:
    """The places on either side of words that the other side has not."""
    places = tuple([index for index, word in enumerate(side) if key(word)] for side in (left, right))
    names = tuple([key(side[index]) for index in at] for side, at in zip((left, right), places, strict=True))
    matcher = SequenceMatcher(None, *names, autojunk=max(map(len, names)) > LONG)
    found: tuple[set[int], set[int]] = set(), set()
    for tag, a, b, c, d in matcher.get_opcodes():
        if tag == "equal" or "".join(names[0][a:b]) == "".join(names[1][c:d]):
            continue  # `key board` is `keyboard`
        found[0].update(places[0][a:b])
        found[1].update(places[1][c:d])
    return found


def _kinds(words: Sequence[str], differing: set[int]) -> list[Kind]:
    return ["other" if index in differing else "same" for index in range(len(words))]


def _runs(words: Iterable[str], kinds: Iterable[Kind]) -> tuple[Run, ...]:
    grouped = groupby(zip(words, kinds, strict=True), key=lambda each: each[1])
    return tuple(Run("".join(word for word, _ in group), kind) for kind, group in grouped)
