"""Sound to a face at the pace at which it is heard: a little ahead, and silence where the source has nothing."""

import asyncio
from collections.abc import Awaitable, Callable

import numpy as np

from gateway.errors import NoSound
from gateway.peer.packets import PACKET, Packets, seconds
from gateway.peer.session import Session
from gateway.types.peer import Ending

LEAD = 0.75
"""Seconds that are sent before they are heard."""
SILENCE = bytes(PACKET)
LOOK = 0.2
"""Seconds between two looks at how the session is."""
AUDIBLE = 330
"""The amplitude of a sample that must be heard (-40 dBFS)."""


class Playing:
    """What is sent to one session. `paced`: as it is heard; else as fast as the line takes it."""

    def __init__(self, session: Session, packets: Packets, *, paced: bool = True) -> None:
        self._session = session
        self._watch = session.watch
        self._packets = packets
        self._paced = paced
        self._began: float | None = None
        self._sent = 0.0
        self._audible_at: float | None = None
        self._heard_before = session.watch.heard

    @property
    def ahead(self) -> float:
        """Seconds that were sent and not yet heard."""
        return 0.0 if self._began is None else max(0.0, self._began + self._sent - self._watch.now())

    async def play(self, read: Callable[[], Awaitable[bytes]], until: float | None = None) -> None:
        """All that `read` gives, or so many seconds of it. Raises PeerError, InvalidValue."""
        reading = asyncio.ensure_future(read())
        try:
            while until is None or self._watch.sent_s < until:
                if not reading.done():
                    await self._wait(reading)
                    continue
                piece = reading.result()
                if not piece:
                    await self._packet(self._packets.rest())
                    return
                reading = asyncio.ensure_future(read())
                for packet in self._packets.add(piece):
                    await self._packet(packet)
        finally:
            reading.cancel()

    async def interrupt(self) -> None:
        """Nothing of what was sent is to be heard any more."""
        self._packets.clear()
        self._began, self._sent = None, 0.0
        await self._session.skip()

    async def idle(self, enough: Callable[[], bool]) -> None:
        """Keep the session awake with silence until it is enough. Raises PeerError."""
        while not enough():
            self._check()
            if self.ahead < LEAD / 2:
                await self._silence()
            await asyncio.sleep(0.05)

    async def finish(self) -> Ending:
        """Say DONE, and wait until all is heard."""
        ending = await self._session.finish(self.ahead)
        self._watch.ending = ending
        return ending

    async def _wait(self, reading: "asyncio.Future[bytes]") -> None:
        """For the source; silence goes out before what was sent is used up."""
        self._check()
        waited = min(LOOK, max(0.02, self.ahead - 0.1)) if self._began is not None else LOOK
        await asyncio.wait({reading}, timeout=waited)
        if not reading.done() and self.ahead <= 0.15:
            await self._silence()

    async def _silence(self) -> None:
        self._watch.silence_s += seconds(PACKET)
        await self._packet(SILENCE)

    async def _packet(self, packet: bytes) -> None:
        if not packet:
            return
        self._check()
        while self._paced and self.ahead > LEAD:
            await asyncio.sleep(min(LOOK, self.ahead - LEAD))
            self._check()
        await self._session.audio(packet, immediate=self._began is None)
        now = self._watch.now()
        if self._began is None or self.ahead == 0.0:
            self._began, self._sent = now, 0.0
        self._sent += seconds(len(packet))
        self._watch.sent_s += seconds(len(packet))
        if self._audible_at is None and np.abs(np.frombuffer(packet, "<i2").astype(np.int32)).max() >= AUDIBLE:
            self._audible_at = now
            self._watch.mark("sent audible")

    def _check(self) -> None:
        self._session.check()
        patience = self._session.patience.sound
        late = self._audible_at is not None and self._watch.now() - self._audible_at > patience
        if late and not self._watch.heard:
            raise NoSound(f"The face was sent sound, and within {patience:g} s nothing was heard of it.")
