"""A job as server-sent events. Who hangs up stops watching; the job goes on."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing

import orjson
from sse_starlette import EventSourceResponse, ServerSentEvent
from sse_starlette.sse import AppStatus

from gateway.http.admin.bodies import HEADERS
from gateway.types.knowledge import IngestJob

PING = 15
"""Seconds between the comments that keep proxies from closing a silent feed."""


def fed(
    jobs: AsyncGenerator[IngestJob, None], draining: Callable[[], bool], write_timeout: float
) -> EventSourceResponse:
    """`progress` events, and `end` as the last; where the process is about to stop the feed ends without it.

    sse-starlette's own end of feeds is switched off: it looks for uvicorn's signal handlers, which are not in place
    here, and remembers for the whole process that it has seen an end.
    """
    AppStatus.disable_automatic_graceful_drain()  # type: ignore[no-untyped-call]  # sse-starlette does not say

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

    return EventSourceResponse(events(), headers=HEADERS, ping=PING, sep="\n", send_timeout=write_timeout)
