"""Simli Auto: tokens, sessions that run by themselves, their transcripts. In the seed's form and in today's."""

import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from gateway.sandbox import calls
from gateway.sandbox.accounts import Accounts
from gateway.sandbox.api import keys, refusals
from gateway.sandbox.api.asking import Field, body, boolean, integer, query, texts
from gateway.sandbox.api.brains import GOOGLE, OPENAI, of_agent, of_session
from gateway.sandbox.sessions import Session
from gateway.sandbox.talk.brain import Brain
from gateway.sandbox.talk.talks import Talks
from gateway.sandbox.tokens import Auto

PROMPT = (
    "You are Chatbot, a friendly, helpful robot. Your goal is to demonstrate your capabilities in a succinct way. Your "
    "output will be converted to audio so don't include special characters in your answers. Respond to what the user "
    "said in a creative and helpful way, but keep your responses brief."
)
TOKEN = (
    Field("simliAPIKey", required=True),
    Field("expiryStamp", integer, default=-1),
    Field("llmAPIKey", default=""),
    Field("ttsAPIKey", default=""),
    Field("originAllowList", texts, default=[]),
    Field("createTranscript", boolean, default=False),
)
CUSTOM = (Field("model", default="gpt-4o-mini"), Field("baseURL", required=True), Field("llmAPIKey", required=True))
CUSTOM_TODAY = (Field("model", required=True), *CUSTOM[1:])
LLM = (
    Field("model", default="gpt-4o-mini"),
    Field("provider", default="OpenAI", choices=("OpenAI", "Google", "User")),
    Field("apiKey", default=""),
    Field("baseURL", default=""),
)
SESSION = (
    Field("faceId", default="tmp9i8bbq7c"),
    Field("ttsProvider", default="Cartesia", choices=("ElevenLabs", "PlayHT", "Cartesia", "User")),
    Field("ttsAPIKey", default=""),
    Field("ttsModel", default="sonic-turbo-2025-03-07"),
    Field("voiceId", default="a167e0f3-df7e-4d52-a9c3-f949145efdab"),
    Field("systemPrompt", default=PROMPT),
    Field("firstMessage", default=""),
    Field("maxSessionLength", integer, default=3600),
    Field("maxIdleTime", integer, default=300),
    Field("language", default="en"),
    Field("createTranscript", boolean, default=False),
    Field("llmConfig", fields=LLM),
)
LEGACY = (Field("apiKey", required=True), *SESSION, Field("customLLMConfig", fields=CUSTOM))
CURRENT = (
    *SESSION,
    Field("customLLMConfig", fields=CUSTOM_TODAY),
    Field("model", default="artalk", choices=("fasttalk", "artalk")),
)

BY_AGENT = (
    "/session/{agent}/{token:path}",
    "/session/{agent}",
    "/auto/start/{agent}/{token:path}",
    "/auto/start/{agent}",
)
"""GETs that start a session; the documents disagree, so POST is taken, too."""


def routes(accounts: Accounts, talks: Talks) -> list[BaseRoute]:
    """Every path of Simli Auto but the agents'."""

    async def token(request: Request) -> Response:
        asked = (await body(request, TOKEN)).values
        keys.in_body(accounts, request, "simliAPIKey", asked["simliAPIKey"])
        expires = asked["expiryStamp"]
        grant = Auto(
            llm_key=asked["llmAPIKey"],
            tts_key=asked["ttsAPIKey"],
            expires=None if expires < 0 else float(expires),
            origins=tuple(asked["originAllowList"]),
            transcribed=asked["createTranscript"],
        )
        return JSONResponse({"session_token": accounts.tokens.mint(grant)})

    async def start_legacy(request: Request) -> Response:
        asked = (await body(request, LEGACY)).values
        keys.in_body(accounts, request, "apiKey", asked["apiKey"])
        return await _configured(accounts, talks, request, asked)

    async def start_current(request: Request) -> Response:
        keys.header(accounts, request, keys.CURRENT)
        return await _configured(accounts, talks, request, (await body(request, CURRENT)).values)

    async def start_agent(request: Request) -> Response:
        return await _by_agent(accounts, talks, request)

    async def transcript_legacy(request: Request) -> Response:
        keys.header(accounts, request, keys.LEGACY)
        return _transcript(accounts, request.path_params["session"])

    async def transcript_current(request: Request) -> Response:
        keys.header(accounts, request, keys.CURRENT)
        return _transcript(accounts, request.path_params["session"])

    return [
        Route("/createE2ESessionToken", token, methods=["POST"], name="auto.token"),
        Route("/auto/token", token, methods=["POST"], name="auto.token"),
        Route("/startE2ESession", start_legacy, methods=["POST"], name="auto.start"),
        Route("/auto/start/configurable", start_current, methods=["POST"], name="auto.start"),
        *(Route(path, start_agent, methods=["GET", "POST"], name="auto.start_agent") for path in BY_AGENT),
        Route("/getE2ETranscript/{session}", transcript_legacy, methods=["GET"], name="auto.transcript"),
        Route("/auto/transcript/{session}", transcript_current, methods=["GET"], name="auto.transcript"),
    ]


