"""Faults as data: what is answered instead of, or after, what was asked for."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from itertools import count
from typing import Any

from starlette.types import Receive, Send

KINDS: Mapping[str, Mapping[str, Any]] = {
    "overloaded": {"status": 503, "body": {"detail": "server overloaded"}},
    "fail_token": {"status": 400, "body": {"detail": "INVALID_FACE_ID", "session_token": "FAIL TOKEN"}},
    "limited": {"status": 429, "body": {"detail": "Too Many Requests"}, "headers": {"retry-after": "1"}},
    "failing": {"status": 500, "body": {"detail": "Internal Server Error"}},
    "token_expired": {"status": 401, "body": {"detail": "Invalid or expired session token"}},
    "origin_refused": {"status": 401, "body": {"detail": "Origin not allowed"}},
    "face_unknown": {"status": 400, "body": {"detail": "INVALID_FACE_ID"}},
    "garbage": {"status": 200, "body": "<html><body>502 Bad Gateway", "headers": {"content-type": "text/html"}},
    "hang": {"hangs": True},
}

CHECKS: Mapping[str, Callable[[Any], bool]] = {
    "operation": lambda value: isinstance(value, str),
    "kind": lambda value: isinstance(value, str),
    "status": lambda value: isinstance(value, int) and 200 <= value <= 599,
    "body": lambda _: True,
    "headers": lambda value: isinstance(value, dict),
    "delay": lambda value: isinstance(value, int | float) and 0 <= value <= 3600,
    "count": lambda value: isinstance(value, int) and value > 0,
    "after": lambda value: isinstance(value, bool),
    "hangs": lambda value: isinstance(value, bool),
}


@dataclass(slots=True)
class Fault:
    """One fault. It is over when it was met `count` times."""

    id: int
    operation: str
    """A pattern: of an operation's name (`agents.*`, `*`), or of a method and a path (`POST /agent`)."""
    kind: str = ""
    status: int | None = None
    """None: the answer is as it would be, only later."""
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0
    """Seconds before anything else."""
    count: int | None = None
    """Times that are left; None: until it is cleared."""
    after: bool = False
    """Whether what was asked for is done first, so that only its answer is lost."""
    hangs: bool = False

    @property
    def answers(self) -> bool:
        """Whether the answer is the fault's own; otherwise it is only late."""
        return self.hangs or self.status is not None

    @property
    def says(self) -> str:
        """In a word or two."""
        what = self.kind or (f"{self.status}" if self.status is not None else f"{self.delay:g} s late")
        return f"{what}, after it was done" if self.after else what


class Faults:
    """Those that are set, the oldest first: it is the one that is met."""

    def __init__(self) -> None:
        self.set: list[Fault] = []
        self._ids = count(1)

    def add(self, wanted: Mapping[str, Any]) -> Fault:
        """Set one; ValueError names what is wrong with it."""
        kind = wanted.get("kind", "")
        if kind and (not isinstance(kind, str) or kind not in KINDS):
            raise ValueError(f"kind: one of {', '.join(KINDS)}")
        merged = {**KINDS.get(kind, {}), **{name: value for name, value in wanted.items() if value is not None}}
        for name, value in merged.items():
            if name not in CHECKS or not CHECKS[name](value):
                raise ValueError(f"{name}: {'cannot be ' + repr(value) if name in CHECKS else 'is no part of a fault'}")
        if not merged.get("operation"):
            raise ValueError("operation: is needed, such as agents.create, auto.* or POST /agent")
        if not {"status", "hangs", "delay"} & merged.keys():
            raise ValueError("status: is needed, or a kind, or a delay")
        fault = Fault(next(self._ids), **merged)
        self.set.append(fault)
        return fault

    def meet(self, operation: str, method: str, path: str) -> Fault | None:
        """The fault of a call, counted; None where there is none."""
        asked = f"{method} {path}"
        met = next((one for one in self.set if _fits(one.operation, operation, asked)), None)
        if met is not None and met.count is not None:
            met.count -= 1
            if met.count == 0:
                self.set.remove(met)
        return met

    def clear(self) -> None:
        """None from now on."""
        self.set.clear()


def _fits(pattern: str, operation: str, asked: str) -> bool:
    return fnmatchcase(asked, pattern) if " " in pattern else fnmatchcase(operation, pattern)


async def disconnected(receive: Receive) -> None:
    """Return when the client has hung up."""
    message = await receive()
    if message["type"] != "http.disconnect":
        await disconnected(receive)


async def answer(fault: Fault, receive: Receive, send: Send) -> None:
    """Answer as the fault says."""
    if fault.hangs:
        await disconnected(receive)
        return
    text = fault.body if isinstance(fault.body, str) else json.dumps(fault.body)
    headers = {
        "content-type": "application/json",
        **{name.lower(): str(value) for name, value in fault.headers.items()},
    }
    raw = text.encode() if fault.body is not None else b""
    pairs = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    pairs.append((b"content-length", str(len(raw)).encode()))
    await send({"type": "http.response.start", "status": fault.status, "headers": pairs})
    await send({"type": "http.response.body", "body": raw})
