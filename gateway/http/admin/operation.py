"""An operation of the API: what its route and its description are both made from."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

from pydantic import with_config
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from gateway.errors import GatewayError
from gateway.http.admin.bodies import BODY
from gateway.http.state import State
from gateway.settings.build import NAME
from gateway.types.knowledge import COLLECTION

Perform: TypeAlias = Callable[[Request[State], Any], Awaitable[Response | ASGIApp]]
"""From a request and its body, as `takes` says, to the answer."""


@with_config(BODY)
@dataclass(frozen=True, slots=True)
class Nothing:
    """No body, or an empty object."""


class Feed(NamedTuple):
    """Server-sent events."""

    gives: Any
    """The type of each one's data."""
    says: str
    """Which events come."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path."""

    method: str
    path: str
    summary: str
    gives: Any
    """The type of the answer's body."""
    perform: Perform
    takes: type = Nothing
    """A frozen dataclass: what the body says; with `uploads` and of a GET, what stands in the query, all of it text."""
    status: int = 200
    errors: tuple[type[GatewayError], ...] = ()
    """Beside those that every operation has."""
    feed: Feed | None = None
    """What it answers with where `Accept: text/event-stream` asks for that."""
    uploads: tuple[str, ...] = ()
    """Media types of a body that is no JSON: `perform` is given an `Upload`."""
    text: bool = False
    """With `Accept: text/plain` it answers with text for people."""
    leads: tuple[str, str] = ("", "")
    """A parameter of other paths, and the JSON pointer in the answer's body to what it may be."""
    within: float = 0.0
    """Seconds after which it is given up, with SimliTimeout; 0: what it calls has limits of its own."""

    @property
    def begins(self) -> bool:
        """Whether it begins what outlives its answer elsewhere, which a process that is about to stop does not."""
        return self.method != "GET" and self.within > 0

    @property
    def queried(self) -> bool:
        """Whether what it takes stands in the query."""
        return bool(self.uploads) or self.method == "GET"


class Upload(NamedTuple):
    """A body that is no JSON, and what stands beside it in the query."""

    content: bytes
    asked: Any


class Parameter(NamedTuple):
    """What may stand in a path for `{name}`."""

    pattern: str
    longest: int
    says: str
    example: str = ""


PARAMETERS: Mapping[str, Parameter] = {
    "agent": Parameter(NAME, 200, "An agent's name.", "nora"),
    "collection": Parameter(COLLECTION, 64, "A collection's name.", "lighthouse"),
    "face": Parameter(r"[A-Za-z0-9][A-Za-z0-9_.-]*", 200, "Simli's id of a face."),
    "job": Parameter(r"job_[0-9a-f]{16}", 20, "The id of an ingest."),
    "key": Parameter(r"[A-Za-z0-9]{1,64}", 64, "The id of a key."),
    "model": Parameter(r".+", 513, "What a request's `model` can name.", "nora"),
    "request": Parameter(r"\.*[A-Za-z0-9_:-][A-Za-z0-9._:-]*", 64, "The id of a request, `x-request-id`.", "req_1"),
    "session": Parameter(r"ses_[A-Za-z0-9]{1,64}", 68, "The id of a session."),
}
