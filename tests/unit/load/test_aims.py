"""A deployment is asked what it has before anything is sent to it."""

import asyncio

import pytest

from tests.load.agreeing import FIRST
from tests.load.aims import Aim, deployment
from tests.load.plan import Wrong
from tests.upstream import Answer, Upstream, error


async def asked(upstream: Upstream, key: str = "", *agents: str) -> Aim:
    """What is found there, from a thread: the double serves in this one."""
    return await asyncio.to_thread(deployment, upstream.url, key, agents)


def lists(*owned: tuple[str, str]) -> Answer:
    """A list of models, each with its owner."""
    return Answer(200, {"object": "list", "data": [{"id": name, "owned_by": owner} for name, owner in owned]})


async def test_its_agents_are_asked(upstream: Upstream) -> None:
    """Agents where it has any, else its first model; names that were given are taken as they are."""
    upstream.asides["/v1/models"] = lambda _: lists(("main", "route"), ("nora", "agent"), ("emil", "agent"))
    assert (await asked(upstream)).models == [("nora", "en"), ("emil", "en")]
    upstream.asides["/v1/models"] = lambda _: lists(("gpt", "them"), ("other", "them"))
    assert (await asked(upstream)).models == [("gpt", "en")]
    assert (await asked(upstream, "", "lena", "max")).models == [("lena", "en"), ("max", "en")]


async def test_its_metrics_are_read_where_they_are(upstream: Upstream) -> None:
    """/metrics is taken where it has what callers can be held against; a deployment is never taken for ours alone."""
    found = await asked(upstream)
    assert (found.metrics, found.model, found.alone) == ("", "", False)
    upstream.asides["/metrics"] = lambda _: Answer(200, f"{FIRST}_bucket 1".encode())
    assert (await asked(upstream)).metrics == upstream.url.replace("/v1", "/metrics")


async def test_what_cannot_be_asked(upstream: Upstream) -> None:
    """A refused key, an empty list, something else than a list, nobody there: each says what to do."""
    for answer, says in (
        (Answer(401, error("No.")), "KEY="),
        (lists(), "AGENT="),
        (Answer(200, b"<html>"), "AGENT="),
        (Answer(200, {"data": [{}]}), "AGENT="),
    ):
        upstream.asides["/v1/models"] = lambda _, answer=answer: answer  # type: ignore[misc]
        with pytest.raises(Wrong, match=says):
            await asked(upstream)
    await upstream.stop()
    with pytest.raises(Wrong, match="cannot be reached"):
        await asked(upstream)
