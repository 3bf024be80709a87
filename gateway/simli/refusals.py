"""What an answer of Simli's says against the request: status first, body second. Pure.

Simli's two backends speak differently: `{"detail": "CODE or words"}`, FastAPI's `{"detail": [{"loc", "msg"}]}` and
`{"error": "words", "code": "CODE"}`. A refused token call carries a `session_token` all the same, and "server
overloaded" may come with any status, 200 too.
"""

import math
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

import orjson

from gateway.errors import (
    SimliAuthFailed,
    SimliBilling,
    SimliError,
    SimliLimited,
    SimliNotFound,
    SimliOverloaded,
    SimliProtocolError,
    SimliRejected,
    SimliTimeout,
    SimliUnavailable,
)
from gateway.errors.redaction import Redact

WORDS = 200
"""Characters of Simli's own that an error quotes."""
_CODE = re.compile(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)+")
_OVERLOADED = re.compile(r"\boverloaded\b", re.IGNORECASE)
_BEGINS_OVERLOADED = re.compile(
    r"\W*(error\W+)?(the )?(simli )?servers?( is| are)?( currently)? overloaded\b", re.IGNORECASE
)
"""With a good status, where a transcript might speak of it as well."""
_BY_CODE: Mapping[str, type[SimliError]] = {
    "INVALID_API_KEY": SimliAuthFailed,
    "BILLING_ERROR": SimliBilling,
    "MISSING_BILLING_INFO": SimliBilling,
    "SERVER_OVERLOADED": SimliOverloaded,
}
_BY_STATUS: Mapping[int, type[SimliError]] = {
    401: SimliAuthFailed,
    402: SimliBilling,
    404: SimliNotFound,
    408: SimliTimeout,
    429: SimliLimited,
    504: SimliTimeout,
}
_SAYS: Mapping[type[SimliError], str] = {
    SimliAuthFailed: "it refuses the API key",
    SimliBilling: "the account cannot pay for it",
    SimliNotFound: "it has none of that id",
    SimliLimited: "too many requests or sessions at once",
    SimliOverloaded: "it is overloaded",
    SimliRejected: "it refuses what was sent",
    SimliTimeout: "it ran out of time",
    SimliUnavailable: "it failed",
    SimliProtocolError: "its answer is none of its API",
}
_ADVICE: Mapping[type[SimliError], str] = {SimliAuthFailed: "Check SIMLI_API_KEY."}


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, whole."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    """May be a token."""
    deed: str
    """What was asked for: "start the session"."""
    redact: Redact = field(repr=False)
    keyed: bool = True
    """Whether the API key was sent."""


class Said(NamedTuple):
    """Simli's own words."""

    code: str = ""
    words: str = ""


def json(answer: Answer) -> Any:
    """The body, parsed; None where it is no JSON."""
    try:
        return orjson.loads(answer.body) if answer.body else None
    except orjson.JSONDecodeError:
        return None


def refusal(answer: Answer) -> SimliError | None:
    """The error that this answer is; None where it is what was asked for, as far as status and words go."""
    said = _said(answer)
    good = 200 <= answer.status < 300
    if (_BEGINS_OVERLOADED.match if good else _OVERLOADED.search)(said.words):
        return _error(SimliOverloaded, answer, said)
    if good:
        kind = _BY_CODE.get(said.code)
        return _error(kind, answer, said) if kind else None
    return _error(_kind(answer, said), answer, said)


def unfit(answer: Answer, wanted: str) -> SimliError:
    """The error of an answer that has a good status, and not in it what was asked for."""
    said = _said(answer)
    if said.code:  # {"detail": "INVALID_FACE_ID", "session_token": "FAIL TOKEN"} with 200
        return _error(_BY_CODE.get(said.code, SimliRejected), answer, said)
    return protocol(answer, f"there is no {wanted} in its answer", said)


