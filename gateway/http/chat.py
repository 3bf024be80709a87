"""`POST …/chat/completions`: read, answer, write."""

import secrets
import time
from dataclasses import replace
from functools import partial
from urllib.parse import quote

import orjson
from starlette.requests import Request
from starlette.responses import Response

from gateway.chat import completion
from gateway.chat import request as requests
from gateway.chat.answer import Brain, answer
from gateway.chat.frames import Stamp, frames
from gateway.chat.opening import Answer
from gateway.errors import CallerGone, Draining, GatewayError, RequestError, UpstreamError
from gateway.http.hangup import body, cancelled_on_hangup
from gateway.http.state import State
from gateway.http.streamed import Streamed
from gateway.types import Outcome, Turn


async def chat_completions(request: Request[State]) -> Response | Streamed:
    """Answer with a stream, one JSON object, or an error; write the turn's record exactly once."""
    state = request.state
    brain = state["brain"]()
    turn = Turn(state["request_id"], time.time(), brain.clock())
    try:
        return await _answered(request, turn, brain)
    except GatewayError as error:
        turn.status, turn.code = error.status, error.code
        turn.outcome = _outcome(error)
        _ended(state, turn)
        if isinstance(error, CallerGone):
            return Response(status_code=error.status)
        raise
    except BaseException:
        turn.status, turn.outcome = 500, "gateway_error"
        _ended(state, turn)
        raise


async def _answered(request: Request[State], turn: Turn, brain: Brain) -> Response | Streamed:
    state = request.state
    settings = state["settings"]
    if state["draining"]():
        raise Draining("The gateway is shutting down.", retry_after=1.0)
    received = await body(request, settings.limits)
    began = brain.clock()
    chat = requests.parse(received, settings.limits)
    if chat.stream is None and _wants_json(request):
        chat = replace(chat, stream=False)
    turn.timings["parse"] = (brain.clock() - began) * 1000
    async with cancelled_on_hangup(request.receive):
        answered = await answer(chat, request.path_params.get("agent", ""), turn, brain)
        if not answered.streamed:
            return await _folded(answered, turn, state)
    stamp = _stamp(turn)
    turn.stream = True
    return Streamed(
        frames(answered.chunks, stamp, usage=chat.include_usage),
        _headers(answered, turn),
        write_timeout=settings.server.write_timeout,
        ended=partial(_stream_ended, answered, turn, state),
    )


async def _folded(answered: Answer, turn: Turn, state: State) -> Response:
    turn.stream = False
    try:
        whole = await completion.folded(answered.chunks, _stamp(turn))
    finally:
        await answered.aclose()
    response = Response(orjson.dumps(whole), media_type="application/json", headers=_headers(answered, turn))
    _ended(state, turn)
    return response


async def _stream_ended(answered: Answer, turn: Turn, state: State) -> None:
    await answered.aclose()
    if turn.phase != "done":
        turn.outcome = "client_gone"
    _ended(state, turn)


def _ended(state: State, turn: Turn) -> None:
    turn.timings["total"] = (state["brain"]().clock() - turn.began) * 1000
    state["ended"](turn)


def _stamp(turn: Turn) -> Stamp:
    return Stamp(f"chatcmpl-{secrets.token_hex(16)}", int(turn.started), turn.model)


def _headers(answered: Answer, turn: Turn) -> dict[str, str]:
    timings = ", ".join(f"{name};dur={turn.timings[name]:.1f}" for name in turn.timings)
    spent = (time.time() - turn.started) * 1000
    headers = {"Server-Timing": timings, "openai-processing-ms": f"{max(0.0, spent):.0f}"}
    if turn.target:
        headers["x-gateway-target"] = quote(turn.target, safe="/:._-@ ")
    if answered.sources:
        headers["x-gateway-sources"] = ",".join(quote(passage.id, safe="/._-~") for passage in answered.sources)
    return headers


def _wants_json(request: Request[State]) -> bool:
    """Whether a caller that left `stream` out expects one JSON object: OpenAI's SDKs and the AI SDK do."""
    return "x-stainless-lang" in request.headers or request.headers.get("user-agent", "").startswith("ai/")


def _outcome(error: GatewayError) -> Outcome:
    if isinstance(error, CallerGone):
        return "client_gone"
    if isinstance(error, RequestError | Draining):
        return "refused"
    return "upstream_error" if isinstance(error, UpstreamError) else "gateway_error"
