"""`POST …/chat/completions`: read, answer, write."""

import secrets
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from urllib.parse import quote

import orjson
from starlette.requests import Request
from starlette.responses import Response

from gateway.chat import completion
from gateway.chat import request as requests
from gateway.chat.addressee import addressee
from gateway.chat.answer import Brain, answer
from gateway.chat.frames import Stamp, frames
from gateway.chat.history import last_answer, last_words
from gateway.chat.opening import Answer
from gateway.chat.parting import parted
from gateway.chat.request import ChatRequest
from gateway.errors import CallerGone, Draining, GatewayError, Overloaded, RequestError, UpstreamError
from gateway.http.auth import Caller, chatting, shown
from gateway.http.hangup import body, cancelled_on_hangup
from gateway.http.limits import Place, quotas, refused, told
from gateway.http.state import State
from gateway.http.streamed import Streamed
from gateway.observe.trace import continued
from gateway.types import Agent, Outcome, Quota, Turn, Words
from gateway.types.reach import PARTED, PREFLIGHT


async def chat_completions(request: Request[State]) -> Response | Streamed:
    """Answer with a stream, one JSON object, or an error; write the turn's record exactly once."""
    state = request.state
    brain = state["brain"]()
    turn = Turn(state["request_id"], time.time(), brain.clock(), continued(request.scope["headers"]))
    place: Place | None = None
    try:
        place = _entered(state)
        caller = chatting(request)  # by the headers alone: no stranger's body is read
        turn.starts["auth"], turn.timings["auth"] = 0.0, (brain.clock() - turn.began) * 1000
        if caller.owner:
            state["load"].shared(place, caller.owner)
        return await _answered(request, turn, caller.sees(brain), caller, place)
    except GatewayError as error:
        turn.status, turn.code = error.status, error.code
        turn.outcome = _outcome(error)
        _named(turn, request, brain)
        _ended(state, turn, place)
        if isinstance(error, CallerGone):
            return Response(status_code=error.status)
        raise
    except BaseException:
        turn.status, turn.outcome = 500, "gateway_error"
        _ended(state, turn, place)
        raise


def _entered(state: State) -> Place:
    """A place for this turn. Raises Draining, Overloaded."""
    if state["draining"]():  # another process may serve already: asking again at once finds it
        raise Draining("The gateway is shutting down.", retry_after=0.05, headers={"x-should-retry": "true"})
    return state["load"].entered()


async def _answered(
    request: Request[State], turn: Turn, brain: Brain, caller: Caller, place: Place
) -> Response | Streamed:
    state = request.state
    limits = state["settings"].limits
    turn.key = caller.key.id if caller.key else ""
    received = await body(request, limits)
    began = brain.clock()
    chat = requests.parse(received, limits)
    if chat.stream is None and _wants_json(request):
        chat = replace(chat, stream=False)
    turn.starts["parse"], turn.timings["parse"] = (began - turn.began) * 1000, (brain.clock() - began) * 1000
    if state["settings"].log.content:
        turn.words = Words(last_words(chat.messages)[0])
    _listened(turn, chat, brain, caller, request)
    path_agent = request.path_params.get("agent", "")
    if caller.agent and not chat.model:
        path_agent = path_agent or caller.agent
    if owed := quotas(caller.key, _agent(chat.model, path_agent, brain)):
        await _admitted(owed, state, place)
    noticed = partial(_gone, turn, brain)
    async with cancelled_on_hangup(request.receive, noticed):
        answered = await answer(chat, path_agent, turn, brain)
        if not answered.streamed:
            return await _folded(answered, turn, state, place)
    stamp = _stamp(turn)
    turn.stream = True
    chunks = parted(PARTED)(answered.chunks) if PREFLIGHT in request.headers else answered.chunks
    return Streamed(
        frames(chunks, stamp, usage=chat.include_usage, redact=state["redact"]),
        _headers(answered, turn, place),
        noticed=noticed,
        ended=partial(_stream_ended, answered, turn, state, place),
    )


def _gone(turn: Turn, brain: Brain) -> None:
    turn.hung_up = brain.clock()


