"""How long an answer may be for a listener: it ends at a sentence, with an offer to go on."""

from gateway.chat.endings import ELLIPSIS, ENDED

MOST = 1500
"""Characters, some hundred seconds of speech; the sentence that is being said then is finished."""
PATIENCE = 400
"""Characters more, until it ends between two words."""
_WIDE = "。！？"  # noqa: RUF001 Chinese marks


class Length:
    """Counts what is said, and ends it."""

    def __init__(self, offer: str) -> None:
        self._offer = offer
        self._count = 0
        self._recent = ""
        self.over = False

    def cut(self, text: str) -> str:
        """The text, or its part that is still said with the offer behind it; then nothing more."""
        if self.over:
            return ""
        before = self._count
        self._count += len(text)
        if self._count > MOST:
            for at in range(max(0, MOST - before), len(text)):
                behind = (self._recent + text[:at])[-12:]
                if (mark := self._ends(behind, text[at], before + at)) is not None:
                    self.over = True
                    return text[:at] + mark + self._offer
        self._recent = (self._recent + text)[-12:]
        return text

    @staticmethod
    def _ends(behind: str, following: str, count: int) -> str | None:
        """What stands before the offer where the answer can end before this character; None where it cannot."""
        words = behind.rstrip()
        if following.isspace() or not words:
            return None
        spaced = words != behind
        if ENDED.search(words) and (spaced or words[-1] in _WIDE) and not following.islower():
            return ""
        if count > MOST + PATIENCE and spaced:
            return f"{ELLIPSIS} "
        return None
