"""A room where a person talks to an avatar: entered, spoken in, and left so that the session is over.

Its protocol is an offer that is posted, `{"sdp", "type"}`, and answered in the same form, as WHIP has it; what is said
goes over a track of ours.
"""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Coroutine
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import httpx
from aiortc import RTCIceServer

from gateway.errors import NoAnswer, NoConnection, NoPicture, SessionLimited, SessionRefused, SimliUnavailable
from gateway.peer import ice
from gateway.peer.connection import Connection
from gateway.peer.microphone import Microphone, Said
from gateway.peer.patience import Patience
from gateway.peer.waiting import soon
from gateway.peer.watch import Watch
from gateway.peer.words import REASONS, answer_in, as_error
from gateway.settings.values import loopback
from gateway.types.peer import Ending
from gateway.types.simli import IceServer

LOOK = 0.25
"""Seconds between two looks at what has come."""
SILENT = 2.0
"""Seconds without a packet after which the other end is gone: media or not, it reports every 1.5 s at most."""


@contextlib.asynccontextmanager
async def entered(
    room_url: str,
    watch: Watch,
    patience: Patience = Patience(),  # noqa: B008 frozen
    servers: tuple[IceServer, ...] = (),
) -> AsyncIterator["Room"]:
    """The room, once its avatar is seen. Left, the session is over. Raises PeerError, SimliUnavailable."""
    parts = urlsplit(room_url)
    certificates = parts.scheme == "https" and _certificates()
    found = await ice.answering(servers, patience.new_candidate)
    async with httpx.AsyncClient(trust_env=not loopback(parts.hostname or ""), verify=certificates) as http:
        room = Room(room_url.rstrip("/"), http, watch, patience, found)
        try:
            await room.join()
            yield room
        finally:
            await asyncio.shield(room.leave())


@cache
def _certificates() -> ssl.SSLContext:
    """To read them costs a few hundredths of a second; once is enough."""
    return httpx.create_ssl_context()


