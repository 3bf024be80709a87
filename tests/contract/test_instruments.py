"""Metrics, log lines, records and the upstream's own count tell the same of turns of every ending."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.load.differing import differences
from tests.load.instruments import agreed, place
from tests.load.mixture import KINDS, Asked, Told, mixture
from tests.scraped import Scraped

COUNT = 300


@pytest.mark.parametrize("workers", [1, 3])
async def test_all_that_tell_of_turns_agree(workers: int) -> None:
    """Answers, fail-overs, apologies, errors, breaks, hang-ups and refusals: exactly, turn by turn and in sum, and
    wherever `/metrics` is scraped meanwhile no count falls."""
    assert {one.name for one in mixture(COUNT)} == set(KINDS)
    async with place(workers) as at:
        assert await agreed(COUNT, at) == []


LINE: dict[str, Any] = {
    "request_id": "turn-0", "agent": "nora", "route": "main", "target": "main/first", "outcome": "ok", "code": "",
    "attempts": [{"target": "main/first", "kind": "first", "code": ""}], "phase": "done",
    "prompt_tokens": 20, "completion_tokens": 6,
}  # fmt: skip


def _doubled(told: list[Any], _: dict[str, Any], __: Asked) -> None:
    told.append(told[0])


def _lost(_: list[Any], kept: dict[str, Any], __: Asked) -> None:
    kept.clear()


def _otherwise(told: list[Any], _: dict[str, Any], __: Asked) -> None:
    told[0] = {**told[0], "outcome": "client_gone"}


def _twice(_: list[Any], __: dict[str, Any], asked: Asked) -> None:
    asked.by_turn[0].append("main/second")


@pytest.mark.parametrize("wrong", [_doubled, _lost, _otherwise, _twice])
def test_a_difference_is_seen(wrong: Callable[[list[Any], dict[str, Any], Asked], None]) -> None:
    """A line too many, a record that is missing, another outcome, a request that nobody tells of."""
    told, kept, asked = [LINE], {"turn-0": LINE}, Asked()
    asked.by_turn[0].append("main/first")
    labels = {
        "gateway_requests_total": {"agent": "nora", "route": "main", "outcome": "ok"},
        "gateway_attempts_total": {"target": "main/first", "kind": "first", "code": ""},
        "gen_ai_server_request_duration_seconds_count": {"agent": "nora"},
    }
    samples = {(name, frozenset(its.items())): 1.0 for name, its in labels.items()}
    for kind, count in (("input", 20.0), ("output", 6.0)):
        samples["gen_ai_client_token_usage_sum", frozenset({("gen_ai_token_type", kind)})] = count
    turns = [Told(0, "answered")]
    assert list(differences(turns, told, kept, asked, Scraped(samples, {}))) == []
    wrong(told, kept, asked)
    assert list(differences(turns, told, kept, asked, Scraped(samples, {})))
