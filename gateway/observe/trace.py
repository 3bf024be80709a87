"""A caller's trace, continued: `traceparent` and `tracestate` of a request's headers. `baggage` goes no further.

What is no trace of W3C's form begins a new one, and is never an error.
"""

import re
import secrets
from collections.abc import Iterable

from gateway.types import Trace

_PARENT = re.compile(
    rb"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-[\x21-\x7e]*)?"
)
_MEMBER = r"[ \t]*(?:[a-z0-9][a-z0-9_*/@-]{0,255}=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,256})?[ \t]*"
_STATE = re.compile(rf"{_MEMBER}(?:,{_MEMBER}){{0,31}}")
LONGEST = 512
"""Bytes of a `tracestate`, which must be passed on up to there; a longer one is left out."""


def continued(headers: Iterable[tuple[bytes, bytes]]) -> Trace:
    """The turn's place in its caller's trace, or in a new one. Header names are in lower case."""
    parents: list[bytes] = []
    states: list[bytes] = []
    for name, value in headers:
        if name == b"traceparent":
            parents.append(value)
        elif name == b"tracestate":
            states.append(value)
    span = secrets.token_hex(8)
    found = _PARENT.fullmatch(parents[0].strip()) if len(parents) == 1 else None
    if found is None or (found[1] == b"00" and found[5]):
        return Trace(secrets.token_hex(16), span)
    id_, parent, flags = (found[number].decode() for number in (2, 3, 4))
    return Trace(id_, span, parent, flags, _state(states))


def _state(headers: list[bytes]) -> str:
    """One `tracestate` of all that came; nothing where it cannot be one."""
    text = ",".join(each.decode("latin-1") for each in headers)
    return text if len(text) <= LONGEST and _STATE.fullmatch(text) else ""
