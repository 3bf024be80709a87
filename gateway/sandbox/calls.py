"""Every call that was made: what it asked, which of its fields nobody knows, and how it was answered.

Secrets are not kept: of a key or a token only that there was one.
"""

import re
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from itertools import count
from typing import Any

from starlette.types import Scope

KEPT = 500
"""Calls that are remembered; a page that shows more is not read."""
HIDDEN = "…"
_SECRET = re.compile(r"key|token|secret|credential|authorization", re.IGNORECASE)
_LONG = re.compile(r"[A-Za-z0-9_.~=%+-]{24,}")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{32}", re.IGNORECASE)
_WIDE = 300
"""Characters of a value that are kept."""


@dataclass(slots=True)
class Call:
    """One request, or one WebSocket."""

    id: int
    method: str
    """`WS` for a WebSocket."""
    path: str
    """With its query; what could be a secret is hidden."""
    at: float
    """Seconds since the epoch."""
    auth: str = ""
    """Where a key or a token was: `x-simli-api-key`, `body apiKey`, `path`; never what it was."""
    operation: str = ""
    """The name that faults are made for."""
    body: dict[str, Any] = field(default_factory=dict)
    """The fields that Simli has, with secrets hidden."""
    unknown: list[str] = field(default_factory=list)
    """Names of fields that it has not, and ignores."""
    assigned: list[str] = field(default_factory=list)
    """Names of fields that it assigns itself, and ignores as well."""
    status: int | None = None
    """None: not answered yet."""
    ms: float | None = None
    fault: str = ""
    """What was done instead of, or after, what was asked."""


class Calls:
    """The last of them, oldest first."""

    def __init__(self) -> None:
        self.last: deque[Call] = deque(maxlen=KEPT)
        self._ids = count(1)

    def add(self, method: str, path: str, auth: str = "") -> Call:
        """A call begins."""
        call = Call(next(self._ids), method, path, time.time(), auth)
        self.last.append(call)
        return call

    def shown(self) -> list[dict[str, Any]]:
        """As JSON, newest first."""
        return [asdict(call) for call in reversed(self.last)]


def of(scope: Scope) -> Call:
    """The call that a request is."""
    call: Call = scope["sandbox.call"]
    return call


def hidden(value: Any, name: str = "") -> Any:
    """The value as it may be shown: what is named like a secret is hidden, and what an address could carry of one."""
    if isinstance(value, Mapping):
        return {key: hidden(inner, key) for key, inner in value.items()}
    if isinstance(value, list):
        return [hidden(inner, name) for inner in value]
    if value in ("", None) or isinstance(value, bool | int | float):
        return value
    if _SECRET.search(name):
        return HIDDEN
    text = str(value)
    if "://" in text:
        text = address(text)
    return text if len(text) <= _WIDE else f"{text[:_WIDE]}{HIDDEN}"


def address(text: str) -> str:
    """A path or URL with every long segment that is no UUID cut short: a capability, a key or a token may be one."""
    return _LONG.sub(lambda found: found[0] if _UUID.fullmatch(found[0]) else f"{found[0][:6]}{HIDDEN}", text)


def where(headers: Mapping[str, str]) -> str:
    """Which of the headers that keys come in is there."""
    known = ("x-simli-api-key", "api-key", "session-token", "authorization")
    return next((name for name in known if headers.get(name)), "")
