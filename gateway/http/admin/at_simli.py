"""The map of what the admin API does with Simli: agents planned and applied, sessions, faces, videos."""

from typing import TypeAlias

from gateway.errors import Conflict, FilesAtFault, GatewayError, NotFound, NotReachable, SimliError, StoreUnavailable
from gateway.http.admin import faces, plans, sessions
from gateway.http.admin.operation import Operation
from gateway.types.orchestration import Adopted, Applied, Change, Plan, Transcript
from gateway.types.simli import Face, VideoUrls

Errors: TypeAlias = tuple[type[GatewayError], ...]
_SIMLI: Errors = (SimliError, *SimliError.__subclasses__())
_REACH: Errors = (NotReachable, *NotReachable.__subclasses__())
_AGENTS = (*_SIMLI, FilesAtFault, StoreUnavailable)
_SESSIONS = (*_SIMLI, *_REACH, FilesAtFault, Conflict, StoreUnavailable, NotFound)
_KEPT = (StoreUnavailable, NotFound)
APPLYING = 300.0
"""Seconds for all changes of a plan."""
STARTING = 120.0
"""For a session: a turn of our own, then Simli's answers, asked again where it is overloaded."""
ASKING = 60.0
"""For what is one answer of Simli's."""
IMAGES = ("image/png", "image/jpeg", "image/webp")
AUDIO = ("application/octet-stream", "audio/wav", "audio/mpeg", "audio/ogg")
AT_SIMLI = (
    Operation(
        "POST", "/admin/agents/plan", "What an apply would do", Plan, plans.planned, plans.PlanAsked,
        errors=_AGENTS, within=ASKING,
    ),
    Operation(
        "POST", "/admin/agents/apply", "Make Simli's agents what the files say", Applied, plans.applied,
        plans.PlanAsked, errors=_AGENTS, within=APPLYING,
    ),
    Operation(
        "POST", "/admin/agents/adopt", "Take an agent of Simli's over", Adopted, plans.adopted, plans.AdoptionAsked,
        201, (*_AGENTS, Conflict), within=ASKING,
    ),
    Operation(
        "DELETE", "/admin/agents/{agent}/simli", "Delete an agent at Simli", Change, plans.deleted,
        errors=(*_AGENTS, NotFound), within=ASKING,
    ),
    Operation(
        "POST", "/admin/sessions", "Start a session, which bills", sessions.SessionLaunched, sessions.started,
        sessions.SessionAsked, 201, _SESSIONS, leads=("session", "/session/id"), within=STARTING,
    ),
    Operation(
        "POST", "/admin/sessions/link", "Let a browser start one", sessions.SessionLaunched, sessions.linked,
        sessions.LinkAsked, 201, _SESSIONS, leads=("session", "/session/id"), within=STARTING,
    ),
    Operation(
        "GET", "/admin/sessions", "Sessions", sessions.SessionsListed, sessions.listed, errors=(StoreUnavailable,)
    ),
    Operation("GET", "/admin/sessions/{session}", "A session", sessions.SessionShown, sessions.shown, errors=_KEPT),
    Operation(
        "POST", "/admin/sessions/{session}/end", "Revoke its key", sessions.SessionClosed, sessions.ended,
        errors=_KEPT,
    ),
    Operation(
        "GET", "/admin/sessions/{session}/transcript", "What was said", Transcript, sessions.transcript,
        errors=(*_SIMLI, *_KEPT), text=True, within=ASKING,
    ),
    Operation(
        "POST", "/admin/faces", "Make a face of an image", Face, faces.created, faces.FaceAsked, 202,
        _SIMLI, uploads=IMAGES, leads=("face", "/id"), within=ASKING,
    ),
    Operation(
        "GET", "/admin/faces", "Faces of the account", faces.FacesListed, faces.listed, errors=_SIMLI, within=ASKING
    ),
    Operation("GET", "/admin/faces/{face}", "How far a face is", Face, faces.shown, errors=_SIMLI, within=ASKING),
    Operation(
        "DELETE", "/admin/faces/{face}", "Delete a face", faces.FaceDeleted, faces.deleted, errors=_SIMLI,
        within=ASKING,
    ),
    Operation(
        "POST", "/admin/videos/text", "A video of a text", VideoUrls, faces.video_of_text, faces.TextVideoAsked, 202,
        (*_SIMLI, FilesAtFault, NotFound), within=ASKING,
    ),
    Operation(
        "POST", "/admin/videos/audio", "A video of audio", VideoUrls, faces.video_of_audio, faces.AudioVideoAsked, 202,
        _SIMLI, uploads=AUDIO, within=ASKING,
    ),
)  # fmt: skip
"""Each with the seconds after which it is given up."""
