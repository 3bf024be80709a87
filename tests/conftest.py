"""What every test starts from: sse-starlette's process-wide state is new, and a double is at hand."""

from collections.abc import AsyncIterator, Iterator

import pytest
import sse_starlette.sse

from tests.upstream import Upstream, scripted


@pytest.fixture(autouse=True)
def _new_app_status() -> Iterator[None]:
    """Reset what sse-starlette keeps for the process (is it ending) and for the thread (is there a watcher).

    A test that ends a server would otherwise end the streams of every later test; and the mark that a watcher
    runs outlives the loop it ran on, so a later loop would have none.
    """
    status = sse_starlette.sse.AppStatus
    status.should_exit = False
    status.enable_automatic_graceful_drain = True
    sse_starlette.sse._thread_state.__dict__.clear()
    yield
    status.should_exit = False
    status.enable_automatic_graceful_drain = True
    sse_starlette.sse._thread_state.__dict__.clear()


@pytest.fixture
async def upstream() -> AsyncIterator[Upstream]:
    """A scripted upstream that says "Hello there." until its `script` is set."""
    async with scripted() as running:
        yield running
