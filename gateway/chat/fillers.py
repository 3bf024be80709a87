"""Fillers: which line is said while there is nothing else to say, and how it gets out of the history again.

A model that finds "Let me see." before every answer of its own begins to write it itself. So what callers send back
loses it, and all else stays byte for byte: what the model wrote is what a provider's prefix cache holds.

Callers do not send back what was sent to them: transcripts lose case, marks and blanks. Fillers are known again by
their letters and digits alone, without case and accents.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from unicodedata import combining, normalize

from gateway.chat.history import spoken
from gateway.chat.query import WORD
from gateway.types import Message

_LEAST = 2
"""Words that a filler's beginning needs, to be known as one that was interrupted."""
_CLOSING = re.compile(
    r"""(?:\s*(?:\u2026|\.{2,}))?[.,;:!?\u2026\u3002\uff0c\u3001\uff01\uff1f\u2013\u2014~"'\u2019\u201d\u00bb\u300d)\]-]*\s*"""
)
"""The marks that end a filler, and the blanks behind it."""


def chosen(fillers: Sequence[str], messages: Sequence[Message]) -> str:
    """The filler of this turn: the one after the last one that was said; without any, by the number of user turns."""
    for message in reversed(messages):
        if message["role"] == "assistant" and (said := _found(spoken(message), fillers)) is not None:
            return fillers[(said[0] + 1) % len(fillers)]
    turns = [message for message in messages if message["role"] == "user"]
    return fillers[len(turns) % len(fillers)]


def removed(messages: Sequence[Message], fillers: Sequence[str]) -> list[Message]:
    """The messages as if no filler had been said.

    One that was nothing else is gone; those without a filler are the same objects.
    """
    found: list[Message] = []
    for message in messages:
        if message["role"] != "assistant" or (said := _found(spoken(message), fillers)) is None:
            found.append(message)
        elif said[1]:
            found.append({**message, "content": said[1]})
        elif message.get("tool_calls") or message.get("function_call"):
            found.append({**message, "content": None})
    return found


def _found(text: str, fillers: Sequence[str]) -> tuple[int, str] | None:
    """The index of the longest filler that the text begins with, and the rest; None for any other text.

    A text that is itself the beginning of a filler, of two words at least, is one that was interrupted.
    """
    best: tuple[int, int] | None = None
    for index, filler in enumerate(fillers):
        if key := _letters(filler):
            end = _end(text, key)
            if end is None and _cut_short(text, key):
                end = len(text)
            if end is not None and (best is None or end > best[1]):
                best = index, end
    if best is None:
        return None
    index, end = best
    closing = _CLOSING.match(text, end)
    return index, text[closing.end() if closing else end :]


def _end(text: str, key: str) -> int | None:
    """Where in the text the letters of `key` end, and with them a word; None where it does not begin with them."""
    seen = 0
    for index, character in enumerate(text):
        letters = _folded(character)
        if seen == len(key) and not combining(character):
            return None if letters else index
        if not key.startswith(letters, seen):
            return None
        seen += len(letters)
    return len(text) if seen == len(key) else None


def _cut_short(text: str, key: str) -> bool:
    if len(text) > 2 * len(key) + 40:  # marks and blanks may be many, but not that many
        return False
    return key.startswith(_letters(text)) and len(WORD.findall(text)) >= _LEAST


@lru_cache(maxsize=1024)
def _letters(text: str) -> str:
    return "".join(map(_folded, text))


def _folded(character: str) -> str:
    """A letter or digit without case and accents; nothing for any other character."""
    if character.isascii():
        return character.lower() if character.isalnum() else ""
    return "".join(each for each in normalize("NFKD", character.casefold()) if each.isalnum())
