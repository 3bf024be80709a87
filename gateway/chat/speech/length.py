"""How long an answer may be for a listener: it ends at a sentence, with an offer to go on."""

from unicodedata import category, combining

from gateway.chat.endings import ELLIPSIS, ENDED

MOST = 1500
"""Characters, some hundred seconds of speech; the sentence that is being said then is finished."""
PATIENCE = 400
"""Characters more until it ends between two words, and again so many until it ends between two characters."""
_WIDE = "。！？"  # noqa: RUF001 Chinese marks
_BEHIND = 12


class Length:
    """Counts what is said, and ends it."""

    def __init__(self, offer: str) -> None:
        self._offer = offer
        self._count = 0
        self._recent = ""
        self.over = False
        """Whether it was ended."""

    def cut(self, text: str) -> str:
        """The text, or its part that is still said with the offer behind it; then nothing more."""
        if self.over:
            return ""
        before = self._count
        self._count += len(text)
        for at in range(max(0, MOST - before), len(text)):
            behind = (self._recent + text[max(0, at - _BEHIND) : at])[-_BEHIND:]
            if (mark := _end(behind, text[at], before + at)) is not None:
                self.over = True
                return text[:at] + mark + self._offer
        self._recent = (self._recent + text)[-_BEHIND:]
        return text


def _end(behind: str, following: str, count: int) -> str | None:
    """What stands before the offer where an answer of `count` characters can end here; None where it cannot."""
    words = behind.rstrip()
    if following.isspace() or not words:
        return None
    spaced = words != behind
    if ENDED.search(words) and (spaced or words[-1] in _WIDE) and not following.islower():
        return ""
    if count > MOST + PATIENCE and spaced:
        return f"{ELLIPSIS} "
    # Never inside of what is seen as one character.
    if count > MOST + 2 * PATIENCE and category(following)[0] not in "MC" and not _joins(behind[-1]):
        return f"{ELLIPSIS} "
    return None


def _joins(character: str) -> bool:
    """Whether what follows belongs to it: a joiner, or a sign that makes conjuncts."""
    return category(character)[0] == "C" or combining(character) == 9
