"""What was said beside what was heard: the words that differ, found by laying one text along the other."""

from collections.abc import Collection, Sequence
from difflib import SequenceMatcher
from itertools import groupby
from typing import Literal, NamedTuple, TypeAlias

from gateway.audio.agreement import normal
from gateway.audio.spoken import WORD
from gateway.smoke.report.figures import readable

Kind: TypeAlias = Literal["same", "other", "cut"]
"""As on the other side; not so; after the place where somebody broke it off."""
LONG = 2000
"""Words from which on frequent ones are no anchors: a comparison of all with all would take seconds."""


class Run(NamedTuple):
    """Words in a row that fared alike. The space after words that differ is a run of its own."""

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
    missed, wrong = _differing(left, right)
    end = len(left)
    if broken_off:
        heard_at = [index for index, word in enumerate(left) if key(word) and index not in missed]
        end = heard_at[-1] + 1 if heard_at else 0
    return Compared(_runs(left, missed, end), _runs(right, wrong, len(right)))


def plain(text: str) -> tuple[Run, ...]:
    """A text with nothing to compare it with."""
    return (Run(readable(text), "same"),) if text else ()


def _differing(left: Sequence[str], right: Sequence[str]) -> tuple[set[int], set[int]]:
    """The places on either side of words that the other side has not."""
    at_left, at_right = _places(left), _places(right)
    keys_left, keys_right = [key(left[index]) for index in at_left], [key(right[index]) for index in at_right]
    matcher = SequenceMatcher(None, keys_left, keys_right, autojunk=max(len(keys_left), len(keys_right)) > LONG)
    missed: set[int] = set()
    wrong: set[int] = set()
    for tag, a, b, c, d in matcher.get_opcodes():
        if tag == "equal" or _sound_alike([left[at] for at in at_left[a:b]], [right[at] for at in at_right[c:d]]):
            continue
        missed.update(at_left[a:b])
        wrong.update(at_right[c:d])
    return missed, wrong


def _sound_alike(left: Sequence[str], right: Sequence[str]) -> bool:
    """`key board` is `keyboard`, and `ninety` is `90`."""
    texts = [" ".join(word.strip() for word in side) for side in (left, right)]
    return "".join(normal(texts[0])) == "".join(normal(texts[1]))


def _places(words: Sequence[str]) -> list[int]:
    """Of those that are more than marks."""
    return [index for index, word in enumerate(words) if key(word)]


def _runs(words: Sequence[str], differing: Collection[int], end: int) -> tuple[Run, ...]:
    """Words that fared alike, together; from `end` on they were cut off."""
    kinds: list[Kind] = ["cut" if at >= end else "other" if at in differing else "same" for at in range(len(words))]
    found: list[Run] = []
    for kind, group in groupby(range(len(words)), key=kinds.__getitem__):
        text = "".join(words[index] for index in group)
        bare = text if kind == "same" else text.rstrip()
        found.append(Run(bare, kind))
        if len(bare) < len(text):
            found.append(Run(text[len(bare) :], "same"))
    return tuple(found)
