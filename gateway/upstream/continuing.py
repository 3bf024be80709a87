"""An answer that broke off midway, gone on with by another target: prose only, once, no word repeated or lost.

The successor is asked the same with what was said as the last message, the assistant's own. How it goes on from there
is its own affair: exactly where the answer broke off, be it in the middle of a word; with the last words, or the
broken one, once more; or from the very beginning. What it repeats is dropped (`Seam` has the rule), and of its stream
only so much is held back as can still be repetition.
"""

from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import replace

import regex

from gateway.errors import RequestError, UpstreamEmpty, UpstreamError, UpstreamTruncated
from gateway.types import Chunks, Opened, Prompt

MEMORY = 64 * 1024
"""Characters that an answer may have and still be gone on with."""

_NEVER = 2 * MEMORY
_UNSPACED = r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]\p{M}*"
_WORDS = regex.compile(rf"(?P<unspaced>{_UNSPACED})|(?:(?!{_UNSPACED})[\p{{L}}\p{{M}}\p{{N}}])+")
_BEGINNINGS = regex.compile(rf"(?<!\S)\S|\p{{P}}|{_UNSPACED}|(?<![\p{{L}}\p{{M}}\p{{N}}])[\p{{L}}\p{{N}}]")


async def continued(chunks: Chunks, prompt: Prompt, successor: Callable[[Prompt], Awaitable[Opened]]) -> Chunks:
    """The chunks; where they break off in prose, those of the successor behind them.

    Prose: text was said, and no tool call, refusal or reasoning was begun. Raises the error that the chunks broke off
    with where there is nothing to go on with, and whatever becomes of the successor.
    """
    said: list[str] = []
    room, prose = MEMORY, True
    broken: UpstreamError | None = None
    try:
        async with aclosing(chunks):
            async for chunk in chunks:
                if prose:
                    said.append(chunk.text)
                    room -= len(chunk.text)
                    prose = room >= 0 and chunk.delta is None and chunk.finish_reason is None
                yield chunk
        if prose:
            broken = UpstreamTruncated("The upstream's answer ended without a finish reason.")
    except UpstreamError as error:
        broken = error
    if broken is None:
        return
    text = "".join(said)
    try:
        if not prose or not text.strip():
            raise broken
        async with aclosing(_succeeded(text, prompt, successor)) as following:
            async for chunk in following:
                yield chunk
    except (UpstreamError, RequestError) as error:
        if error is broken:
            raise
        raise broken from error
    finally:
        broken = None  # see gate.resumed


async def _succeeded(said: str, prompt: Prompt, successor: Callable[[Prompt], Awaitable[Opened]]) -> Chunks:
    messages = [*prompt.messages, {"role": "assistant", "content": said}]
    opened = await successor(replace(prompt, messages=messages))
    try:
        async with aclosing(joined(said, opened.chunks)) as chunks:
            async for chunk in chunks:
                yield chunk
    finally:
        await opened.aclose()


async def joined(said: str, chunks: Chunks) -> Chunks:
    """The chunks of a successor without what was said already; its finish says that the answer was continued.

    Raises UpstreamTruncated where there is no finish, UpstreamEmpty where there is nothing else.
    """
    seam, heard, whole = Seam(said), "", False
    open_ = True
    async with aclosing(chunks):
        async for chunk in chunks:
            if open_:
                heard += chunk.text
                repeated = seam.repeated(heard, ended=chunk.finish_reason is not None or chunk.delta is not None)
                open_ = repeated is None
                chunk.text = heard[repeated:] if repeated is not None else ""
            if chunk.finish_reason is not None:
                if not heard.strip():
                    raise UpstreamEmpty("The upstream finished without a word.", finish_reason=chunk.finish_reason)
                whole = True
                chunk.extension = {**(chunk.extension or {}), "continued": True}
            yield chunk
    if not whole:
        raise UpstreamTruncated("The upstream's answer ended without a finish reason.")


class Seam:
    """Where a continuation meets what was said: how much of its beginning is repetition.

    Repetition is the longest end of what was said that begins with a word or mark and that the continuation begins
    with. Such an end counts if it cannot well be the exact continuation:

    - where what was said ends without a blank, in a script that has them, and the continuation begins without one: any
      end that begins a word, be it the one word or what there is of it. An exact continuation would have begun with a
      blank or a mark, or have been the rest of the word ("light", "house"). It follows that a word which begins with
      itself ("pa", "pa"; "20", "20") is taken for a broken one;
    - where it ends in a blank, or in a script without blanks: two words, or four characters of such a script. One word
      is no repetition ("very ", "very tall"), for speech doubles words, and characters by twos; two words are, so that
      of "step by ", "step by boat" one is dropped;
    - where the continuation begins with a blank and what was said ended in a word, it goes on exactly ("very",
      " very tall"), unless it begins with all of four words or more that were said;
    - all that was said may be shorter: one word, or two characters.

    A blank that the said ended in and the continuation begins with is one.
    """

    __slots__ = ("_alive", "_best", "_lead", "_said")

    def __init__(self, said: str) -> None:
        self._said = said
        self._lead = -1
        self._alive: list[int] = []
        """Where those ends begin that the continuation may yet turn out to repeat."""
        self._best: int | None = None
        """Where the longest end begins that it did repeat."""

    def repeated(self, heard: str, *, ended: bool) -> int | None:
        """How many characters to drop of `heard`, the continuation so far; None where that cannot be said yet.

        `heard` only grows from call to call. With `ended` nothing follows, so that there is an answer.
        """
        words = heard.lstrip()
        if words and self._lead < 0:
            self._begin(heard, words)
        if words:
            self._compare(words)
        if not ended and (self._alive or not words):
            return None
        if self._best is not None:
            return self._lead + len(self._said) - self._best
        if self._alive and sum(_weighed(words).values()) >= 4:
            return len(heard)  # it said again what was said, not even all of it, and finished
        return int(self._said.endswith(" ") and heard.startswith(" "))

    def _begin(self, heard: str, words: str) -> None:
        """Which ends of what was said would count as repetition, now that the first character is there."""
        said, weights = self._said, _weighed(self._said)
        self._lead = len(heard) - len(words)
        beginnings = [match.start() for match in _BEGINNINGS.finditer(said)]
        first = beginnings[0]
        if self._lead and _WORDS.match(said[-1]):
            least, least_of_all = _NEVER, 8
        elif not (self._lead or said[-1].isspace()) and weights and next(reversed(weights.values())) == 2:
            least, least_of_all = 1, 1
            if not _WORDS.match(words[0]):  # a mark: an opening one stands behind a blank
                beginnings = [start for start in beginnings if start == first or said[start - 1].isspace()]
        else:
            least, least_of_all = 4, 2
        weight, rest = 0, list(weights.items())
        for start in reversed(beginnings):
            while rest and rest[-1][0] >= start:
                weight += rest.pop()[1]
            if weight >= (least_of_all if start == first else least):
                self._alive.append(start)

    def _compare(self, words: str) -> None:
        """Sort out the ends: those that are repeated, those that may be, and the others."""
        alive = []
        for start in self._alive:
            if len(self._said) - start > len(words):
                if self._said.startswith(words, start):
                    alive.append(start)
            elif words.startswith(self._said[start:]) and (self._best is None or start < self._best):
                self._best = start
        self._alive = alive


def _weighed(text: str) -> dict[int, int]:
    """Where each word begins, and its weight: two, or one for a character of a script without blanks."""
    return {match.start(): 1 if match["unspaced"] else 2 for match in _WORDS.finditer(text)}
