"""What Simli says in a session, read once for all dialects. What nobody knows is passed over."""

import asyncio
import json

from gateway.errors import (
    PeerError,
    SessionDropped,
    SessionEnded,
    SessionLimited,
    SessionRefused,
)
from gateway.peer.watch import Watch
from gateway.types.peer import Ending, Reason

REASONS: dict[str, Reason] = {"IDLE": "idle", "MAX": "max"}
WHY = {"idle": "it was idle for too long", "max": "it was as long as it may be", "stop": "it did not say why"}


def answer_in(text: str) -> str:
    """The SDP of an answer; empty: it is none."""
    if not text.lstrip().startswith("{"):
        return ""
    try:
        read = json.loads(text)
    except ValueError:
        return ""
    good = isinstance(read, dict) and read.get("type") == "answer" and isinstance(read.get("sdp"), str)
    return str(read["sdp"]) if good else ""


def as_error(ending: Ending) -> PeerError:
    """The error that an end is to whoever wanted to go on."""
    said = f": {ending.words}" if ending.words else ""
    if ending.reason == "error":
        return SessionRefused(f"Simli refused the session{said or '; it did not say why'}.")
    if ending.reason == "rate":
        return SessionLimited(f"Simli runs as many sessions as it may{said}. End one, or try again later.")
    if ending.reason in ("dropped", "done"):
        return SessionDropped(f"The line to Simli broke without a word{said}.")
    return SessionEnded(f"Simli ended the session: {WHY[ending.reason]}{said}.")


class Words:
    """The state that Simli's texts leave behind. The first of the older dialects means nothing, whatever it is."""

    def __init__(self, watch: Watch, *, reserved: bool) -> None:
        self._watch = watch
        self._reserved = reserved
        self._closing: Reason | None = None
        loop = asyncio.get_running_loop()
        self.answer: asyncio.Future[str] = loop.create_future()
        self.started = asyncio.Event()
        self.over: asyncio.Future[Ending] = loop.create_future()
        self.done = False
        """Whether we have said DONE."""

    def take(self, text: str) -> None:
        """One text."""
        reserved, self._reserved = self._reserved, False
        if sdp := answer_in(text):
            if not self.answer.done():
                self.answer.set_result(sdp)
            return
        first, _, rest = text.strip().partition(" ")
        word = first.rstrip(":").upper()
        if word in ("ERROR", "RATE"):  # never mere noise, not even in the first place
            self.end("error" if word == "ERROR" else "rate", rest.strip())
        elif not reserved:
            self._known(word, rest.strip())

    def _known(self, word: str, rest: str) -> None:
        if word == "START":
            self._watch.mark("start")
            self.started.set()
        elif word in ("SPEAK", "SILENT"):
            self._spoke(word == "SPEAK")
        elif word == "PONG":
            self._pong(rest)
        elif word in ("CLOSING", "STOP", "ENDFRAME"):
            named = REASONS.get(rest.rpartition(":")[2].strip().upper())
            self._closing = named or self._closing
            if word == "STOP":
                self.gone(stopped=True)

    def _spoke(self, speaks: bool) -> None:
        self._watch.speaking = speaks
        self._watch.speaks += speaks
        self._watch.silents += not speaks
        if speaks:
            self._watch.mark("speak")

    def _pong(self, body: str) -> None:
        try:
            self._watch.pinged(max(0.0, self._watch.now() - float(body)))
        except ValueError:
            return

    def gone(self, words: str = "", *, stopped: bool = False) -> None:
        """No more comes."""
        if self._closing:
            self.end(self._closing)
        elif self.done:
            self.end("done", "" if stopped else words or "the line closed without a word of it")
        else:
            self.end("stop" if stopped else "dropped", words)

    def end(self, reason: Reason, words: str = "") -> None:
        """It is over; what was first stays."""
        if not self.over.done():
            self.over.set_result(ending := Ending(reason, words[:200]))
            if not self.done:
                self._watch.ending = ending