async def _configured(accounts: Accounts, talks: Talks, request: Request, asked: Mapping[str, Any]) -> Response:
    """A session whose every field was sent."""
    _named(asked["llmConfig"])
    session = Session(
        "e2e",
        asked["faceId"],
        max_session_length=asked["maxSessionLength"],
        max_idle_time=asked["maxIdleTime"],
        transcribed=asked["createTranscript"],
    )
    brain = of_session(asked, customs_used=accounts.behaviour.custom_llm == "used")
    return await _begun(accounts, talks, request, session, brain)


def _named(llm: Mapping[str, Any] | None) -> None:
    """Models of a named provider are a list, and have no address of their own."""
    if llm is None:
        return
    allowed = {"OpenAI": OPENAI, "Google": GOOGLE}.get(llm["provider"], ())
    if allowed and llm["model"] not in allowed:
        words = f"Value error, {llm['provider']} models are {', '.join(allowed)}"
        raise refusals.invalid([refusals.fault(("body", "llmConfig", "model"), words, "value_error")])
    if allowed and llm["baseURL"]:
        words = f"Value error, baseURL is not allowed with provider {llm['provider']}"
        raise refusals.invalid([refusals.fault(("body", "llmConfig", "baseURL"), words, "value_error")])
    if not allowed and not llm["baseURL"]:
        words = "Value error, baseURL is required with provider User"
        raise refusals.invalid([refusals.fault(("body", "llmConfig", "baseURL"), words, "value_error")])


async def _by_agent(accounts: Accounts, talks: Talks, request: Request) -> Response:
    """A session of an agent: the token says whose, and with which keys."""
    query(request, (Field("redirect", boolean, default=False),))
    text = _token(request)
    grant = accounts.tokens.of(text)
    if not isinstance(grant, Auto):
        raise refusals.detail(401, "Invalid or expired session token")
    if grant.origins and _origin(request) not in {one.rstrip("/").lower() for one in grant.origins}:
        raise refusals.detail(401, "Origin not allowed")
    agent = accounts.agents.get(request.path_params["agent"])
    if agent is None:
        raise refusals.detail(404, "Agent not found")
    if accounts.behaviour.single_use:
        accounts.tokens.use_up(text)
    session = Session(
        "agent",
        agent["face_id"],
        max_session_length=agent["max_session_length"],
        max_idle_time=agent["max_idle_time"],
        agent_id=agent["id"],
        transcribed=grant.transcribed,
    )
    return await _begun(accounts, talks, request, session, of_agent(agent, grant.llm_key))


def _token(request: Request) -> str:
    """From the path, the header `session-token`, or a Bearer."""
    call = calls.of(request.scope)
    if in_path := request.path_params.get("token", ""):
        call.auth = "token in the path"
        return str(in_path)
    scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
    return request.headers.get("session-token", "") or (bearer.strip() if scheme.lower() == "bearer" else "")


def _origin(request: Request) -> str:
    """Of the page that asks; a page that is gone to says only where it was come from."""
    origin = request.headers.get("origin", "")
    if not origin and (referer := urlsplit(request.headers.get("referer", ""))).netloc:
        origin = f"{referer.scheme}://{referer.netloc}"
    return origin.rstrip("/").lower()


async def _begun(accounts: Accounts, talks: Talks, request: Request, session: Session, brain: Brain) -> Response:
    if accounts.full:
        raise refusals.detail(429, "Too many concurrent sessions")
    accounts.sessions.begin(session)
    talks.begin(session, brain)
    room = f"{str(request.base_url).rstrip('/')}/room/{session.room}"
    if query(request, (Field("redirect", boolean, default=False),))["redirect"]:
        return RedirectResponse(room, 303)
    return JSONResponse({"roomUrl": room, "sessionId": session.id})


def _transcript(accounts: Accounts, id_: str) -> Response:
    """What was said; 404 as long as the session runs, and for ever where none was asked for."""
    session = accounts.sessions.by_id.get(id_)
    waits = accounts.behaviour.transcript_after
    if session is None or not session.transcribed or session.ended is None or time.time() < session.ended + waits:
        raise refusals.detail(404, "Transcript not found")
    lines = [{"role": line.role, "content": line.text, "timestamp": line.at} for line in session.said]
    return JSONResponse({"sessionId": session.id, "transcript": lines})
