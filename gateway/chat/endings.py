"""How an answer ends that failed, where failures are spoken: in the apology, as speech, and a proper finish.

What was said stays said. A voice would read "the tower is forty Sorry" as one sentence, so a broken sentence gets an
ellipsis first, which text to speech makes a pause of in every language.
"""

import logging
import re
from contextlib import aclosing
from unicodedata import east_asian_width

from gateway.chat.stream import understood
from gateway.errors import GatewayError, UpstreamEmpty, UpstreamRejected
from gateway.types import Chunk, Chunks, Stage, Turn

logger = logging.getLogger("gateway.turn")

ELLIPSIS = "\N{HORIZONTAL ELLIPSIS}"
ENDED = re.compile(
    r"""[.!?\u2026\u3002\uff01\uff1f\u061f\u06d4\u0964]["'\u2019\u201c\u201d\u00ab\u00bb\u300d\u300f\uff09)\]*_]*$"""
)
"""The end of a sentence, with the quotation marks and brackets that may close behind it."""


def recovered(apology: str, turn: Turn) -> Stage:
    """An upstream that fails midway ends in an apology, as speech, and a proper finish.

    A tool call that was begun stays half a call: the finish is never `tool_calls`.
    """

    async def stage(chunks: Chunks) -> Chunks:
        last = ""
        try:
            async with aclosing(chunks):
                async for chunk in chunks:
                    if chunk.text:
                        # Blanks alone do not hide what stands before them.
                        last = last.rstrip()[-2:] + chunk.text if chunk.text.isspace() else chunk.text
                    yield chunk
        except Exception as caught:  # noqa: BLE001 a bug of ours must not be silence either
            async for chunk in excused(apology, understood(caught, turn.id), turn, last):
                yield chunk

    return stage


async def excused(apology: str, error: GatewayError, turn: Turn, said: str = "") -> Chunks:
    """The apology behind what was `said` (its end is enough), or as the whole answer where nothing came of it."""
    when = "after" if said else "before"
    # Who rejects a request may quote it, and words stand in the log only where it is told so.
    why = "the upstream rejects it" if isinstance(error, UpstreamRejected) else error.message
    logger.warning("turn %s: %s %s the first word: %s", turn.id, error.code, when, why)
    turn.outcome, turn.code = "incomplete_spoken", error.code
    finish = error.finish_reason if isinstance(error, UpstreamEmpty) else "stop"
    yield Chunk(text=joint(said, apology) + apology, more=True)
    yield Chunk(finish_reason=finish, extension={"incomplete": True, "code": error.code})


def joint(said: str, following: str) -> str:
    """What goes between words that may have been broken off and a sentence that does not belong to them."""
    words = said.rstrip()
    if not words:
        return ""
    pause = "" if ENDED.search(words) else ELLIPSIS
    # Han and kana are written without blanks.
    spaced = said != words and not pause
    return pause + ("" if spaced or east_asian_width(following[:1] or " ") in "WF" else " ")
