"""The turn that nobody hears."""

import logging
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import date

import pytest

from gateway.chat.answer import Brain
from gateway.chat.rehearsal import MOST, rehearsed
from gateway.settings import Limits
from gateway.types import Agent, Note, Opened, Prompt, Query, Retrieval, Retrieved

NORA = Agent("nora", "You are {{ agent.name }}.", collections=("tower",), first_message="Hi.", apology="Sorry.")


def brain(agents: Sequence[Agent], times: list[float]) -> Brain:
    """One whose knowledge and upstream must not be asked."""

    async def retrieve(collections: Sequence[str], query: Query, retrieval: Retrieval) -> Retrieved:
        raise AssertionError(f"{collections} were searched: {query} {retrieval}")

    async def complete(route: str, prompt: Prompt, note: Note) -> Opened:
        raise AssertionError(f"{route} was asked: {prompt} {note}")

    def clock() -> float:
        times.append(time.perf_counter())
        return times[-1]

    return Brain(
        agents={agent.name: agent for agent in agents},
        routes={"up": "error"},
        default_agent="",
        default_route="up",
        limits=Limits(),
        retrieve=retrieve,
        complete=complete,
        today=lambda: date(2026, 1, 31),
        clock=clock,
    )


async def test_every_kind_of_agent_goes_the_whole_way(caplog: pytest.LogCaptureFixture) -> None:
    """Nothing is searched, no target is asked, nothing is waited for and nothing logged, whatever an agent is like."""
    kinds = [
        NORA,
        replace(NORA, name="filler", fillers=("One moment.",), filler_after_ms=100),
        replace(NORA, name="strict", on_failure="error", stream=False, first_message="", apology=""),
        replace(NORA, name="plain", collections=(), speech=False),
    ]
    times: list[float] = []
    with caplog.at_level(logging.DEBUG):
        await rehearsed(brain(kinds, times))
    assert len(times) >= 3 * len(kinds)  # each was asked, searched or not, and spoke
    assert not caplog.records


async def test_many_agents_do_not_hold_a_start_up() -> None:
    """What one has paid is paid for most: some rehearse, however many there are; none at all is no fault."""
    few: list[float] = []
    many: list[float] = []
    await rehearsed(brain([replace(NORA, name=f"nora-{number}") for number in range(MOST)], few))
    await rehearsed(brain([replace(NORA, name=f"nora-{number}") for number in range(50)], many))
    assert len(many) == len(few)
    await rehearsed(brain([], []))
