"""The log: its form, and the one line of a turn."""

import fcntl
import logging
import select
import sys
import time
from datetime import UTC, datetime
from typing import IO, Any, NamedTuple

import orjson

from gateway.errors.redaction import Redact, redacted
from gateway.types import Turn, Words

_PATIENCE = 0.02
"""Seconds that a line waits for one of another process."""
_STALLED = 1.0
"""Seconds that a line waits for a reader who takes nothing; those after it are not waited for, until he does again."""
_AT_ONCE = 4096
"""Bytes that a pipe takes without a wait where it takes any (PIPE_BUF)."""
_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160))} | {0x2028: "\\u2028", 0x2029: "\\u2029"}
_turns = logging.getLogger("gateway.turn")
LONGEST = 8_000
"""Characters of one text in a line; the rest is left out."""
MOST_SENT = 32_000
"""Characters of what an upstream was sent: the last messages, and of those before how many there were."""
_LEVELS = {
    "gateway_error": logging.ERROR,
    "upstream_error": logging.WARNING,
    "incomplete_spoken": logging.WARNING,
}


def configure(form: str, stream: IO[str] | None = None, *, redact: Redact = redacted) -> None:
    """Send the log to `stream` (stderr) as `json`, as `text`, or by itself (`auto`: text on a terminal).

    `redact` takes out of every line what must not be shown.
    """
    stream = stream or sys.stderr
    as_json = form == "json" or (form == "auto" and not stream.isatty())
    handler = logging.StreamHandler(_Whole(stream))
    handler.setFormatter(_Json(redact) if as_json else _Text(redact))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("gateway").setLevel(logging.INFO)
    logging.getLogger("bm25s").setLevel(logging.WARNING)  # it sets its own level to DEBUG when it is imported


def turn_ended(turn: Turn) -> None:
    """Write the turn's canonical line: sizes and ids. What was said stays with those who said it, unless the turn has
    its words for the log (`[log] content`)."""
    level = _LEVELS.get(turn.outcome, logging.INFO)
    if _turns.isEnabledFor(level):
        # Made here: `log` would look for the line of code that calls it, which says nothing of a turn.
        record = logging.LogRecord(_turns.name, level, "", 0, "%s", (_Sentence(turn),), None)
        record.turn = turn
        _turns.handle(record)


def fields(turn: Turn, redact: Redact = redacted) -> dict[str, Any]:
    """The turn's record, as it goes into a JSON line; its words, where it has them, without what `redact` takes out."""
    passages = turn.retrieved.passages
    line = {
        "event": "turn",
        "request_id": turn.id,
        "trace_id": turn.trace.id if turn.trace else "",
        "span_id": turn.trace.span if turn.trace else "",
        "agent": turn.agent,
        "route": turn.route,
        "model": turn.model,
        "target": turn.target,
        "key": turn.key,
        "session": turn.session,
        "attempts": [
            {"target": one.target, "code": one.code, "milliseconds": round(one.milliseconds, 2), "kind": one.kind}
            for one in turn.attempts
        ],
        "filler": turn.filler,
        "stream": turn.stream,
        "status": turn.status,
        "outcome": turn.outcome,
        "code": turn.code,
        "phase": turn.phase,
        "upstream": turn.upstream,
        **{f"{name}_ms": round(value, 2) for name, value in turn.timings.items()},
        "retrieval": {
            "outcome": turn.retrieved.outcome,
            "reason": turn.retrieved.reason,
            "passages": [passage.id for passage in passages],
            "similarity": max((passage.similarity or 0.0 for passage in passages), default=0.0),
        },
        "finish_reason": turn.finish_reason,
        "chunks": turn.chunks,
        "characters": turn.characters,
        "prompt_tokens": turn.tokens("prompt_tokens"),
        "completion_tokens": turn.tokens("completion_tokens"),
    }
    return line if turn.words is None else line | _told(turn.words, redact)


def _told(words: Words, redact: Redact) -> dict[str, Any]:
    """What was said. Keys are looked for in the text as it was written, for JSON writes it otherwise, and before it is
    cut, for half a key is not known."""
    generated, answered = "".join(words.generated), "".join(words.answered)
    sent: list[dict[str, str]] = []
    room = MOST_SENT
    for role, text in reversed(words.sent):
        sent.append({"role": role, "content": redact(text)[:LONGEST]})
        room -= len(sent[-1]["content"])
        if room < 0:
            break
    return {
        "question": redact(words.asked)[:LONGEST],
        "answer": redact(answered)[:LONGEST],
        "generated": redact(generated)[:LONGEST] if generated != answered else None,
        "sent": sent[::-1],
        "sent_left_out": len(words.sent) - len(sent),
    }


