"""Simli's API has two generations. One table says, for each operation, how each of them is spoken.

`legacy` is that of Simli's documentation of spring 2025, `current` today's. Where only one of them has an operation,
the other's place is empty: text to video is gone, Trinity's faces are new.
"""

from collections.abc import Mapping
from typing import Literal, NamedTuple, TypeAlias
from urllib.parse import quote

Dialect: TypeAlias = Literal["current", "legacy"]
Key: TypeAlias = Literal["api-key", "x-simli-api-key", "apiKey", "simliAPIKey"]
"""Where the API key goes: the first two are headers, the others fields of the body."""
Again: TypeAlias = Literal["always", "undone", "never"]
"""When an operation may be sent once more: it changes nothing; it was surely not carried out; or on no account."""
HEADERS = ("api-key", "x-simli-api-key")


class Form(NamedTuple):
    """An operation in one dialect."""

    method: Literal["GET", "POST", "PUT", "DELETE"]
    path: str
    keys: tuple[Key, ...] = ("x-simli-api-key",)
    """None: it is open, or a session token opens it."""
    query: Mapping[str, str] = {}
    """Always sent."""

    def at(self, *parts: str) -> str:
        """The path with its places filled; a face's id may hold a slash."""
        return self.path.format(*(quote(part, safe="") for part in parts))


class Operation(NamedTuple):
    """What can be asked of Simli."""

    deed: str
    """In an error's sentence: "Simli did not …"."""
    legacy: Form | None
    current: Form | None
    again: Again = "always"
    patience: int = 1
    """Of the time for one answer: to give up on a session that may be starting leaves one that bills."""

    def form(self, dialect: Dialect) -> Form | None:
        """How this dialect says it."""
        return self.legacy if dialect == "legacy" else self.current


def _both(method: Literal["GET", "POST", "PUT", "DELETE"], path: str) -> tuple[Form, Form]:
    """Agents: the same under `/auto`."""
    return Form(method, path), Form(method, f"/auto{path}")


AGENTS = Operation("list the agents", *_both("GET", "/agents"))
AGENT = Operation("show the agent", *_both("GET", "/agent/{}"))
CREATE_AGENT = Operation("create the agent", *_both("POST", "/agent"), again="undone")
UPDATE_AGENT = Operation("change the agent", *_both("PUT", "/agent/{}"))  # the same fields twice are the same agent
DELETE_AGENT = Operation("delete the agent", *_both("DELETE", "/agent/{}"))
AUTO_TOKEN = Operation(
    "make a session token",
    Form("POST", "/createE2ESessionToken", ("simliAPIKey",)),
    Form("POST", "/auto/token", ("x-simli-api-key", "simliAPIKey")),  # the body's is still required there
)
START = Operation(
    "start the session",
    Form("POST", "/startE2ESession", ("apiKey",)),
    Form("POST", "/auto/start/configurable"),
    again="undone",
    patience=3,
)
START_AGENT = Operation(
    "start the session", Form("GET", "/session/{}/{}", ()), Form("GET", "/auto/start/{}/{}", ()), "never", patience=3
)
START_AGENT_BY_HEADER = Operation(
    "start the session", Form("GET", "/session/{}", ()), Form("GET", "/auto/start/{}", ()), "never", patience=3
)
TRANSCRIPT = Operation(
    "give the transcript", Form("GET", "/getE2ETranscript/{}", ("api-key",)), Form("GET", "/auto/transcript/{}")
)
COMPOSE_TOKEN = Operation(
    "make a session token",
    Form("POST", "/startAudioToVideoSession", ("apiKey",)),
    Form("POST", "/compose/token"),
)
ICE = Operation("name its ICE servers", Form("POST", "/getIceServers", ("apiKey",)), Form("GET", "/compose/ice"))
OFFER = Operation("answer the offer", Form("POST", "/startWebRTCSession", ()), None, again="undone")
# These two never had another name.
HISTORY = Operation("list past sessions", Form("GET", "/history/sessions"), Form("GET", "/history/sessions"))
USAGE = Operation("count the sessions", Form("GET", "/ratelimiter/sessions"), Form("GET", "/ratelimiter/sessions"))
PING = Operation("answer a ping", Form("GET", "/ping", ()), Form("GET", "/ping", ()))
FACES = Operation(
    "list the faces", Form("GET", "/getFaceIDs", ("api-key",), {"getPublic": "false"}), Form("GET", "/faces")
)
CREATE_FACE = Operation(
    "take the face",
    Form("POST", "/generateFaceID", ("api-key",)),
    Form("POST", "/faces/legacy", query={"characterVersion": "1.5"}),
    again="undone",
)
FACE = Operation(
    "show the face",
    Form("POST", "/getRequestStatus", ("api-key",)),
    Form("GET", "/faces/legacy/generation_status"),
)
DELETE_FACE = Operation("delete the face", None, Form("DELETE", "/faces/legacy/{}"))
CREATE_TRINITY = Operation(
    "take the face", None, Form("POST", "/faces/trinity", query={"gsVersion": "GSA_1.0"}), again="undone"
)
PREPROCESS_TRINITY = Operation(
    "look at the face", None, Form("POST", "/faces/trinity/preprocess", query={"retry": "false"}), again="undone"
)
TRINITY = Operation("show the face", None, Form("GET", "/faces/trinity/generation_status"))
DELETE_TRINITY = Operation("delete the face", None, Form("DELETE", "/faces/trinity/{}"))
TEXT_TO_VIDEO = Operation("make the video", Form("POST", "/textToVideoStream", ("simliAPIKey",)), None, again="undone")
AUDIO_TO_VIDEO = Operation(
    "make the video",
    Form("POST", "/audioToVideoStream", ("simliAPIKey",)),
    Form("POST", "/static/audio"),
    again="undone",
    patience=3,
)
PROBES: tuple[tuple[Dialect, Form], ...] = tuple(
    (dialect, form) for dialect in ("current", "legacy") if (form := AGENTS.form(dialect)) is not None
)
"""Reads that change nothing; the other dialect answers them 404. Today's is asked first: a host may serve both."""
