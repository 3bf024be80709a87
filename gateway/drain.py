"""The end of the process, as turns meet it: new ones are refused, running ones may finish, then all end properly."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from gateway.errors import Draining, GatewayError
from gateway.types import Complete, Note, Opened, Prompt


@dataclass(slots=True)
class Drain:
    """Whether the process is about to stop; whoever runs the server says so."""

    begun: bool = False
    over: bool = False
    """Nothing may begin to speak any more."""
    failed: GatewayError | None = None
    """Why nothing could be opened."""
    streams: Callable[[GatewayError], None] | None = None
    """Breaks off what speaks; set once the clients are open."""
    _openings: set[asyncio.Timeout] = field(default_factory=set)
    """Turns that wait for their first word."""

    def begin(self) -> None:
        """Readiness turns 503, and new requests are refused."""
        self.begun = True

    def end_streams(self) -> None:
        """End what still runs: agents with their apology and a finish, routes with an error.

        What speaks ends after what it has said; what still waits for its first word ends without one.
        """
        self.over = True
        if self.streams is not None:
            self.streams(_ending())
        for opening in tuple(self._openings):
            opening.reschedule(asyncio.get_running_loop().time())

    def endable(self, complete: Complete) -> Complete:
        """The same, ended by `end_streams` while it waits for a first word. Raises Draining then."""

        async def opened(route: str, prompt: Prompt, note: Note) -> Opened:
            if self.over:
                raise _ending()
            try:
                async with asyncio.timeout(None) as opening:
                    self._openings.add(opening)
                    try:
                        return await complete(route, prompt, note)
                    finally:
                        self._openings.discard(opening)
            except TimeoutError as error:
                if not opening.expired():
                    raise
                raise _ending() from error

        return opened


def _ending() -> Draining:
    return Draining("The gateway is shutting down.", retry_after=1.0)
