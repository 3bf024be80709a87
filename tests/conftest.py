"""What every test starts from: a double is at hand."""

from collections.abc import AsyncIterator

import pytest

from tests.stores import server
from tests.upstream import Upstream, scripted

__all__ = ["server", "upstream"]


@pytest.fixture
async def upstream() -> AsyncIterator[Upstream]:
    """A scripted upstream that says "Hello there." until its `script` is set."""
    async with scripted() as running:
        yield running
