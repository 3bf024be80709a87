"""Turns as they end, of all processes: the script that keeps records tells them too, to whoever listens just then.

A process listens while somebody there wants to hear, on one connection for all of them. Nobody is waited for: who does
not take what is told is dropped.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress
from dataclasses import dataclass, field

from gateway.errors import Overloaded, StoreUnavailable
from gateway.store.connection import Connection
from gateway.store.foreign import FOREIGN
from gateway.store.turn_records import found
from gateway.types import TurnRecord, WantedTurns

MOST = 20
"""Who may listen at once, in one process."""
WAITING = 1000
"""Turns that wait for one of them to take them."""
QUIET = 1.0
"""Seconds without a turn, after which a listener may look whether it is to stop."""
DEAD = 5.0
"""Seconds without a word of the store, after which it is asked whether the line still stands; and for its answer."""


@dataclass(eq=False)
class _Ear:
    """One who listens."""

    texts: asyncio.Queue[str] = field(default_factory=lambda: asyncio.Queue(WAITING))
    over: asyncio.Event = field(default_factory=asyncio.Event)
    """Nothing more will be told."""


class Following:
    """Those who listen in this process."""

    def __init__(self, connection: Connection) -> None:
        self.channel = connection.key("turns", "told")
        self._connection = connection
        self._ears: set[_Ear] = set()
        self._line: asyncio.Task[None] | None = None
        self._stands = asyncio.Event()

    async def told(self, wanted: WantedTurns) -> AsyncGenerator[TurnRecord | None, None]:
        """Each turn that is asked for, when it was kept; None at once, and after each second without one.

        Ends where the line breaks. Raises StoreUnavailable, Overloaded, before anything is told.
        """
        if len(self._ears) >= MOST:
            raise Overloaded(f"{MOST} feeds of turns are open already.", retry_after=10.0)
        ear = _Ear()
        self._ears.add(ear)
        try:
            await self._listening(ear)
            yield None
            while not ear.over.is_set() or not ear.texts.empty():
                text = ""
                with suppress(TimeoutError):
                    async with asyncio.timeout(QUIET):
                        text = await ear.texts.get()
                turns = found([text], wanted) if text else []
                yield turns[0] if turns else None
        finally:
            self._ears.discard(ear)
            if not self._ears and self._line is not None:
                self._line.cancel()
                self._line = None

    async def _listening(self, ear: _Ear) -> None:
        """Return when the line stands. Raises StoreUnavailable."""
        if self._line is None or self._line.done():
            self._stands.clear()
            self._line = asyncio.create_task(self._listen(), name="turns told")
        stands, over = asyncio.create_task(self._stands.wait()), asyncio.create_task(ear.over.wait())
        try:
            await asyncio.wait((stands, over), timeout=DEAD, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stands.cancel()
            over.cancel()
        if not self._stands.is_set() or ear.over.is_set():
            raise StoreUnavailable("The store is away: no turns can be told.")

    async def _listen(self) -> None:
        """Listen until the line breaks, and tell everybody that it did."""
        with suppress(*FOREIGN, StoreUnavailable):
            pubsub = self._connection.listener()
            try:
                await pubsub.subscribe(self.channel)
                asked = False
                while (message := await pubsub.get_message(timeout=DEAD)) is not None or not asked:
                    asked = message is None
                    if message is None:
                        await pubsub.ping()
                    elif message["type"] == "subscribe":
                        self._stands.set()
                    elif message["type"] == "message":
                        self._tell(message["data"])
            finally:
                with suppress(*FOREIGN):
                    await pubsub.aclose()  # type: ignore[no-untyped-call]
        for ear in self._ears:
            ear.over.set()

    def _tell(self, text: str) -> None:
        for ear in self._ears:
            try:
                ear.texts.put_nowait(text)
            except asyncio.QueueFull:
                ear.over.set()
