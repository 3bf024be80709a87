"""A job, and turns, as server-sent events. Who hangs up stops watching; the job goes on."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing

import orjson
from sse_starlette import EventSourceResponse, ServerSentEvent
from sse_starlette.sse import AppStatus

from gateway.http.admin.bodies import HEADERS
from gateway.types import TurnRecord
from gateway.types.knowledge import IngestJob

PING = 15
"""Seconds between the comments that keep proxies from closing a silent feed."""


def fed(
    jobs: AsyncGenerator[IngestJob, None], draining: Callable[[], bool], write_timeout: float
) -> EventSourceResponse:
    """`progress` events, and `end` as the last; where the process is about to stop the feed ends without it."""

    async def events() -> AsyncIterator[ServerSentEvent]:
        last: IngestJob | None = None
        async with aclosing(jobs):
            async for job in jobs:
                if job is not last:
                    over = job.state in ("done", "failed")
                    text = orjson.dumps(job).decode()
                    yield ServerSentEvent(text, event="end" if over else "progress", sep="\n")
                last = job
                if draining():
                    return

    return _response(events(), write_timeout)


def followed(
    turns: AsyncGenerator[TurnRecord | None, None], draining: Callable[[], bool], write_timeout: float
) -> EventSourceResponse:
    """A `turn` event for each; where the process is about to stop, or the store goes, the feed ends."""

    async def events() -> AsyncIterator[ServerSentEvent]:
        async with aclosing(turns):
            async for turn in turns:
                if turn is not None:
                    yield ServerSentEvent(orjson.dumps(turn).decode(), event="turn", sep="\n")
                if draining():
                    return

    return _response(events(), write_timeout)


def _response(events: AsyncIterator[ServerSentEvent], write_timeout: float) -> EventSourceResponse:
    """sse-starlette's, without its own end of feeds: it looks for uvicorn's signal handlers, which are not in place
    here, and remembers for the whole process that it has seen an end."""
    AppStatus.disable_automatic_graceful_drain()  # type: ignore[no-untyped-call]  # sse-starlette does not say
    return EventSourceResponse(events, headers=HEADERS, ping=PING, sep="\n", send_timeout=write_timeout)
