"""Texts with phrases that come twice, and the ways in which a model goes on with one that broke off."""

import random
from collections.abc import Callable
from typing import TypeAlias

import regex

Way: TypeAlias = Callable[[str, int, random.Random], str]
"""From a text and where it broke off to what a model says when it is asked to go on."""

ENGLISH = (
    "The tower is very very tall, and it was built again and again. At the foot of the tower stands a house; the "
    "house at the foot of the tower is older. It's a well-known lighthouse \u2013 \u201cthe Light\u201d, say people. "
    "The light of the lighthouse is seen from far, far away, and step by step one gets there. No, no: the tower is 42 "
    "metres tall.\n\nThe tower is open from nine; that that is so, is so."
)
GERMAN = (
    "Der Turm ist sehr, sehr hoch, und der Turm ist sehr alt. Schritt für Schritt geht es hinauf, Stufe um Stufe, bis "
    "zur Laterne. Die, die oben wohnten, sahen das Meer und das Meer sah sie. Über die Brücke, über die Düne: "
    "\u201eHier oben\u201c, sagten sie, ist es schön \u2013 schön und still. Das Leuchtfeuer leuchtet, und das "
    "Leuchtfeuer des Turms leuchtet weit, weit hinaus aufs Wattenmeer."
)
CHINESE = (
    "灯塔很高，高四十二米。人人都说谢谢，谢谢守塔的人。慢慢走，慢慢看，"  # noqa: RUF001 Chinese marks
    "灯塔的灯照着海，海照着灯塔。研究研究这座灯塔吧。"  # noqa: RUF001
)
TEXTS = {"english": ENGLISH, "german": GERMAN, "chinese": CHINESE}


def broken_at(text: str, chance: random.Random) -> int:
    """Where a stream of UTF-8 that broke off at a random byte leaves the text: behind its last whole character."""
    encoded = text.encode()
    return len(encoded[: chance.randrange(6, len(encoded))].decode(errors="ignore"))


def exact(text: str, at: int, _: random.Random) -> str:
    """Token by token, even in the middle of a word."""
    return text[at:]


def restart(text: str, _: int, __: random.Random) -> str:
    """The whole answer once more."""
    return text


def overlap(text: str, at: int, chance: random.Random) -> str:
    """The last two to six words once more; of Chinese, six to fourteen characters."""
    if text == CHINESE:
        return text[max(0, at - chance.randint(6, 14)) :]
    begun = [match.start() for match in regex.finditer(r"(?<!\S)\S*?\w", text[:at])]
    return text[begun[-min(len(begun), chance.randint(2, 6))] :]


def broken_word(text: str, at: int, _: random.Random) -> str:
    """What there was of a word once more, with its rest; exactly where no word was begun, and in Chinese."""
    begun = regex.search(r"(?<!\S)\S*\w\S*\Z", text[:at])
    return text[begun.start() if begun and text != CHINESE else at :]


WAYS: tuple[Way, ...] = (exact, overlap, restart, broken_word)