def _named(turn: Turn, request: Request[State], brain: Brain) -> None:
    """Say of a turn that came to nothing, as far as it can be told, whose it was and which agent was asked."""
    key = shown(request)
    if key is not None:
        turn.key, turn.session = key.id, turn.session or key.session
    asked = request.path_params.get("agent", "") or (key.agent if key else "")
    if not turn.agent and asked in brain.agents:
        turn.agent = asked


def _listened(turn: Turn, chat: ChatRequest, brain: Brain, caller: Caller, request: Request[State]) -> None:
    """Say whose session the turn is of, and have its words kept where the agent has transcripts.

    A capability without a key is an agent of Simli's that sends none: the one session that is open may be meant.
    """
    session = caller.key.session if caller.key else ""
    if not caller.agent or (caller.key and not session) or PREFLIGHT in request.headers:
        return
    turn.session = session
    agent = brain.agents.get(caller.agent)
    if agent is not None and agent.transcript:
        turn.heard, turn.said = last_words(chat.messages)[0], []
        turn.recalled = last_answer(chat.messages)


def _agent(model: str, path_agent: str, brain: Brain) -> Agent | None:
    """Whose rate the turn counts against. Raises ModelNotFound: who asks for nobody has asked for nothing yet."""
    return addressee(
        model,
        path_agent,
        agents=brain.agents,
        routes=brain.routes,
        default_agent=brain.default_agent,
        default_route=brain.default_route,
    ).agent


async def _admitted(owed: Sequence[Quota], state: State, place: Place) -> None:
    """Count the turn. Nothing is asked of an upstream yet, so a caller that hangs up here is noticed soon enough."""
    admission = await state["access"].admit(owed)
    if not admission.allowed:
        raise refused(admission)
    place.admission = admission


async def _folded(answered: Answer, turn: Turn, state: State, place: Place) -> Response:
    turn.stream = False
    try:
        whole = await completion.folded(answered.chunks, _stamp(turn))
    finally:
        await answered.aclose()
    response = Response(orjson.dumps(whole), media_type="application/json", headers=_headers(answered, turn, place))
    _ended(state, turn, place)
    return response


async def _stream_ended(answered: Answer, turn: Turn, state: State, place: Place) -> None:
    try:
        await answered.aclose()
    finally:
        if turn.phase != "done":
            turn.outcome = "client_gone"
        _ended(state, turn, place)


def _ended(state: State, turn: Turn, place: Place | None) -> None:
    if place is not None:
        place.leave()
    now = state["brain"]().clock()
    turn.timings["total"] = (now - turn.began) * 1000
    if turn.hung_up and turn.outcome == "client_gone":
        turn.timings["hangup"], turn.timings["close"] = (turn.hung_up - turn.began) * 1000, (now - turn.hung_up) * 1000
    state["ended"](turn)


def _stamp(turn: Turn) -> Stamp:
    return Stamp(f"chatcmpl-{secrets.token_hex(16)}", int(turn.started), turn.model)


def _headers(answered: Answer, turn: Turn, place: Place) -> dict[str, str]:
    timings = ", ".join(f"{name};dur={turn.timings[name]:.1f}" for name in turn.timings)
    spent = (time.time() - turn.started) * 1000
    headers = {"Server-Timing": timings, "openai-processing-ms": f"{max(0.0, spent):.0f}"}
    if turn.target:
        headers["x-gateway-target"] = quote(turn.target, safe="/:._-@ ")
    if answered.sources:
        headers["x-gateway-sources"] = ",".join(quote(passage.id, safe="/._-~") for passage in answered.sources)
    if place.admission.limit:
        headers |= told(place.admission)
    return headers


def _wants_json(request: Request[State]) -> bool:
    """Whether a caller that left `stream` out expects one JSON object: OpenAI's SDKs and the AI SDK do."""
    return "x-stainless-lang" in request.headers or request.headers.get("user-agent", "").startswith("ai/")


def _outcome(error: GatewayError) -> Outcome:
    if isinstance(error, CallerGone):
        return "client_gone"
    if isinstance(error, RequestError | Draining | Overloaded):
        return "refused"
    return "upstream_error" if isinstance(error, UpstreamError) else "gateway_error"
