"""What to look up, from the last two user turns; and when there is nothing to look up.

Looking up costs a few milliseconds and passages that answer nothing, so greetings, thanks, a yes or no,
laughter and "say that again" are let pass. The gate is conservative: a turn is small talk only where
phrases of `smalltalk.py` cover all of its words, so that one word of content opens it: "Hello, when does
the boat leave?" Languages are not told apart: people switch, and transcripts mistake one for another.
"""

import re
from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import TypeAlias
from unicodedata import combining, normalize

from gateway.chat.history import History
from gateway.chat.lines import default_lines
from gateway.chat.smalltalk import ANSWER, FILLER, GREETING, REPEAT, THANKS, WELLBEING
from gateway.types import Prompt, Query

Words: TypeAlias = tuple[str, ...]

LONGEST = 40
"""Words of small talk at most (characters, where a script has no spaces)."""
# Han and kana are read by the character: they are written without spaces.
_CHARACTER = r"\u3005\u3041-\u309f\u30a1-\u30fa\u30fc-\u30ff\u3400-\u9fff\uf900-\ufaff"
WORD = re.compile(rf"[{_CHARACTER}]|[^\W_{_CHARACTER}]+")
# Apostrophes go, and Turkish's dotless i is an i.
_QUIET = str.maketrans({"'": "", "\u2019": "", "\u02bc": "", "\u0131": "i"})
_LAUGHTER = re.compile(
    r"(?:h[aeiou]){2,}h?|a(?:ha)+h?|(?:j[aeiou]){2,}j?|(?:rs){2,}|k{3,}|w{3,}|lol|lmao|rofl|mdr|xd+|[哈呵嘿嘻]"
)
_CONTEXT = 1000
"""Characters of the turn before that can matter to a search."""


def of(history: History, names: Collection[str] = ()) -> Query | None:
    """The query of a history; None where there is nothing to look up. `names`: what the agent is called."""
    if history.last is None or is_small_talk(history.question, names):
        return None
    return Query(history.question, history.context[-_CONTEXT:])


def is_small_talk(text: str, names: Collection[str] = ()) -> bool:
    """Whether all of it is greeting, thanks, yes or no, laughter, "repeat that", or no word at all."""
    words = _words(text)
    return len(words) <= LONGEST and _covered(words, _SMALL_TALK, _called(names), laughter=True)


def is_greeting(text: str, names: Collection[str] = ()) -> bool:
    """Whether it is a bare greeting, with or without "how are you"."""
    words = _words(text)
    called = _called(names)
    if len(words) > LONGEST or _covered(words, _FILLERS, called, laughter=False):
        return False
    return _covered(words, _GREETINGS, called, laughter=False)


def reply(prompt: Prompt) -> str:
    """What an agent says to small talk where no model is asked; empty for anything else.

    A greeting gets the first message, thanks a "you're welcome", "say that again" the last answer, and a bare yes or no
    a question.
    """
    agent = prompt.agent
    if agent is None or not is_small_talk(prompt.question, [agent.name]):
        return ""
    lines = default_lines(agent.language)
    if is_greeting(prompt.question, [agent.name]):
        return agent.first_message or lines.first_message
    words, called = _words(prompt.question), _called([agent.name])
    answered = _covered(words, _ANSWERS, called, laughter=True)
    if not answered and _covered(words, _THANKS, called, laughter=True):
        return lines.welcome
    said = [str(each.get("content") or "") for each in prompt.messages if each["role"] == "assistant"]
    if _covered(words, _REPEAT, called, laughter=False) and said and said[-1].strip():
        return said[-1]
    return lines.onward


def _words(text: str) -> Words:
    """Words in small letters without accents; characters where a script has no spaces."""
    if len(text) > 400:  # no small talk is so long: nothing is gained by reading it
        text = text[:400] + " " + "x " * (LONGEST + 1)
    return tuple(WORD.findall(_plain(text)))


def _plain(text: str) -> str:
    bare = "".join(each for each in normalize("NFKD", text.casefold()) if not combining(each))
    return bare.translate(_QUIET)


def _phrases(*kinds: Mapping[str, str]) -> Mapping[str, frozenset[Words]]:
    """Phrases by their first word."""
    found: dict[str, set[Words]] = {}
    for kind in kinds:
        for phrase in ",".join(kind.values()).split(","):
            words = tuple(WORD.findall(_plain(phrase)))
            found.setdefault(words[0], set()).add(words)
    return {first: frozenset(phrases) for first, phrases in found.items()}


_FILLERS = _phrases(FILLER)
_GREETINGS = _phrases(GREETING, WELLBEING, FILLER)
_ANSWERS = _phrases(ANSWER, FILLER)
_THANKS = _phrases(THANKS, ANSWER, FILLER)
_REPEAT = _phrases(REPEAT, FILLER)
_SMALL_TALK = _phrases(GREETING, WELLBEING, THANKS, ANSWER, REPEAT, FILLER)


@lru_cache(maxsize=256)
def _name_words(name: str) -> Words:
    return tuple(WORD.findall(_plain(name)))


def _called(names: Collection[str]) -> frozenset[Words]:
    return frozenset(words for name in names if (words := _name_words(name)))


def _covered(
    words: Words, phrases: Mapping[str, frozenset[Words]], called: frozenset[Words], *, laughter: bool
) -> bool:
    """Whether the words can be cut into phrases without a rest."""
    reached = {0}
    for start in range(len(words)):
        if start not in reached:
            continue
        for phrase in (*phrases.get(words[start], ()), *called):
            if words[start : start + len(phrase)] == phrase:
                reached.add(start + len(phrase))
        if laughter and _LAUGHTER.fullmatch(words[start]):
            reached.add(start + 1)
    return len(words) in reached
