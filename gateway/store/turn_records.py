"""The records of turns that are over: how they are made of a turn, written, and read again. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import is_dataclass
from types import UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

import orjson

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
        made: TurnRecord = _value(TurnRecord, orjson.loads(text))
    except (TypeError, ValueError):
        return None
    return made


def found(texts: Iterable[str], wanted: WantedTurns) -> list[TurnRecord]:
    """Those that are asked for, in order. Most of the others are passed over unread, which takes a hundredth of it."""
    asked = {"session": wanted.session, "agent": wanted.agent, "outcome": wanted.outcome, "id": wanted.request}
    marks = [f'"{name}":{orjson.dumps(value).decode()}' for name, value in asked.items() if value]
    told = (read(text) for text in texts if all(mark in text for mark in marks))
    return [one for one in told if one is not None and wanted.holds(one)]


_HINTS: Mapping[type, Mapping[str, Any]] = {kind: get_type_hints(kind) for kind in (TurnRecord, AttemptRecord, Source)}


def _value(hint: Any, value: Any) -> Any:
    """The value as the type `hint` has it. Raises TypeError, ValueError."""
    origin = get_origin(hint)
    if is_dataclass(hint) and isinstance(hint, type):
        given = {name: _value(kind, value[name]) for name, kind in _HINTS[hint].items() if name in value}
        return hint(**given)
    if origin is UnionType:
        return None if value is None else _value(get_args(hint)[0], value)
    if origin is tuple and isinstance(value, list):
        return tuple(_value(get_args(hint)[0], each) for each in value)
    if origin is dict and isinstance(value, dict):
        return {name: _value(get_args(hint)[1], each) for name, each in value.items()}
    if (origin is Literal and value in get_args(hint)) or type(value) is hint or (hint, type(value)) == (float, int):
        return value
    raise ValueError("is no record of a turn")
