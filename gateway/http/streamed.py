"""The streamed response, and the one place where a streamed turn ends.

Not sse-starlette's: its `EventSourceResponse` opens four tasks a stream and a cancel scope a write, which doubles
what a paced chunk costs (`make bench` has its row), and its defaults are wrong for this contract: CRLF, a ping that
some OpenAI clients choke on, headers before the upstream has answered, and streams cut half a second after SIGTERM.
"""

import asyncio
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
    """An ASGI response of server-sent events that calls `ended` once, whatever the ending.

    `events` yields whole events as bytes, as they are to be written. A write that the caller's socket does not take
    within one to two times `write_timeout` seconds ends the response, and so does the caller's hang-up.
    """

    def __init__(
        self,
        events: AsyncGenerator[bytes, None],
        headers: Mapping[str, str],
        *,
        write_timeout: float,
        ended: Callable[[], Awaitable[None]],
    ) -> None:
        self.events = events
        self.headers = [
            (name.lower().encode("latin-1"), value.encode("latin-1"))
            for name, value in (HEADERS | dict(headers)).items()
        ]
        self.write_timeout = write_timeout
        self.ended = ended
        self.writes = 0
        self.writing = False
        self.timer: asyncio.TimerHandle

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Write everything there is to write."""
        try:
            with suppress(CallerGone, TimeoutError):
                async with cancelled_on_hangup(receive), asyncio.timeout(None) as stuck:
                    self._look(stuck, 0)
                    await self._written(scope, send)
        finally:
            self.timer.cancel()
            await self.events.aclose()
            await self.ended()

    async def _written(self, scope: Scope, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.headers})
        # The rings around the endpoints wait for the start only: the events go past them, each a few calls cheaper.
        send = scope["state"].get("send", send)
        more = True
        async for event in self.events:
            self.writes += 1
            self.writing = True
            more = not event.endswith(DONE)  # the last one takes the body's end with it: a write less
            await send({"type": "http.response.body", "body": event, "more_body": more})
            self.writing = False
        if more:
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    def _look(self, stuck: asyncio.Timeout, seen: int) -> None:
        """One look in `write_timeout` seconds: a timer for each write would cost more than the write."""
        loop = asyncio.get_running_loop()
        if self.writing and self.writes == seen:
            stuck.reschedule(loop.time())
            return
        self.timer = loop.call_later(self.write_timeout, self._look, stuck, self.writes if self.writing else 0)
