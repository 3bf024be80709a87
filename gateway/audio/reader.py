"""A voice that reads English, by a model in a process of its own; what that cannot say is babbled.

The model's work is a process's so that nothing else waits for it, and one process's whoever speaks, so that memory is
held once. It is started when somebody is about to be spoken to, and again after it died.
"""

import asyncio
import json
import logging
import struct
import subprocess
import sys
import time
from concurrent.futures import CancelledError, ThreadPoolExecutor
from importlib.util import find_spec
from threading import Timer
from typing import IO

import regex

from gateway.audio.babble import Babble
from gateway.audio.sentences import pieces
from gateway.audio.spoken import Spoken, timed

logger = logging.getLogger("gateway.audio")
MODEL = "hibari"
"""The module of the package hibari-tts; it is looked for, and imported only by the program."""
PROGRAM = (sys.executable, "-P", "-m", "gateway.audio.reading")
IDLE_S = 300.0
"""Seconds without a question after which it ends; the next one starts it again."""
START_S, ANSWER_S = 15.0, 10.0
"""Seconds for its start and for an answer; then it is killed. It takes half a second, and 50 ms."""
REST_S = 60.0
"""Seconds that are babbled after it did not start."""
LARGEST = 1 << 23
"""Bytes of an answer: some four minutes."""
SLOWEST, FASTEST = 0.5, 2.0
"""The paces that the model has."""
LANGUAGE = "en"
LETTER = regex.compile(r"\p{L}")
LATIN = regex.compile(r"\p{Latin}")


class Dead(Exception):
    """The program has ended, or does not answer."""


class Reader:
    """One program for all who are spoken to; one thread asks it, one piece of text at a time."""

    def __init__(
        self, program: tuple[str, ...] = (*PROGRAM, str(IDLE_S)), *, needs: str = MODEL, answer_s: float = ANSWER_S
    ) -> None:
        self._program = program
        self._needs = needs
        self._answer_s = answer_s
        self._babble = Babble()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="voice")
        self._process: subprocess.Popen[bytes] | None = None
        self._rests_until = 0.0
        self._closed = False

    @property
    def pid(self) -> int | None:
        """The process's; None: none runs."""
        return self._process.pid if self._process else None

    def say(self, text: str, language: str = "en", pace: float = 1.0) -> Spoken:
        """What a text sounds like, piece by piece, so that who else is spoken to does not wait for all of it."""
        made, begins, at = [], [], 0
        for piece in pieces(text):
            one = self._in_turn(piece, language, pace)
            made.append(one.pcm)
            begins += [(at + begin, word) for begin, word in one.words]
            at += len(one.pcm) // 2
        return Spoken(b"".join(made), tuple(begins))

    async def spoken(self, text: str, language: str = "en") -> Spoken:
        """The same of one piece, within the loop; cancelled, it is not begun any more."""
        return await asyncio.wrap_future(self._thread.submit(self._say, text, language, 1.0))

    def warm(self, language: str = "en") -> None:
        """Start the program, if it does not run and reads this language."""
        if language.lower().startswith(LANGUAGE):
            self._thread.submit(self._read, "", 1.0)

    def close(self) -> None:
        """End the program, and what waits for it."""
        self._closed = True
        process = self._process
        if process is not None:
            process.kill()  # nobody waits for an answer
        self._thread.shutdown(cancel_futures=True)
        self._end()

    def _in_turn(self, piece: str, language: str, pace: float) -> Spoken:
        try:
            return self._thread.submit(self._say, piece, language, pace).result()
        except (CancelledError, RuntimeError):  # closed meanwhile: nobody will hear it
            return self._babble.say(piece, language, pace)

    def _say(self, text: str, language: str, pace: float) -> Spoken:
        readable = language.lower().startswith(LANGUAGE) and english(text)
        pcm = self._read(text, pace) if readable else None
        return timed(text, pcm) if pcm else self._babble.say(text, language, pace)

    def _read(self, text: str, pace: float) -> bytes | None:
        """The samples; None: it did not start, or died of this twice."""
        asked = json.dumps({"text": text, "pace": min(max(pace, SLOWEST), FASTEST)}).encode() + b"\n"
        for _ in range(2):
            process = self._started()
            if process is None:
                return None
            try:
                return _answer(process, asked, self._answer_s)
            except Dead:
                self._end()
        logger.warning("the voice died twice of one sentence, which is babbled")
        return None

    def _started(self) -> subprocess.Popen[bytes] | None:
        if self._process is not None:
            return self._process
        if self._closed or time.monotonic() < self._rests_until:
            return None
        if find_spec(self._needs) is None:
            self._rest(f"{self._needs} is not installed")
            return None
        # A group of its own: Ctrl-C at a terminal is for the sandbox, and the pipe's end is for this.
        self._process = subprocess.Popen(  # noqa: S603 our own program
            self._program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, process_group=0
        )
        try:
            _answer(self._process, b"", START_S)
        except Dead:
            self._rest(f"its program ended with status {self._end()}")
            return None
        return self._process

    def _rest(self, why: str) -> None:
        self._rests_until = time.monotonic() + REST_S
        logger.warning("the voice does not start (%s): what is said is babbled", why)

    def _end(self) -> int | None:
        process, self._process = self._process, None
        if process is None:
            return None
        process.kill()
        for pipe in (process.stdin, process.stdout):
            assert pipe is not None
            try:
                pipe.close()
            except BrokenPipeError:  # what was not written any more
                continue
        return process.wait()


def english(text: str) -> bool:
    """Whether a text has the letters for it: at least half are Latin. One without letters is for anybody to say."""
    letters = len(LETTER.findall(text))
    return bool(text.strip()) and 2 * len(LATIN.findall(text)) >= letters


def _answer(process: subprocess.Popen[bytes], asked: bytes, within: float) -> bytes:
    """Ask, and read the answer; `Dead` where none comes in time, for then it is killed."""
    assert process.stdin is not None
    assert process.stdout is not None
    late = Timer(within, process.kill)
    late.daemon = True
    late.start()
    try:
        process.stdin.write(asked)
        process.stdin.flush()
        (size,) = struct.unpack("<I", _exactly(process.stdout, 4))
        if size > LARGEST:
            raise Dead
        return _exactly(process.stdout, size)
    except OSError:
        raise Dead from None
    finally:
        late.cancel()


def _exactly(pipe: IO[bytes], size: int) -> bytes:
    found = pipe.read(size)
    if len(found) < size:
        raise Dead
    return found
