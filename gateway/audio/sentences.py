"""Where a text can be cut so that its pieces are said one after another, as it comes."""

from collections.abc import Iterator

import regex

SENTENCE = regex.compile(
    r".*?(?:(?<!\b(?:Mr|Mrs|Ms|Dr|Prof|St|vs|e\.g|i\.e|\p{Lu}))\.(?=\s)|[!?\u2026:;](?=\s)|[\u3002\uff01\uff1f]|\n)\s*",
    regex.DOTALL,
)
"""What is long enough to be spoken: Simli's pipeline waits for a sentence's end, too. A title's dot is no end."""
CLAUSE = regex.compile(r".{12,}?[,\u2013\u2014](?=\s)\s*", regex.DOTALL)
"""The shortest beginning of an answer that sounds like one."""
LONGEST = 300
"""Characters of a piece: some twenty seconds. What has no end by then is cut between two words."""


def ripe(text: str, at: int = 0, *, first: bool = False) -> int:
    """Where the piece that begins `at` ends, and can be said; `at` itself: more has to come.

    `first`: nothing was said yet, so a clause is enough, for whoever waits hears it a sentence earlier.
    """
    found = SENTENCE.match(text, at) or (CLAUSE.match(text, at) if first else None)
    whole = found.end() if found else len(text)
    if whole - at > LONGEST:
        return _cut(text, at)
    return whole if found else at


def pieces(text: str) -> Iterator[str]:
    """All pieces of a text that is whole."""
    at = 0
    while at < len(text):
        end = ripe(text, at)
        if end == at:
            end = len(text)
        yield text[at:end]
        at = end


def _cut(text: str, at: int) -> int:
    """Behind the last space within the longest piece; where there is none, there."""
    space = max(text.rfind(blank, at + 1, at + LONGEST) for blank in " \n\t")
    return space + 1 if space > at else at + LONGEST
