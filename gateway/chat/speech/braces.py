"""Leaked calls and data, left out: up to the brace that closes the first one."""

_OPENING, _CLOSING = "{[(", "}])"


class Braces:
    """Finds the end of what began with a brace; strings of JSON may hold braces."""

    def __init__(self) -> None:
        self._depth = 0
        self._quoted = self._escaped = False
        self._last = ""

    def end(self, text: str, at: int) -> int | None:
        """Where in the text it is over; None where it goes on. A blank line ends what is never closed."""
        for index in range(at, len(text)):
            if self._over(text[index]):
                return index + 1
        return None

    def _over(self, character: str) -> bool:
        blank_line = character == self._last == "\n"
        self._last = character
        if blank_line or character == "\0":
            return True
        if self._quoted:
            self._quoted = self._escaped or character != '"'
            self._escaped = not self._escaped and character == "\\"
            return False
        self._quoted = character == '"'
        self._depth += (character in _OPENING) - (character in _CLOSING)
        return self._depth <= 0
