"""Where the contract tests run: against a sandbox, and with LIVE=1 and SIMLI_API_KEY against the real Simli too.

Live, nothing is done that bills, and what is made is deleted again: tests marked `here` are skipped there. They start
sessions, make faces and videos.
"""

import os
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from gateway.settings import SANDBOX_KEY
from gateway.settings import Simli as Options
from gateway.settings.values import SIMLI_URL
from gateway.simli.client import Simli, opened
from tests.sandboxed import Sandbox, sandboxed

_ENVIRON = os.environ  # noqa: TID251 the tests' own switch, not the gateway's
LIVE = _ENVIRON.get("LIVE", "") not in ("", "0")
if LIVE and not _ENVIRON.get("SIMLI_API_KEY"):
    raise pytest.UsageError("LIVE=1 runs the contract against the real Simli: set SIMLI_API_KEY")


@dataclass(frozen=True, slots=True)
class Place:
    """A Simli to test against."""

    url: str
    key: str = field(repr=False)
    sandbox: Sandbox | None
    """None: it is the real one."""


@pytest.fixture(params=["sandbox", *(["live"] if LIVE else [])])
async def place(request: pytest.FixtureRequest) -> AsyncIterator[Place]:
    """The sandbox; the real Simli, unless the test is for `here` only."""
    here = request.node.get_closest_marker("here")
    if request.param == "live":
        if here:
            pytest.skip(f"not against the real Simli: {here.args[0]}")
        yield Place(_ENVIRON.get("SIMLI_URL") or SIMLI_URL, _ENVIRON["SIMLI_API_KEY"], None)
        return
    async with sandboxed() as running:
        yield Place(running.url, SANDBOX_KEY, running)


@pytest.fixture
async def sandbox(place: Place) -> Sandbox:
    """The sandbox itself, for tests that are for `here`."""
    assert place.sandbox is not None
    return place.sandbox


@pytest.fixture
async def legacy(place: Place) -> AsyncIterator[Simli]:
    """A client that speaks the first generation."""
    async with opened(place.url, place.key, Options(dialect="legacy", patience=0)) as simli:
        yield simli


@pytest.fixture
async def current(place: Place) -> AsyncIterator[Simli]:
    """A client that speaks today's."""
    async with opened(place.url, place.key, Options(dialect="current", patience=0)) as simli:
        yield simli


@pytest.fixture(params=["legacy", "current"])
async def simli(request: pytest.FixtureRequest, place: Place) -> AsyncIterator[Simli]:
    """A client of either."""
    async with opened(place.url, place.key, Options(dialect=request.param, patience=0)) as client:
        yield client
