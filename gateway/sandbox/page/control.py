"""`/sandbox/…`: what the page shows, and what tests and people set."""

from dataclasses import asdict
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from gateway.sandbox import behaviour, calls, faults
from gateway.sandbox.accounts import Accounts
from gateway.sandbox.api import edge
from gateway.sandbox.api.asking import document
from gateway.sandbox.api.refusals import detail
from gateway.sandbox.faces import Faces
from gateway.sandbox.sessions import Session
from gateway.sandbox.talk.talks import Talks


def routes(accounts: Accounts, talks: Talks, made: Faces) -> list[BaseRoute]:
    """State, behaviour and faults."""

    async def state(request: Request) -> Response:
        return JSONResponse({**shown(accounts, talks), "operations": edge.names(request.app.routes)})

    async def behave(request: Request) -> Response:
        wanted = await document(request)
        session = wanted.pop("session", "")
        try:
            if session:
                talks.behave(str(session), wanted)
            else:
                accounts.behaviour = behaviour.changed(accounts.behaviour, wanted)
        except ValueError as error:
            raise detail(422, str(error)) from None
        return JSONResponse(behaviour.shown(accounts.behaviour))

    async def misbehaved(_: Request) -> Response:
        accounts.behaviour = behaviour.Behaviour()
        return JSONResponse(behaviour.shown(accounts.behaviour))

    async def fault(request: Request) -> Response:
        try:
            return JSONResponse(asdict(accounts.faults.add(await document(request))), 201)
        except ValueError as error:
            raise detail(422, str(error)) from None

    async def clear(_: Request) -> Response:
        accounts.faults.clear()
        return Response(status_code=204)

    async def forget(_: Request) -> Response:
        await talks.forget()
        accounts.forget()
        made.by_id.clear()
        return Response(status_code=204)

    return [
        Route("/sandbox/state.json", state, methods=["GET"]),
        Route("/sandbox/state.json", forget, methods=["DELETE"]),
        Route("/sandbox/behaviour", behave, methods=["POST"]),
        Route("/sandbox/behaviour", misbehaved, methods=["DELETE"]),
        Route("/sandbox/faults", fault, methods=["POST"]),
        Route("/sandbox/faults", clear, methods=["DELETE"]),
    ]


def shown(accounts: Accounts, talks: Talks) -> dict[str, Any]:
    """All that there is to see, without a secret."""
    sessions = sorted(accounts.sessions.by_id.values(), key=lambda one: one.started, reverse=True)
    return {
        "billed": accounts.sessions.billed,
        "running": accounts.sessions.usage,
        "sessions": [session(one, talks) for one in sessions],
        "agents": [calls.hidden(agent) for agent in accounts.agents.values()],
        "calls": accounts.calls.shown(),
        "faults": [asdict(one) for one in accounts.faults.set],
        "kinds": list(faults.KINDS),
        "behaviour": behaviour.shown(accounts.behaviour),
        "choices": behaviour.choices(),
    }


def session(one: Session, talks: Talks) -> dict[str, Any]:
    """One session, with its conversation where it has one."""
    talk = talks.by_id.get(one.id)
    found: dict[str, Any] = {
        "id": one.id,
        "kind": one.kind,
        "agent_id": one.agent_id,
        "face_id": one.face_id,
        "started": one.started,
        "ended": one.ended,
        "seconds": round(one.seconds, 1),
        "reason": one.reason,
        "transcribed": one.transcribed,
        "max_session_length": one.max_session_length,
        "max_idle_time": one.max_idle_time,
        "state": "ended" if one.ended is not None else "running",
    }
    if talk is None:
        return found
    return {
        **found,
        "state": talk.state,
        "room": one.room,
        "llm": {
            "source": talk.brain.source,
            "model": talk.brain.model,
            "url": calls.address(talk.brain.base_url),
            "keyed": bool(talk.brain.key),
            "passed_over": list(talk.brain.passed_over),
        },
        "said": [asdict(line) for line in one.said],
        "turns": [turn.shown(operator=True) for turn in talk.turns],
    }
