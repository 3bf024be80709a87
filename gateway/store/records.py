"""Sessions, their words and their transcripts as the store has them: how they are written, and read again. Pure."""

import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any, get_type_hints

from gateway.types.orchestration import Session, Transcript
from gateway.types.simli import Spoken

_KINDS = get_type_hints(Session)


def written(session: Session) -> dict[str, str]:
    """A session as the fields of a hash, each of which can be written alone. What is None is not in it."""
    return {name: _text(value) for name, value in asdict(session).items() if value is not None}


def read(told: Mapping[str, str]) -> Session:
    """The session of such a hash; fields of another version are passed over. Raises ValueError."""
    try:
        return Session(
            **{each.name: _value(each.name, told[each.name]) for each in fields(Session) if each.name in told}
        )
    except (TypeError, ValueError):
        raise ValueError("is no record of a session") from None


def said(spoken: Spoken) -> str:
    """A line of a conversation."""
    return json.dumps(asdict(spoken), ensure_ascii=False, separators=(",", ":"))


def line(text: str) -> Spoken | None:
    """The line of such a text; None where it is none."""
    try:
        return _spoken(json.loads(text))
    except ValueError:
        return None


def kept(transcript: Transcript) -> str:
    """A transcript as it is stored."""
    return json.dumps(asdict(transcript), ensure_ascii=False, separators=(",", ":"))


def transcript(text: str) -> Transcript | None:
    """The transcript of such a text; None where it is none."""
    try:
        told = json.loads(text)
        return Transcript(**{**told, "lines": tuple(_spoken(each) for each in told["lines"])})
    except (KeyError, TypeError, ValueError):
        return None


def _spoken(told: Any) -> Spoken:
    try:
        role, text, at = told["role"], told["text"], told.get("at")
    except (AttributeError, KeyError, TypeError):
        raise ValueError("is no line of a conversation") from None
    if role not in ("user", "assistant") or not isinstance(text, str) or type(at) not in (int, float, type(None)):
        raise ValueError("is no line of a conversation")
    return Spoken(role, text, at)


def _text(value: object) -> str:
    return str(int(value)) if isinstance(value, bool) else str(value)


def _value(name: str, text: str) -> Any:
    kind = _KINDS[name]
    if kind is bool:
        return text == "1"
    if kind is int:
        return int(text)
    return float(text) if kind in (float, float | None) else text
