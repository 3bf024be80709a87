"""Every operation of the client: how it is called, what a good answer is, and when it may be sent again."""

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from gateway.simli.client import Simli
from gateway.simli.dialect import Again, Dialect
from gateway.types.simli import SimliToken
from tests.simli.double import Reply

LLM_KEY, TTS_KEY = "planted-llm-key-7d1f", "planted-tts-key-90ab"
TOKEN = SimliToken("gAAAAABplantedToken" + "x" * 40 + "==")
"""Secrets that must show up nowhere."""
SESSION = {
    "faceId": "tmp9i8bbq7c",
    "ttsAPIKey": TTS_KEY,
    "customLLMConfig": {"model": "nora", "baseURL": "https://gateway.example.org/v1", "llmAPIKey": LLM_KEY},
    "llmConfig": {"provider": "User", "model": "nora", "baseURL": "https://gateway.example.org/v1", "apiKey": LLM_KEY},
}
AGENT = {"id": "a-1", "name": "nora", "face_id": "tmp9i8bbq7c"}
ROOM = {"roomUrl": "https://room.example.org/r", "sessionId": "s-1"}
MADE = {"session_token": TOKEN.text}
URLS = {"mp4_url": "http://127.0.0.1/v.mp4", "hls_url": "http://127.0.0.1/v.m3u8"}
FACE = {"face_id": "f-1", "status": "processing"}


class Family(NamedTuple):
    """One operation."""

    name: str
    call: Callable[[Simli], Awaitable[Any]]
    good: Reply
    again: Again = "always"
    only: Dialect | None = None
    missing: bool = False
    """A 404 is no error here: what is gone is gone, a transcript is yet to come."""


FAMILIES = (
    Family("agents", lambda simli: simli.agents(), Reply(200, [AGENT])),
    Family("agent", lambda simli: simli.agent("a-1"), Reply(200, AGENT)),
    Family("create_agent", lambda simli: simli.create_agent({"name": "nora"}), Reply(201, AGENT), "undone"),
    Family("update_agent", lambda simli: simli.update_agent("a-1", {"name": "nora"}), Reply(200, AGENT)),
    Family("delete_agent", lambda simli: simli.delete_agent("a-1"), Reply(204, b""), missing=True),
    Family("auto_token", lambda simli: simli.auto_token(llm_key=LLM_KEY, tts_key=TTS_KEY), Reply(200, MADE)),
    Family("start", lambda simli: simli.start(SESSION), Reply(200, ROOM), "undone"),
    Family("start_agent", lambda simli: simli.start_agent("a-1", TOKEN), Reply(200, ROOM), "never"),
    Family("start_by_header", lambda simli: simli.start_agent("a-1", TOKEN, in_header=True), Reply(200, ROOM), "never"),
    Family("transcript", lambda simli: simli.transcript("s-1"), Reply(200, []), missing=True),
    Family("compose_token", lambda simli: simli.compose_token("tmp9i8bbq7c"), Reply(200, MADE)),
    Family("ice", lambda simli: simli.ice(), Reply(200, [{"urls": "stun:127.0.0.1:3478"}])),
    Family(
        "signalled",
        lambda simli: simli.signalled("v=0"),
        Reply(200, {"sdp": "v=0", "type": "answer"}),
        "undone",
        "legacy",
    ),
    Family("history", lambda simli: simli.history(), Reply(200, {"sessions": []})),
    Family("usage", lambda simli: simli.usage(), Reply(200, {"currentUsage": 2})),
    Family("ping", lambda simli: simli.ping(), Reply(200, {"message": "pong"})),
    Family("faces", lambda simli: simli.faces(), Reply(200, [{"id": "f-1"}])),
    Family("create_face", lambda simli: simli.create_face(b"image", "me"), Reply(200, FACE), "undone"),
    Family("face", lambda simli: simli.face("f-1"), Reply(200, FACE)),
    Family("delete_face", lambda simli: simli.delete_face("f-1"), Reply(200, {}), only="current", missing=True),
    Family(
        "create_trinity",
        lambda simli: simli.create_face(b"image", "me", trinity=True),
        Reply(200, FACE),
        "undone",
        "current",
    ),
    Family("trinity", lambda simli: simli.face("f-1", trinity=True), Reply(200, FACE), only="current"),
    Family("preprocess_face", lambda simli: simli.preprocess_face(b"image", "me"), Reply(200, {}), "undone", "current"),
    Family(
        "text_to_video",
        lambda simli: simli.text_to_video("f-1", {"audioProvider": "Cartesia", "text": "Hi."}, TTS_KEY),
        Reply(200, URLS),
        "undone",
        "legacy",
    ),
    Family("audio_to_video", lambda simli: simli.audio_to_video("f-1", b"pcm", "pcm16"), Reply(200, URLS), "undone"),
)
SPOKEN = tuple(
    (family, dialect) for family in FAMILIES for dialect in ("legacy", "current") if family.only in (None, dialect)
)