def protocol(answer: Answer, problem: str, said: Said | None = None) -> SimliError:
    """The error of an answer that cannot be used, and why."""
    said = said or _said(answer)
    return SimliProtocolError(
        f"Simli did not {answer.deed}: {problem}{_quoted(answer, said)}.",
        simli_code=answer.redact(said.code),
        simli_status=answer.status,
    )


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds until it wants to be asked again, of a number or a date."""
    text = headers.get("retry-after", "").strip()
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(text).timestamp() - time.time()
        except (ValueError, TypeError, OverflowError):
            return None
    return min(max(seconds, 0.0), 3600.0) if math.isfinite(seconds) else None


def _kind(answer: Answer, said: Said) -> type[SimliError]:
    if said.code in _BY_CODE:
        return _BY_CODE[said.code]
    if answer.status == 401 and not answer.keyed:
        return SimliRejected  # of a session token, or of the page's origin
    if answer.status in _BY_STATUS:
        return _BY_STATUS[answer.status]
    if answer.status >= 500:
        return SimliUnavailable
    return SimliRejected if 400 <= answer.status < 500 else SimliProtocolError


def _error(kind: type[SimliError], answer: Answer, said: Said) -> SimliError:
    says = _SAYS[kind]
    if kind is SimliRejected and not answer.keyed and answer.status in (401, 403):
        says = "it refuses the session token, or the origin"
    elif kind is SimliNotFound and said.words in ("", "Not Found"):  # a framework's, for a path that is none
        says = "it has no such call in this dialect, or nothing of that id"
    elif kind is SimliProtocolError and 300 <= answer.status < 400:
        says = "it sends elsewhere, which is not followed. Check SIMLI_URL"
    advice = f" {_ADVICE[kind]}" if kind in _ADVICE else ""
    return kind(
        f"Simli did not {answer.deed}: {says}{_quoted(answer, said)}.{advice}",
        simli_code=answer.redact(said.code),
        simli_status=answer.status,
        retry_after=retry_after(answer.headers) if kind in (SimliLimited, SimliOverloaded, SimliUnavailable) else None,
    )


def _quoted(answer: Answer, said: Said) -> str:
    """` (400 INVALID_FACE_ID: words)`, without anything secret."""
    code = answer.redact(said.code)
    words = answer.redact(said.words) if said.words != said.code else ""
    words = " ".join("".join(each if each.isprintable() else " " for each in words).split()).rstrip(".")
    words = words if len(words) <= WORDS else f"{words[: WORDS - 1]}…"
    return f" ({' '.join(filter(None, (str(answer.status), code)))}{f': {words}' if words else ''})"


def _said(answer: Answer) -> Said:
    body = json(answer)
    if isinstance(body, str):
        return _coded(body)
    if isinstance(body, Mapping):
        return _of_object(body)
    if body is None and answer.body and b"<" not in answer.body[:200]:  # a page says nothing to anybody
        return _coded(answer.body[:2000].decode("utf-8", "replace"))
    return Said()


def _of_object(body: Mapping[str, Any]) -> Said:
    detail = body.get("detail")
    if isinstance(detail, list):
        return Said("", "; ".join(filter(None, map(_fault, detail[:5]))))
    for words in (detail, body.get("error"), body.get("message")):
        if isinstance(words, Mapping):  # {"error": {"message": …, "code": …}}
            return _of_object(words)
        if isinstance(words, str) and words.strip():
            code = body.get("code")
            return Said(code[:80], words) if isinstance(code, str) and code.strip() else _coded(words)
    return Said()


def _coded(words: str) -> Said:
    """Free text that is, or begins with, one of Simli's codes."""
    match = _CODE.match(words.strip())
    return Said(match[0][:80] if match else "", words.strip())


def _fault(item: Any) -> str:
    """One of FastAPI's: where and what; never its `input`, which may be a key."""
    if not isinstance(item, Mapping):
        return ""
    loc = item.get("loc")
    place = ".".join(str(each) for each in loc) if isinstance(loc, list) else ""
    return ": ".join(filter(None, (place, str(item.get("msg", "")))))
