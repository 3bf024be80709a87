"""The streamed response: sse-starlette's, with its defaults set right, and the one place where a streamed turn ends.

What differs from its defaults, and must stay so:

1. `sep="\\n"`: its CRLF breaks OpenAI clients that split at LF LF. Our events are bytes and pass through untouched.
2. `ping=0`: the response begins with the first useful chunk, so there is no long silence to bridge, and the upstream's
   own deadline ends a short one.
3. The automatic drain is switched off (`app.py`): it cuts answers half a second after SIGTERM.
4. `Connection` is left to the server: it knows whether the connection is kept.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import suppress

from sse_starlette.sse import EventSourceResponse, SendTimeoutError
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

HEADERS = {"Cache-Control": "no-cache, no-transform"}


class Streamed:
    """An ASGI response of server-sent events that calls `ended` once, whatever the ending."""

    def __init__(
        self,
        events: AsyncGenerator[bytes, None],
        headers: dict[str, str],
        *,
        write_timeout: float,
        ended: Callable[[], Awaitable[None]],
    ) -> None:
        self.events = events
        self.ended = ended
        self.response = EventSourceResponse(
            events,
            headers=HEADERS | headers,
            media_type="text/event-stream; charset=utf-8",
            sep="\n",
            ping=0,
            send_timeout=write_timeout,
        )
        del self.response.headers["connection"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Stream until the end, the caller's hang-up, or a write that nobody reads within `write_timeout`."""
        try:
            with suppress(SendTimeoutError, ClientDisconnect, OSError):
                await self.response(scope, receive, send)
        finally:
            await self.events.aclose()
            await self.ended()