class _Sentence(NamedTuple):
    """A turn's sentence for people, made only where it is read."""

    turn: Turn

    def __str__(self) -> str:
        return _said(self.turn)


def _said(turn: Turn) -> str:
    who = turn.agent or turn.model or "?"
    parts = [f"{who}: {turn.outcome}{f' ({turn.code})' if turn.code else ''}"]
    if turn.target:
        parts.append(f"by {turn.target}")
    if "ttft" in turn.timings:
        parts.append(f"first word {turn.timings['ttft']:.0f} ms")
    parts.append(f"{turn.characters} characters in {turn.timings.get('total', 0):.0f} ms")
    if turn.retrieved.outcome != "skipped":
        reason = f", {turn.retrieved.reason}" if turn.retrieved.reason else ""
        parts.append(f"{len(turn.retrieved.passages)} passages ({turn.retrieved.outcome}{reason})")
    return ", ".join([*parts, turn.id])


class _Whole:
    """Writes one line after another, beside other processes that write to the same pipe.

    A pipe takes up to 4,096 bytes at once; what is longer can be torn by what somebody else writes meanwhile. So who
    writes has it for itself: one microsecond a line.

    Where nobody reads the pipe (a collector that hangs, a terminal that was stopped) lines are lost, and counted: a
    process that waited for its log would answer nobody, and hear no signal. Whether it would wait is asked first:
    another microsecond.
    """

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        try:
            self._descriptor = stream.fileno()
        except OSError:  # one in memory
            self._descriptor = -1
        self._lost = 0
        self._torn = False
        self._room = select.poll()
        if self._descriptor >= 0:
            self._room.register(self._descriptor, select.POLLOUT)

    def write(self, line: str) -> None:
        held = self._held()
        try:
            if self._lost and self._taken():
                lost, self._lost = self._lost, 0
                self._stream.write("\n" * self._torn)
                self._torn = False
                logging.getLogger("gateway").warning("%d lines of the log were lost: nobody read it", lost)
            step = _AT_ONCE if line.isascii() else _AT_ONCE // 12  # the longest that a character becomes
            for start in range(0, len(line), step):
                if not self._taken():
                    self._lost += 1
                    self._torn |= start > 0
                    break
                self._stream.write(line[start : start + step])
                self._stream.flush()
        finally:
            if held:
                fcntl.lockf(self._descriptor, fcntl.LOCK_UN)

    def flush(self) -> None:
        """Nothing was kept back."""

    def _taken(self) -> bool:
        """Whether somebody takes what is written."""
        return self._descriptor < 0 or bool(self._room.poll(0 if self._lost else _STALLED * 1000))

    def _held(self) -> bool:
        """Whether it is ours. Only a process that stands still has it for long: then a torn line is the lesser evil."""
        ends = time.monotonic() + _PATIENCE
        while self._descriptor >= 0:
            try:
                fcntl.lockf(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > ends:
                    return False
                time.sleep(_PATIENCE / 100)
            except OSError:  # nothing that knows locks
                return False
            else:
                return True
        return False


class _Text(logging.Formatter):
    def __init__(self, redact: Redact) -> None:
        super().__init__("%(asctime)s %(message)s", "%H:%M:%S")
        self.redact = redact

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 logging's name
        """One message is one line, whatever a caller wrote into it: a line break or an escape would fake another."""
        record.message = self.redact(record.message)  # as it was written: a line break in it has another form then
        turn = getattr(record, "turn", None)
        if turn is not None and turn.words is not None:
            told = _told(turn.words, self.redact)
            record.message += f'; asked "{told["question"]}", answered "{told["answer"]}"'
        if not record.message.isprintable():
            record.message = record.message.translate(_CONTROLS)
        return super().formatMessage(record)

    def format(self, record: logging.LogRecord) -> str:
        return self.redact(super().format(record))


class _Json(logging.Formatter):
    def __init__(self, redact: Redact) -> None:
        super().__init__()
        self.redact = redact

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "ts": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
        }
        turn = getattr(record, "turn", None)
        if turn is not None:
            line |= fields(turn, self.redact)
        else:
            line |= {"event": "log", "message": self.redact(record.getMessage())}
        if record.exc_info:
            line["exception"] = self.redact(self.formatException(record.exc_info))
        return self.redact(orjson.dumps(line, default=str).decode())
