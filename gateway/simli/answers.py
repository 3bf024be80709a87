"""Simli's answers to our values. Pure; liberal where its documentation says "any", strict where money hangs on it."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal, TypeVar

from gateway.simli.refusals import Answer, json, protocol, unfit
from gateway.types.simli import (
    Face,
    FaceState,
    IceServer,
    PastSession,
    SimliAgent,
    SimliToken,
    Spoken,
    Started,
    VideoUrls,
)

T = TypeVar("T")
_TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]{16,}")
"""Opaque; in the wild some hundred base64url characters. "FAIL TOKEN" and whatever reads like a refusal are none."""
_REFUSAL = re.compile(r"fail|error|invalid|overload|denied|expired|unauthori", re.IGNORECASE)
SHORT = 80
"""Characters: chance does not put one of these words together in less, and a refusal is not longer."""
_ROLES: Mapping[str, Literal["user", "assistant"]] = {
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "bot": "assistant",
    "ai": "assistant",
    "agent": "assistant",
    "chatbot": "assistant",
    "model": "assistant",
}
_LINES = ("transcript", "messages", "lines", "conversation", "history", "data")
_READY = ("ready", "completed", "complete", "success", "succeeded", "done")
_FAILED = ("failed", "failure", "error", "rejected")


def agent(answer: Answer) -> SimliAgent:
    """One agent."""
    return _agent(json(answer), answer)


def agents(answer: Answer) -> list[SimliAgent]:
    """A bare array of them."""
    return [_agent(each, answer) for each in _array(answer, "list of agents")]


def token(answer: Answer) -> SimliToken:
    """A session token, and nothing that only looks like one."""
    body = json(answer)
    if isinstance(body, Mapping) and not body.get("detail") and not body.get("error"):
        text = next((body[name] for name in ("session_token", "token", "sessionToken") if name in body), None)
        if isinstance(text, str) and _TOKEN.fullmatch(text) and not (len(text) < SHORT and _REFUSAL.search(text)):
            warnings = body.get("warnings")
            said = [answer.redact(str(each))[:200] for each in warnings] if isinstance(warnings, list) else []
            return SimliToken(text, tuple(said))
    raise unfit(answer, "session token")


def started(answer: Answer) -> Started:
    """Where the room of a started session is."""
    body = json(answer)
    if isinstance(body, Mapping):
        room = body.get("roomUrl") or body.get("room_url")
        if isinstance(room, str) and re.match(r"https?://\S+$", room):
            return Started(_text(body.get("sessionId") or body.get("session_id")), room)
    raise unfit(answer, "room")


def transcript(answer: Answer) -> Sequence[Spoken] | None:
    """What was said, of any shape that was seen; None: not yet. The shape is documented nowhere."""
    body = json(answer)
    for _ in range(2):
        if isinstance(body, Mapping):
            body = next((body[name] for name in _LINES if name in body), body)
    if body is None and answer.body.strip() in (b"", b"null"):
        return None
    if isinstance(body, str):
        return _written(body)
    if not isinstance(body, list):
        raise unfit(answer, "transcript")
    return tuple(line for line in map(_spoken, body) if line is not None)


def ice(answer: Answer) -> list[IceServer]:
    """RTCIceServers; `urls` is a text or a list."""
    found = []
    for each in _array(answer, "list of ICE servers"):
        urls = each.get("urls") if isinstance(each, Mapping) else None
        urls = (urls,) if isinstance(urls, str) else urls
        if not isinstance(urls, list | tuple) or not all(isinstance(url, str) for url in urls):
            raise protocol(answer, "an ICE server in its answer has no address")
        found.append(IceServer(tuple(urls), _text(each.get("username")), _text(each.get("credential"))))
    return found


def answered(answer: Answer) -> str:
    """The SDP of an answer."""
    body = json(answer)
    if isinstance(body, Mapping) and body.get("type") == "answer" and isinstance(body.get("sdp"), str):
        return str(body["sdp"])
    raise unfit(answer, "SDP answer")


def history(answer: Answer) -> list[PastSession]:
    """Past sessions."""
    body = json(answer)
    sessions = body.get("sessions") if isinstance(body, Mapping) else None
    if sessions is None and isinstance(body, Mapping) and "sessions" in body:
        return []
    if not isinstance(sessions, list) or not all(isinstance(each, Mapping) for each in sessions):
        raise unfit(answer, "list of sessions")
    return [
        PastSession(
            _text(each.get("id")),
            _text(each.get("face_id")),
            _text(each.get("kind")),
            _number(each.get("sessionTotalTime")) or 0.0,
            _text(each.get("startTime")),
            _text(each.get("endTime")),
        )
        for each in sessions
    ]


def usage(answer: Answer) -> int:
    """Sessions at once."""
    body = json(answer)
    count = body.get("currentUsage") if isinstance(body, Mapping) else None
    if isinstance(count, bool) or not isinstance(count, int):
        raise unfit(answer, "count of sessions")
    return count


def pong(answer: Answer) -> None:
    """`{"message": "pong"}`."""
    body = json(answer)
    if not isinstance(body, Mapping) or body.get("message") != "pong":
        raise unfit(answer, "pong")


def face(answer: Answer, id_: str = "") -> Face:
    """A face that is being made, or is."""
    body = json(answer)
    if not isinstance(body, Mapping):
        raise unfit(answer, "face")
    named = next((body[name] for name in ("face_id", "character_uid", "id") if body.get(name)), id_)
    failed = next((str(body[name]) for name in ("error", "detail") if body.get(name)), "")
    says = failed or _text(body.get("status")) or _text(body.get("message"))
    warnings = body.get("warnings")
    if not named and not failed:
        raise unfit(answer, "face")
    said = [answer.redact(str(each))[:200] for each in warnings] if isinstance(warnings, list) else []
    return Face(_text(named), "failed" if failed else _state(says), answer.redact(says)[:200], tuple(said))


def faces(answer: Answer) -> list[Face]:
    """The account's own; today's API lists ready ones, and says so of none."""
    found = []
    for each in _array(answer, "list of faces"):
        if not isinstance(each, Mapping) or not each.get("id"):
            raise protocol(answer, "a face in its answer has no id")
        found.append(Face(_text(each["id"]), "ready", _text(each.get("name") or each.get("simli_version"))))
    return found


def videos(answer: Answer, *, plain: bool) -> VideoUrls:
    """Where the video will be. Simli's older API gives http addresses, which a page on https cannot load."""
    body = json(answer)
    if isinstance(body, Mapping):
        mp4, hls = body.get("mp4_url"), body.get("hls_url")
        if all(isinstance(url, str) and re.match(r"https?://\S+$", url) for url in (mp4, hls)):
            secured: Callable[[str], str] = str if plain else lambda url: re.sub("^http:", "https:", url)
            return VideoUrls(secured(str(mp4)), secured(str(hls)))
    raise unfit(answer, "address of a video")


