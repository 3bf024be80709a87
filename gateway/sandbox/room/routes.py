"""`/room/{room}`: a page; `/offer`, `/say`, `/events`, `/leave` for it, and for whoever else has the room's name."""

import asyncio

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from gateway.sandbox.api import refusals
from gateway.sandbox.api.asking import Field, against, document
from gateway.sandbox.avatar.face import face_of
from gateway.sandbox.room import events
from gateway.sandbox.room.visit import Visit
from gateway.sandbox.signalling.held import shown
from gateway.sandbox.signalling.peer import UnreadableOffer
from gateway.sandbox.talk.conversation import Conversation
from gateway.sandbox.talk.talks import Talks

SAY = (Field("text", required=True), Field("until", default="answered", choices=("answered", "spoken")))
LONGEST = 10_000
"""Characters of a typed turn."""


def routes(talks: Talks) -> list[BaseRoute]:
    """What can be done in a room."""

    async def say(request: Request) -> Response:
        """A typed turn: JSON of what was said or, where that is accepted, server-sent events as it is being said."""
        talk = running(talks, request)
        asked = await _said(request)
        await talk.greeted()
        turn = running(talks, request).say(asked["text"])
        if "text/event-stream" in request.headers.get("accept", ""):
            return StreamingResponse(events.of_turn(turn), media_type="text/event-stream")
        async for _ in turn.follow():
            pass
        if asked["until"] == "spoken":
            await turn.over()
        return JSONResponse(turn.shown())

    async def offer(request: Request) -> Response:
        """Somebody comes, with a WebRTC offer `{"sdp", "type"}`; the answer is of the same form.

        Who offers sound (sendrecv, or sendonly) is heard.
        """
        return await _watched(talks, request)

    async def leave(request: Request) -> Response:
        """The person leaves: the session is over, as it is when nobody is in Simli's room."""
        await talks.end(known(talks, request), "left")
        return Response(status_code=204)

    async def seen(request: Request) -> Response:
        """What the room's page shows."""
        talk = known(talks, request)
        turns = [turn.shown() for turn in talk.turns]
        return JSONResponse({**events.state(talk), "turns": turns})

    async def follow(request: Request) -> Response:
        """What goes on in the room, until its session is over."""
        told = events.of_room(known(talks, request))
        return StreamingResponse(told, media_type="text/event-stream", headers={"cache-control": "no-store"})

    return [
        Route("/room/{room}/offer", offer, methods=["POST"]),
        Route("/room/{room}/say", say, methods=["POST"]),
        Route("/room/{room}/leave", leave, methods=["POST"]),
        Route("/room/{room}/state.json", seen, methods=["GET"]),
        Route("/room/{room}/events", follow, methods=["GET"]),
    ]


def known(talks: Talks, request: Request) -> Conversation:
    """The conversation of the room, also when it is over; 404 where there was none."""
    talk = talks.in_room(request.path_params["room"])
    if talk is None:
        raise refusals.detail(404, "There is no such room")
    return talk


def running(talks: Talks, request: Request) -> Conversation:
    """The conversation of the room; 410 where it is over."""
    talk = known(talks, request)
    if talk.over.is_set():
        raise refusals.detail(410, f"The session is over ({talk.session.reason})")
    return talk


async def _watched(talks: Talks, request: Request) -> Response:
    talk, offered = running(talks, request), await document(request)
    await asyncio.to_thread(face_of, talk.session.face_id)  # it is drawn once, and nobody else's picture waits for it
    visit = Visit(running(talks, request), talks.senses)
    try:
        answer = await visit.answer(offered)
    except UnreadableOffer as unreadable:
        raise refusals.detail(400, str(unreadable)) from None
    talks.run(visit.run())
    blocked = talk.behaviour().ice == "blocked"
    return Response(shown(answer, blocked=blocked), media_type="application/json")


async def _said(request: Request) -> dict[str, str]:
    asked = against(await document(request), SAY)
    if asked.faults:
        raise refusals.invalid(asked.faults)
    text = asked.values["text"].strip()
    if not text or len(text) > LONGEST:
        raise refusals.detail(422, f"text: 1 to {LONGEST} characters")
    return {**asked.values, "text": text}
