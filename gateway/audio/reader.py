"""A voice that reads English, by a model in a process of its own; what that cannot say is babbled."""

import asyncio
import json

import regex

from gateway.audio.babble import Babble
from gateway.audio.program import ANSWER_S, NoAnswer, Program, python
from gateway.audio.sentences import pieces
from gateway.audio.spoken import Spoken, timed

MODEL = "hibari"
"""The module of the package hibari-tts; it is looked for, and imported only by the program."""
IDLE_S = 300.0
"""Seconds without a question after which it ends; the next one starts it again."""
COMMAND = python("gateway.audio.reading", IDLE_S)
"""It takes half a second to start, and 50 ms a sentence."""
SLOWEST, FASTEST = 0.5, 2.0
"""The paces that the model has."""
LANGUAGE = "en"
LETTER = regex.compile(r"\p{L}")
LATIN = regex.compile(r"\p{Latin}")


class Reader:
    """One program for all who are spoken to; it is asked one piece of text at a time."""

    def __init__(self, command: tuple[str, ...] = COMMAND, *, needs: str = MODEL, answer_s: float = ANSWER_S) -> None:
        self._babble = Babble()
        self._program = Program(
            command, needs=(needs,), name="the voice", without="what is said is babbled", answer_s=answer_s
        )

    @property
    def pid(self) -> int | None:
        """The process's; None: none runs."""
        return self._program.pid

    def say(self, text: str, language: str = "en", pace: float = 1.0) -> Spoken:
        """What a text sounds like, piece by piece, so that who else is spoken to does not wait for all of it."""
        made, begins, at = [], [], 0
        for piece in pieces(text):
            one = self._said(piece, language, pace)
            made.append(one.pcm)
            begins += [(at + begin, word) for begin, word in one.words]
            at += len(one.pcm) // 2
        return Spoken(b"".join(made), tuple(begins))

    async def spoken(self, text: str, language: str = "en") -> Spoken:
        """The same of one piece, within the loop; cancelled, it is not begun any more."""
        if not readable(text, language):
            return self._babble.say(text, language)
        try:
            return self._timed(text, await asyncio.wrap_future(self._program.asked(_question(text))))
        except NoAnswer:
            return self._babble.say(text, language)

    def warm(self, language: str = "en") -> None:
        """Start the program, if it does not run and reads this language."""
        if language.lower().startswith(LANGUAGE):
            self._program.warm()

    def close(self) -> None:
        """End the program; what still waits for it is babbled."""
        self._program.close()

    def _said(self, piece: str, language: str, pace: float) -> Spoken:
        if not readable(piece, language):
            return self._babble.say(piece, language, pace)
        try:
            return self._timed(piece, self._program.asked(_question(piece, pace)).result(), pace)
        except NoAnswer:
            return self._babble.say(piece, language, pace)

    def _timed(self, text: str, pcm: bytes, pace: float = 1.0) -> Spoken:
        return timed(text, pcm) if pcm else self._babble.say(text, LANGUAGE, pace)


def _question(text: str, pace: float = 1.0) -> bytes:
    return json.dumps({"text": text, "pace": min(max(pace, SLOWEST), FASTEST)}).encode() + b"\n"


def readable(text: str, language: str) -> bool:
    """Whether this is for the model to say."""
    return language.lower().startswith(LANGUAGE) and english(text)


def english(text: str) -> bool:
    """Whether a text has the letters for it: at least half are Latin. One without letters is for anybody to say."""
    letters = len(LETTER.findall(text))
    return bool(text.strip()) and 2 * len(LATIN.findall(text)) >= letters
