"""A room whose avatar says what a test lets it say: the page's files, the room's protocol, and a real face."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from gateway.sandbox.avatar.avatar import Avatar
from gateway.sandbox.page import pages
from gateway.sandbox.signalling.peer import Peer
from tests.sandboxed import served

NAME = "kitchen"
WAITS = {
    "recognised": 0.61,
    "requested": 0.62,
    "retrieved": 0.66,
    "first_token": 0.72,
    "first_clause": 0.75,
    "first_sound": 0.83,
    "first_mouth": 0.86,
    "last_token": 0.95,
}
"""Seconds from the person's last word."""


def turn(number: int, asked: str = "", said: str = "", **more: Any) -> dict[str, Any]:
    """A turn as a room tells it."""
    known = {
        "asked": asked,
        "said": said,
        "heard": "",
        "at": 0.0,
        "first_ms": None,
        "error": None,
        "interrupted": False,
    }
    by = "spoken" if asked else "greeting"
    return {**known, "spoken": False, "number": number, "by": by, "moments": {}, "told": {}, **more}


def moments(began: float, **more: float) -> dict[str, float]:
    """Of a turn whose question took 1.8 seconds; `more` in seconds from its end."""
    end = began + 1.8
    return {"asked": began, "asked_end": end, **{name: end + at for name, at in {**WAITS, **more}.items()}}


class Room:
    """It is changed by a test, and tells whoever is in it."""

    def __init__(self) -> None:
        self.url = ""
        self.state: dict[str, Any] = {"state": "listening", "reason": "", "hearing": False, "ears": ""}
        self.turns: list[dict[str, Any]] = []
        self.offers: list[str] = []
        self.typed: list[str] = []
        self.evented = True
        """Whether it has events; sandboxes of yesterday have not."""
        self.broken = False
        """Whether it answers nothing but 503."""
        self.refuses: tuple[int, str] | None = None
        """What an offer is answered with, instead of a face."""
        self.avatar: Avatar | None = None
        self.offered = asyncio.Event()
        """Once somebody came in."""
        self._peers: list[Peer] = []
        self._waiting: set[asyncio.Queue[str | None]] = set()

    def tell(self, said: dict[str, Any]) -> None:
        """A turn is new, or another than it was."""
        self.turns[said["number"] :] = [said, *self.turns[said["number"] + 1 :]]
        self._send("turn", said)

    def become(self, **state: Any) -> None:
        """Its state changes."""
        self.state.update(state)
        self._send("state", self.state)
        if self.state["state"] == "ended":
            self.hang_up()

    def hang_up(self) -> None:
        """The events break off."""
        for waiting in self._waiting:
            waiting.put_nowait(None)

    async def drop(self) -> None:
        """Every connection is gone without a word."""
        peers, self._peers = self._peers, []
        for peer in peers:
            await peer.close()

    def _send(self, event: str, data: dict[str, Any]) -> None:
        for waiting in self._waiting:
            waiting.put_nowait(f"event: {event}\ndata: {json.dumps(data)}\n\n")

    async def _events(self) -> AsyncIterator[str]:
        mine: asyncio.Queue[str | None] = asyncio.Queue()
        self._waiting.add(mine)
        try:
            yield f"event: state\ndata: {json.dumps(self.state)}\n\n"
            for one in self.turns:
                yield f"event: turn\ndata: {json.dumps(one)}\n\n"
            while (text := await mine.get()) is not None:
                yield text
        finally:
            self._waiting.discard(mine)

    async def _enter(self, request: Request) -> Response:
        offer = await request.json()
        self.offers.append(offer["sdp"])
        if self.refuses:
            return JSONResponse({"detail": self.refuses[1]}, self.refuses[0])
        self.avatar = self.avatar or Avatar("nora")
        self.offered.set()
        self._peers.append(peer := Peer(self.avatar))
        return JSONResponse(await peer.answer(offer))

    async def _said(self, request: Request) -> Response:
        self.typed.append((await request.json())["text"])
        return Response("event: done\ndata: {}\n\n", media_type="text/event-stream")

    async def _left(self, _: Request) -> Response:
        if self.broken:
            return Response(status_code=503)
        self.become(state="ended", reason="left")
        return Response(status_code=204)

    async def _seen(self, _: Request) -> Response:
        if self.broken:
            return Response(status_code=503)
        return JSONResponse({**self.state, "turns": self.turns})

    async def _told(self, _: Request) -> Response:
        if not self.evented:
            return JSONResponse({"detail": "Not Found"}, 404)
        return StreamingResponse(self._events(), media_type="text/event-stream")

    def app(self) -> Starlette:
        """Its paths."""
        room = f"/room/{NAME}"
        return Starlette(
            routes=[
                Route(f"{room}/offer", self._enter, methods=["POST"]),
                Route(f"{room}/say", self._said, methods=["POST"]),
                Route(f"{room}/leave", self._left, methods=["POST"]),
                Route(f"{room}/state.json", self._seen),
                Route(f"{room}/events", self._told),
                *pages.routes(),
            ]
        )

    async def close(self) -> None:
        """Nobody is in it any more."""
        self.hang_up()
        await self.drop()
        if self.avatar:
            self.avatar.stop()


@contextlib.asynccontextmanager
async def room_double() -> AsyncIterator[Room]:
    """A room on a free port."""
    room = Room()
    async with served(room.app()) as url:
        room.url = f"{url}/room/{NAME}"
        try:
            yield room
        finally:
            await room.close()


HELLO = "Good evening. I am Nora, I keep the lighthouse."
TALL = "It is forty-one metres from the rock to the lantern."
CLIMBED = "It takes two hundred and seven steps, and"
TYPED = {"requested": 0.01, "retrieved": 0.04, "first_token": 0.1, "first_clause": 0.1, "first_sound": 0.19}


def conversation(began: float = 0.0) -> list[dict[str, Any]]:
    """Some turns as they are after a while: a greeting, an answer, one that was interrupted, one that was typed."""
    at = began or time.time()
    over: dict[str, Any] = {"spoken": True, "first_ms": 110.0}
    told = {"request_id": "r1", "target": "extractive", "sources": ["lighthouse/tower.md#height"], "timings": {}}
    cut = moments(at + 9, interrupted=2.0, hushed=2.148)
    typed = {"asked": at + 20, **{name: at + 20 + after for name, after in TYPED.items()}, "first_mouth": at + 20.17}
    rope = f"{CLIMBED} there is a rope on the left side all the way."
    return [
        turn(0, said=HELLO, heard=HELLO, spoken=True),
        turn(1, "How tall is the tower?", TALL, heard=TALL, moments=moments(at), told=told, **over),
        turn(2, "And how do I get up?", rope, heard=CLIMBED, interrupted=True, moments=cut, told=told, **over),
        turn(3, "Is there a lift?", "No.", heard="No.", by="typed", moments=typed, **over),
    ]
