"""Text and audio to video in both generations: addresses at once, the files when they are made. FastAPI's side."""

import asyncio
import base64
import binascii
from collections.abc import Callable
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Route

from gateway.audio.voice import Voice
from gateway.sandbox.accounts import Accounts
from gateway.sandbox.api import keys, refusals
from gateway.sandbox.api.asking import Field, against, anything, body, integer, number
from gateway.sandbox.api.compose import NAME
from gateway.sandbox.films.film import MP4, PLAYLIST
from gateway.sandbox.films.sound import CONTAINED, RAW, NoSound, decoded
from gateway.sandbox.films.studio import Studio

KEY = Field("simliAPIKey", required=True)
AUDIO = (
    Field("faceId", required=True),
    Field("audioBase64", required=True),
    Field("audioFormat", required=True, choices=(*RAW, *CONTAINED)),
    Field("audioSampleRate", integer, default=16000),
    Field("audioChannelCount", integer, default=1),
    Field("videoStartingFrame", integer, default=0),
)
TEXT = (
    KEY,
    Field("faceId", required=True),
    Field("requestBody", anything, required=True),
    Field("ttsAPIKey", default=""),
    Field("user_id", default=""),
)
PROVIDER = Field("audioProvider", required=True)
WORDS = Field("text", required=True)
SETTINGS = (Field("stability", number), Field("similarity_boost", number), Field("style", number))
PROVIDERS = {
    "ElevenLabs": (
        Field("voiceName", default="21m00Tcm4TlvDq8ikWAM"),
        Field("voice_settings", default={}, fields=SETTINGS),
        Field("model_id", default="eleven_turbo_v2_5"),
    ),
    "PlayHT": (
        Field("voice", required=True),
        Field("quality", default="draft"),
        Field("output_format", default="mp3"),
        Field("speed", number, default=1.0),
        Field("sample_rate", integer, default=24000),
        Field("voice_engine", default="PlayHT2.0-turbo"),
        Field("emotion", default=None),
        Field("voice_guidance", number, default=3.0),
        Field("style_guidance", number, default=20.0),
        Field("text_guidance", number, default=None),
    ),
    "Cartesia": (Field("voice_id", default=""), Field("model_id", default="sonic-turbo-2025-03-07")),
}
LONGEST = 5000
"""Characters of a text: some six minutes of speech."""
PLACES = ("/mp4", "/hls", "/static/mp4", "/static/hls")
KINDS = {".mp4": "video/mp4", ".m3u8": "application/vnd.apple.mpegurl", ".ts": "video/mp2t"}


def routes(accounts: Accounts, studio: Studio, voice: Voice) -> list[BaseRoute]:
    """Every path of videos."""

    async def text(request: Request) -> Response:
        asked = (await body(request, TEXT)).values
        keys.in_body(accounts, request, "simliAPIKey", asked["simliAPIKey"])
        spoken = _speech(request, asked["requestBody"])
        sound = partial(_voiced, voice, spoken["text"], spoken.get("speed") or 1.0)
        return _shot(accounts, studio, request, asked, sound)

    async def audio_legacy(request: Request) -> Response:
        asked = (await body(request, (KEY, *AUDIO))).values
        keys.in_body(accounts, request, "simliAPIKey", asked["simliAPIKey"])
        return _shot(accounts, studio, request, asked, await _sound(asked))

    async def audio(request: Request) -> Response:
        keys.header(accounts, request, keys.CURRENT)
        asked = (await body(request, AUDIO)).values
        return _shot(accounts, studio, request, asked, await _sound(asked))

    async def file(request: Request) -> Response:
        """A file of a video, or a part of it where `Range` asks for one; without a key, for its address is secret."""
        path = studio.file(request.path_params["destination"], request.path_params["file"])
        if path is None:
            raise refusals.detail(404, "Not Found")
        return FileResponse(path, media_type=KINDS[path.suffix])

    places = [Route(f"{at}/{{destination}}/{{file}}", file, name="videos.file") for at in PLACES]
    for place in places:
        place.methods = {"GET"}  # Starlette would answer HEAD; Simli says 405
    return [
        Route("/textToVideoStream", text, methods=["POST"], name="videos.text"),
        Route("/audioToVideoStream", audio_legacy, methods=["POST"], name="videos.audio"),
        Route("/static/audio", audio, methods=["POST"], name="videos.audio"),
        *places,
    ]


def _speech(request: Request, asked: Any) -> dict[str, Any]:
    """The request of one of three providers, told apart by `audioProvider`."""
    loc = ("body", "requestBody")
    if not isinstance(asked, dict) or asked.get("audioProvider") not in PROVIDERS:
        words = ", ".join(f"'{name}'" for name in PROVIDERS)
        message = f"Input tag 'audioProvider' does not match any of the expected tags: {words}"
        raise refusals.invalid([refusals.fault(loc, message, "union_tag_invalid")])
    found = against(asked, (PROVIDER, WORDS, *PROVIDERS[asked["audioProvider"]]), loc)
    request.scope["sandbox.call"].unknown += found.unknown
    if found.faults:
        raise refusals.invalid(found.faults)
    if not found.values["text"].strip():
        raise refusals.detail(400, "There is no text to say")
    if len(found.values["text"]) > LONGEST:
        raise refusals.detail(400, f"The text is longer than {LONGEST} characters")
    return found.values


def _voiced(voice: Voice, text: str, pace: float) -> bytes:
    return voice.say(text, pace=min(max(pace, 0.25), 4.0)).pcm


async def _sound(asked: dict[str, Any]) -> Callable[[], bytes]:
    """What is to be heard; what cannot be is refused at once."""
    try:
        audio = base64.b64decode(asked["audioBase64"], validate=True)
    except (binascii.Error, ValueError):
        wrong = refusals.fault(("body", "audioBase64"), "Input should be valid Base64", "base64_decode")
        raise refusals.invalid([wrong]) from None
    try:
        heard = await asyncio.to_thread(
            decoded, audio, asked["audioFormat"], asked["audioSampleRate"], asked["audioChannelCount"]
        )
    except NoSound as none:
        raise refusals.detail(400, str(none)) from none
    return lambda: heard


def _shot(
    accounts: Accounts, studio: Studio, request: Request, asked: dict[str, Any], sound: Callable[[], bytes]
) -> Response:
    face_id, first = asked["faceId"], asked.get("videoStartingFrame", 0)
    if not NAME.fullmatch(face_id.partition("/")[0]):
        raise refusals.detail(400, "INVALID_FACE_ID")
    destination = studio.shoot(face_id, sound, max(0, first), accounts.behaviour.video_after)
    at = str(request.base_url).rstrip("/") + ("/static" if request.url.path.startswith("/static") else "")
    return JSONResponse({"hls_url": f"{at}/hls/{destination}/{PLAYLIST}", "mp4_url": f"{at}/mp4/{destination}/{MP4}"})
