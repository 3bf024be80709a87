"""The records of turns that are over: how they are made of a turn, written, and read again. Pure."""

from collections.abc import Iterable

import orjson

from gateway.store.typed import value
from gateway.types import Source, Turn, TurnRecord, WantedTurns
from gateway.types.turn import AttemptRecord

LONGEST = 8_000
"""Characters of a question or an answer; a longer one is cut."""


def record(turn: Turn) -> TurnRecord:
    """What is kept of the turn, with its words where the turn has them."""
    found = turn.retrieved
    return TurnRecord(
        id=turn.id,
        at=turn.started,
        agent=turn.agent,
        model=turn.model,
        route=turn.route,
        target=turn.target,
        attempts=tuple(
            AttemptRecord(one.target, one.code, one.milliseconds, one.kind, round((one.began - turn.began) * 1000, 2))
            for one in turn.attempts
        ),
        key=turn.key,
        session=turn.session,
        stream=turn.stream,
        status=turn.status,
        outcome=turn.outcome,
        code=turn.code,
        phase=turn.phase,
        upstream=turn.upstream,
        timings={name: round(value, 2) for name, value in turn.timings.items()},
        retrieval=found.outcome,
        retrieval_reason=found.reason,
        sources=tuple(Source(one.id, one.title, one.score, one.similarity) for one in found.passages),
        filler=turn.filler,
        apology=turn.outcome == "incomplete_spoken",
        finish_reason=turn.finish_reason,
        chunks=turn.chunks,
        characters=turn.characters,
        question=None if turn.said is None else turn.heard[:LONGEST],
        answer=None if turn.said is None else "".join(turn.said)[:LONGEST],
        trace=turn.trace.id if turn.trace else "",
        prompt_tokens=turn.tokens("prompt_tokens"),
        completion_tokens=turn.tokens("completion_tokens"),
        starts={name: round(value, 2) for name, value in turn.starts.items()},
    )


def written(one: TurnRecord) -> str:
    """As it is stored."""
    return orjson.dumps(one).decode()


def read(text: str) -> TurnRecord | None:
    """The record of such a text; None where it is none. Fields of another version are passed over."""
    try:
        made: TurnRecord = value(TurnRecord, orjson.loads(text))
    except (TypeError, ValueError):
        return None
    return made


def found(texts: Iterable[str], wanted: WantedTurns) -> list[TurnRecord]:
    """Those that are asked for, in order. Most of the others are passed over unread, which takes a hundredth of it."""
    asked = {"session": wanted.session, "agent": wanted.agent, "outcome": wanted.outcome, "id": wanted.request}
    marks = [f'"{name}":{orjson.dumps(value).decode()}' for name, value in asked.items() if value]
    told = (read(text) for text in texts if all(mark in text for mark in marks))
    return [one for one in told if one is not None and wanted.holds(one)]
