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


def brain(agents: Sequence[Agent], looked_up: list[str]) -> Brain:
    """One whose upstream must not be asked."""

    async def retrieve(_: Sequence[str], query: Query, __: Retrieval) -> Retrieved:
        looked_up.append(query.question)
        return Retrieved()

    async def complete(route: str, prompt: Prompt, note: Note) -> Opened:
        raise AssertionError(f"{route} was asked: {prompt} {note}")

    return Brain(
        agents={agent.name: agent for agent in agents},
        routes={"up": "error"},
        default_agent="",
        default_route="up",
        limits=Limits(),
        retrieve=retrieve,
        complete=complete,
        today=lambda: date(2026, 1, 31),
        clock=time.perf_counter,
    )


async def test_every_kind_of_agent_goes_the_whole_way(caplog: pytest.LogCaptureFixture) -> None:
    """Knowledge is searched, no target is asked, and nothing is logged: not even where failures are errors."""
    kinds = [
        NORA,
        replace(NORA, name="filler", fillers=("One moment.",), filler_after_ms=100),
        replace(NORA, name="strict", on_failure="error", stream=False, first_message="", apology=""),
        replace(NORA, name="plain", collections=(), speech=False),
    ]
    looked_up: list[str] = []
    with caplog.at_level(logging.DEBUG):
        await rehearsed(brain(kinds, looked_up))
    assert looked_up == ["And how tall is it, in metres?"] * 3
    assert not caplog.records


async def test_many_agents_do_not_hold_a_start_up() -> None:
    """What one has paid is paid for most: some rehearse, however many there are; none at all is no fault."""
    looked_up: list[str] = []
    await rehearsed(brain([replace(NORA, name=f"nora-{number}") for number in range(50)], looked_up))
    assert len(looked_up) == MOST
    await rehearsed(brain([], looked_up))