class Room:
    """What `entered` hands out."""

    def __init__(
        self, url: str, http: httpx.AsyncClient, watch: Watch, patience: Patience, servers: list[RTCIceServer]
    ) -> None:
        self.watch = watch
        self.patience = patience
        self._url = url
        self._http = http
        self._microphone = Microphone(watch.now)
        self._connection = Connection(watch, servers, self._gone)
        self._over: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()
        self._refused = False
        self._left = False

    @property
    def ending(self) -> Ending | None:
        """Why it is over; None: it is not."""
        return self._over.result() if self._over.done() else None

    async def join(self) -> None:
        """Offer, answer, connection, picture: each with a time of its own."""
        self.watch.joins()
        self.watch.speaks_first = True
        before = self.watch.pictures.count
        self._connection.exchange(self._microphone)
        self._connection.receive("video")
        offer = {"sdp": await self._connection.offer(), "type": "offer"}
        late = NoAnswer(f"The room did not answer the offer within {self.patience.answer:g} s.")
        await self._connection.take(await soon(self._offered(offer), self.patience.answer, late, self._over))
        await self._connection.connect(self.patience.connect, self._over)
        self._connection.run(self._look())
        await self._picture(before)

    async def say(self, pcm: bytes) -> Said:
        """Say it (16-bit little-endian, 16 kHz, mono), at the pace of speech. It returns when its last sample was sent,
        or when `hush` broke it off. Raises PeerError."""
        self.check()
        if not self._connection.sends("audio"):
            raise SessionRefused("The room does not listen: its answer declines our sound.")
        self.watch.mark("sent")
        saying = self._microphone.say(pcm)
        longest = self._microphone.waiting + self.patience.sound
        late = NoConnection("What is said in the room is not taken any more.")
        said = await soon(saying, longest, late, self._over)
        self.watch.sent_s += said.ended - said.began
        return said

    def hush(self) -> None:
        """Fall silent in the middle of a word: what is still to be said is not."""
        self._microphone.hush()

    def check(self) -> None:
        """Raise what the session ended with."""
        if self.ending:
            raise as_error(self.ending)

    async def over(self) -> Ending:
        """Wait until it is over, whoever ended it."""
        return await asyncio.shield(self._over)

    async def leave(self) -> None:
        """Say so, and close all. It takes seconds at most, and raises nothing."""
        if self._left:
            return
        self._left = True
        self._connection.leaving()
        self._end(Ending("done"))
        if not self._refused and self._over.result().reason in ("done", "dropped"):
            await self._within(self._goodbye())
        await self._within(self._connection.close())
        await self._connection.rest()
        self._microphone.stop()

    async def _offered(self, offer: dict[str, str]) -> str:
        try:
            answer = await self._http.post(f"{self._url}/offer", json=offer, timeout=self.patience.answer)
        except httpx.TimeoutException:
            raise NoAnswer(f"The room did not answer the offer within {self.patience.answer:g} s.") from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise SimliUnavailable(f"The room cannot be reached: {type(error).__name__}.") from None
        if answer.is_success and (sdp := answer_in(answer.text)):
            return sdp
        if 400 <= answer.status_code < 500:
            self._refused = True
            kind = SessionLimited if answer.status_code == 429 else SessionRefused
            raise kind(f"The room refused us with {answer.status_code}: {_detail(answer)}.")
        raise NoAnswer(f"The room answered the offer with {answer.status_code} and no answer of its own.")

    async def _picture(self, before: int) -> None:
        """Wait for the first one."""
        until = self.watch.now() + self.patience.picture
        while self.watch.pictures.count == before:
            self.check()
            if self.watch.now() > until:
                heard = "sound came" if self.watch.sounds.count else "neither picture nor sound came"
                raise NoPicture(f"The room was entered, and within {self.patience.picture:g} s {heard} but no picture.")
            await asyncio.sleep(0.01)

    async def _look(self) -> None:
        """Notice that nothing comes any more, and how long it takes there and back."""
        count, changed = -1, self.watch.now()
        trip: float | None = None
        while not self.ending:
            received = await self._connection.received()
            now = self.watch.now()
            if received != count:
                count, changed = received, now
            elif now - changed > SILENT:
                await self._lost(f"nothing came for {SILENT:g} s")
                return
            if (newest := await self._connection.round_trip()) is not None and newest != trip:
                self.watch.pinged(newest)
                trip = newest
            await asyncio.sleep(LOOK)

    def _gone(self) -> None:
        self._connection.run(self._lost("the media stopped"))

    async def _lost(self, words: str) -> None:
        """It is over, and the room may know why."""
        state: dict[str, Any] = {}
        with contextlib.suppress(httpx.HTTPError, ValueError):
            answer = await self._http.get(f"{self._url}/state.json", timeout=1.0)
            found = answer.json()
            state = found if isinstance(found, dict) else {}
        reason = str(state.get("reason", ""))
        if state.get("state") != "ended":
            self._end(Ending("dropped", words))
        elif known := REASONS.get(reason):
            self._end(Ending(known))
        else:
            self._end(Ending("stop", reason[:200]))

    def _end(self, ending: Ending) -> None:
        if not self._over.done():
            self._over.set_result(ending)
            if not self._left:
                self.watch.ending = ending

    async def _goodbye(self) -> None:
        await self._http.post(f"{self._url}/leave", timeout=self.patience.close)

    async def _within(self, step: Coroutine[Any, Any, None]) -> None:
        """A step of the end: what fails now is over anyway."""
        with contextlib.suppress(TimeoutError, OSError, httpx.HTTPError, httpx.InvalidURL):
            async with asyncio.timeout(self.patience.close):
                await step


def _detail(answer: httpx.Response) -> str:
    """The room's own words."""
    said = "" if "html" in answer.headers.get("content-type", "") else answer.text
    with contextlib.suppress(ValueError, KeyError, TypeError):
        detail = answer.json()["detail"]
        said = detail if isinstance(detail, str) else said
    return said.strip()[:200] or "no more was said"
