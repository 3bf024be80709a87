"""The streamed response, and the one place where a streamed turn ends.

Not sse-starlette's: its `EventSourceResponse` opens four tasks a stream and a cancel scope a write, which doubles
what a paced chunk costs (`make bench` has its row), and its defaults are wrong for this contract: CRLF, a ping that
some OpenAI clients choke on, headers before the upstream has answered, and streams cut half a second after SIGTERM.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import suppress

from starlette.types import Receive, Scope, Send

from gateway.chat.frames import DONE
from gateway.errors import CallerGone
from gateway.http.hangup import cancelled_on_hangup

HEADERS = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-cache, no-transform",
    "X-Accel-Buffering": "no",
}
"""`Connection` is left to the server: it knows whether the connection is kept."""


class Streamed:
    """An ASGI response of server-sent events that calls `ended` once, whatever the ending, and before it, where the
    caller hung up, `noticed`.

    `events` yields whole events as bytes, as they are to be written. The caller's hang-up ends the response; one that
    does not read is hung up on by `protocol.Wire`, which looks the same from here.
    """

    def __init__(
        self,
        events: AsyncGenerator[bytes, None],
        headers: Mapping[str, str],
        *,
        noticed: Callable[[], None],
        ended: Callable[[], Awaitable[None]],
    ) -> None:
        self.events = events
        self.headers = [
            (name.lower().encode("latin-1"), value.encode("latin-1"))
            for name, value in (HEADERS | dict(headers)).items()
        ]
        self.noticed = noticed
        self.ended = ended

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Write everything there is to write."""
        try:
            with suppress(CallerGone):
                async with cancelled_on_hangup(receive, self.noticed):
                    await self._written(scope, send)
        finally:
            try:
                await self.events.aclose()
            finally:
                await self.ended()

    async def _written(self, scope: Scope, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.headers})
        # The rings around the endpoints wait for the start only: the events go past them, each a few calls cheaper.
        send = scope["state"].get("send", send)
        more = True
        async for event in self.events:
            more = not event.endswith(DONE)  # the last one takes the body's end with it: a write less
            await send({"type": "http.response.body", "body": event, "more_body": more})
        if more:
            await send({"type": "http.response.body", "body": b"", "more_body": False})
