"""Simli Compose's JSON: tokens, ICE servers, what runs and what ran; and LiveKit, which the sandbox has not."""

import re
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from gateway.sandbox.accounts import Accounts
from gateway.sandbox.api import keys, refusals
from gateway.sandbox.api.asking import Field, anything, body, boolean, integer, number, query
from gateway.sandbox.tokens import Compose, Dialect

COMMON = (
    Field("faceId", required=True),
    Field("handleSilence", boolean, default=True),
    Field("maxSessionLength", integer, default=3600),
    Field("maxIdleTime", integer, default=300),
    Field("audioInputFormat", default="pcm16"),
    Field("model", default=""),
)
LEGACY = (
    Field("apiKey", required=True),
    *COMMON,
    Field("apiVersion", default="v1"),
    Field("isJPG", boolean, default=False),
    Field("syncAudio", boolean, default=False),
    Field("batchSize", integer, default=1),
    Field("preloadAvatar", boolean, default=False),
)
CURRENT = (
    *COMMON,
    Field("apiVersion", default="v2"),
    Field("sessionAggregator", default=None),
    Field("startFrame", integer, default=0),
    Field("streaming_width", integer, default=768),
    Field("streaming_height", integer, default=768),
    Field("avatar_position_x", number, default=0.5),
    Field("avatar_position_y", number, default=1.0),
    Field("camera", anything, default=None),
    Field("background_id", default=None),
    Field("foreground_id", default=None),
)
ICE = (Field("apiKey", required=True),)
LIVEKIT = (
    Field("session_token", required=True),
    Field("livekit_token", required=True),
    Field("livekit_url", required=True),
)
NAME = re.compile(r"(?!invalid)[\w.-]{1,100}", re.IGNORECASE)
"""What a face or an emotion may be called. Simli knows its faces; the sandbox takes any name that is not `invalid…`."""


def routes(accounts: Accounts) -> list[BaseRoute]:
    """Every path of Compose but the signalling, and the account's own numbers."""

    async def token_legacy(request: Request) -> Response:
        asked = (await body(request, LEGACY)).values
        keys.in_body(accounts, request, "apiKey", asked["apiKey"])
        checked = asked["apiVersion"] == "v2"  # an unknown face is found out by v2 only
        return _token(accounts, asked, "legacy", checked=checked)

    async def token_current(request: Request) -> Response:
        keys.token_header(accounts, request, keys.CURRENT)
        return _token(accounts, (await body(request, CURRENT)).values, "current", checked=True)

    async def ice_legacy(request: Request) -> Response:
        asked = (await body(request, ICE)).values
        keys.in_body(accounts, request, "apiKey", asked["apiKey"])
        return JSONResponse(_ice(accounts, request))

    async def ice_current(request: Request) -> Response:
        keys.header(accounts, request, keys.CURRENT)
        return JSONResponse(_ice(accounts, request))

    async def history(request: Request) -> Response:
        keys.other_side(accounts, request)
        asked = query(request, (Field("startTime"), Field("endTime")))
        begin, end = _moment(asked["startTime"]), _moment(asked["endTime"])
        return JSONResponse({"sessions": accounts.sessions.history(begin, end)})

    async def usage(request: Request) -> Response:
        keys.other_side(accounts, request)
        return JSONResponse({"currentUsage": accounts.sessions.usage})

    async def livekit(request: Request) -> Response:
        await body(request, LIVEKIT)
        raise refusals.error(400, "The sandbox has no LiveKit server", "LIVEKIT_NOT_CONFIGURED")

    return [
        Route("/startAudioToVideoSession", token_legacy, methods=["POST"], name="compose.token"),
        Route("/startAudioVideoSession", token_legacy, methods=["POST"], name="compose.token"),
        Route("/compose/token", token_current, methods=["POST"], name="compose.token"),
        Route("/getIceServers", ice_legacy, methods=["POST"], name="compose.ice"),
        Route("/getIceServer", ice_legacy, methods=["POST"], name="compose.ice"),
        Route("/compose/ice", ice_current, methods=["GET"], name="compose.ice"),
        Route("/history/sessions", history, methods=["GET"], name="history"),
        Route("/ratelimiter/sessions", usage, methods=["GET"], name="usage"),
        Route("/startLivekitAgentsSession", livekit, methods=["POST"], name="livekit"),
        Route("/integrations/livekit/agents", livekit, methods=["POST"], name="livekit"),
    ]


def _token(accounts: Accounts, asked: dict[str, object], dialect: Dialect, *, checked: bool) -> Response:
    face, _, emotion = str(asked["faceId"]).partition("/")
    if checked and not NAME.fullmatch(face):
        raise refusals.no_token(400, "INVALID_FACE_ID")
    if checked and emotion and not NAME.fullmatch(emotion):
        raise refusals.no_token(400, "INVALID_EMOTION")
    if accounts.full:
        raise refusals.no_token(429, "Too many concurrent sessions")
    grant = Compose(
        face=str(asked["faceId"]),
        dialect=dialect,
        handle_silence=bool(asked["handleSilence"]),
        max_session_length=integer(asked["maxSessionLength"]),
        max_idle_time=integer(asked["maxIdleTime"]),
    )
    return JSONResponse({"session_token": accounts.tokens.mint(grant)})


def _ice(accounts: Accounts, request: Request) -> list[dict[str, str]]:
    """Its own STUN responder, reached as the sandbox was. Clients take no other keys, and no empty list."""
    host = request.url.hostname or accounts.options.host
    return [{"urls": f"stun:{f'[{host}]' if ':' in host else host}:{accounts.stun_port}"}]


def _moment(text: str | None) -> float | None:
    """Seconds since the epoch, from themselves or from ISO 8601."""
    if not text:
        return None
    try:
        return float(text)
    except ValueError:
        pass
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise refusals.error(400, "startTime and endTime are times", "INVALID_REQUEST") from None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
