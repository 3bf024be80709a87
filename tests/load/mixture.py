"""Turns of every ending, as data: what the upstream does with each, what its caller does, what must be told of it."""

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from tests.upstream import Answer, Cut, Hang, Request, Script, Usage, error
from tests.upstream.script import Reply

FIRST, SECOND = "main/first", "main/second"
BROKEN = Answer(500, error("Broken."))
GONE = "client_closed_request"
THEIRS = "a_code_of_theirs"


class Kind(NamedTuple):
    """One kind of turn."""

    share: int
    """Of a hundred."""
    outcome: str
    code: str = ""
    attempts: Sequence[tuple[str, str, str]] = ((FIRST, "first", ""),)
    """Target, kind and code of each request to an upstream."""
    first: Reply = Script(["It is ", "forty feet ", "tall.", Usage(prompt=20, completion=6)])
    """What the first target answers."""
    second: Reply = BROKEN
    agent: str = "nora"
    leaves: Literal["", "waiting", "listening"] = ""
    """When the caller hangs up: as soon as the upstream was asked; after the first word."""
    body: Mapping[str, Any] = {}
    """Fields of the request that are not as usual."""


_UNAVAILABLE = "upstream_unavailable"
_TWICE = ((FIRST, "first", _UNAVAILABLE), (SECOND, "fallback", _UNAVAILABLE))
KINDS: Mapping[str, Kind] = {
    "answered": Kind(50, "ok"),
    "passed on": Kind(
        15, "ok", "", ((FIRST, "first", _UNAVAILABLE), (SECOND, "fallback", "")), BROKEN, Script(["Forty ", "feet."])
    ),
    "spoken": Kind(5, "incomplete_spoken", _UNAVAILABLE, _TWICE, BROKEN),
    "failed": Kind(5, "upstream_error", _UNAVAILABLE, _TWICE, BROKEN, agent="strict"),
    "broken": Kind(5, "incomplete_spoken", "upstream_truncated", first=Script(["It is ", "forty", Cut()])),
    "cut": Kind(3, "upstream_error", "upstream_truncated", first=Script(["It is ", "forty", Cut()]), agent="strict"),
    "interrupted": Kind(10, "client_gone", first=Script(["One ", "two ", Hang()]), leaves="listening"),
    "abandoned": Kind(
        5, "client_gone", GONE, ((FIRST, "first", "cancelled"),), Script([], before=[Hang()]), leaves="waiting"
    ),
    "refused": Kind(1, "refused", "invalid_value", (), body={"n": 2}),
    "rejected": Kind(1, "refused", THEIRS, ((FIRST, "first", THEIRS),), Answer(400, error("Not like this.", THEIRS))),
}


class Told(NamedTuple):
    """One turn that is to be asked for."""

    number: int
    name: str

    @property
    def kind(self) -> Kind:
        return KINDS[self.name]

    @property
    def id(self) -> str:
        """Its request's."""
        return f"turn-{self.number}"

    @property
    def body(self) -> dict[str, Any]:
        """Its request's, streamed."""
        question = {"role": "user", "content": f"{self.name}: {self.number}"}
        return {"messages": [question], "stream": True, **self.kind.body}


def mixture(count: int, seed: int = 1) -> list[Told]:
    """So many turns, each kind by its share, in an order that looks like chance and is always the same."""
    names = [name for name, kind in KINDS.items() for _ in range(kind.share)]
    drawn = (names * (count // len(names) + 1))[:count]
    random.Random(seed).shuffle(drawn)
    return [Told(number, name) for number, name in enumerate(drawn)]


@dataclass
class Asked:
    """What the upstream was asked, as itself counts it: by turn, the targets in order."""

    by_turn: defaultdict[int, list[str]] = field(default_factory=lambda: defaultdict(list))

    def answered(self, request: Request) -> Reply:
        """The upstream's script."""
        body = request.json
        name, _, number = body["messages"][-1]["content"].partition(": ")
        self.by_turn[int(number)].append(f"main/{body['model']}")
        kind = KINDS[name]
        return kind.first if body["model"] == "first" else kind.second