def _agent(body: Any, answer: Answer) -> SimliAgent:
    if not isinstance(body, Mapping) or not isinstance(body.get("id"), str) or not body["id"]:
        raise protocol(answer, "an agent in its answer has no id")
    return SimliAgent(body["id"], _text(body.get("name")), dict(body))


def _array(answer: Answer, wanted: str) -> list[Any]:
    body = json(answer)
    if isinstance(body, list):
        return body
    if body is None and answer.body.strip() == b"null":  # Go's empty list
        return []
    raise unfit(answer, wanted)


def _spoken(line: Any) -> Spoken | None:
    """One line; None for a system message or whatever nobody said."""
    if not isinstance(line, Mapping):
        return None
    role = next((line[name] for name in ("role", "speaker", "sender", "type") if isinstance(line.get(name), str)), "")
    text = next((line[name] for name in ("content", "text", "message", "transcript") if name in line), "")
    if isinstance(text, list):  # OpenAI's parts
        text = "".join(str(part.get("text", "")) for part in text if isinstance(part, Mapping))
    who = _ROLES.get(role.lower())
    if who is None or not isinstance(text, str) or not text.strip():
        return None
    at = next((line[name] for name in ("at", "timestamp", "time", "created_at") if line.get(name) is not None), None)
    return Spoken(who, text.strip(), _moment(at))


def _written(text: str) -> tuple[Spoken, ...]:
    """`User: …` line by line; a line without a name goes on with the last one."""
    found: list[Spoken] = []
    for line in filter(None, map(str.strip, text.splitlines())):
        name, _, words = line.partition(":")
        who = _ROLES.get(name.strip().lower())
        if who is not None and words.strip():
            found.append(Spoken(who, words.strip()))
        elif found:
            found[-1] = Spoken(found[-1].role, f"{found[-1].text} {line}")
    return tuple(found)


def _moment(value: Any) -> float | None:
    """Seconds since the epoch, of seconds, milliseconds or ISO 8601."""
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            return None
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    seconds = _number(value)
    return seconds / 1000 if seconds is not None and seconds > 1e11 else seconds


def _state(says: str) -> FaceState:
    word = says.lower()
    if word in _READY:
        return "ready"
    return "failed" if word in _FAILED else "processing"


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _number(value: Any) -> float | None:
    return None if isinstance(value, bool) or not isinstance(value, int | float) else float(value)
