"""`/admin/faces` and `/admin/videos`: made at Simli, which takes minutes; the answers say how far it is."""

import logging
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, with_config
from starlette.requests import Request
from starlette.responses import Response

from gateway.errors import InvalidValue
from gateway.http.admin.bodies import BODY, answered
from gateway.http.admin.operation import PARAMETERS, Nothing, Upload
from gateway.http.state import State
from gateway.settings.build import NAME
from gateway.types.orchestration import AudioFormat, TextVideo, VideoProvider
from gateway.types.simli import Face

logger = logging.getLogger("gateway.admin")

FaceId = Annotated[str, Field(pattern=f"^({PARAMETERS['face'].pattern})$", max_length=PARAMETERS["face"].longest)]


@with_config(BODY)
@dataclass(frozen=True, slots=True)
class FaceAsked:
    """A face to be made of the image in the body."""

    name: Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f]*$", min_length=1, max_length=100)] = "untitled_avatar"
    """What you call it."""


_EITHER = ConfigDict(
    json_schema_extra={
        "anyOf": [
            {"required": ["agent"], "properties": {"agent": {"minLength": 1}}},
            {
                "required": ["face", "provider"],
                "properties": {"face": {"minLength": 1}, "provider": {"not": {"const": ""}}},
            },
        ]
    }
)


@with_config(BODY | _EITHER)
@dataclass(frozen=True, slots=True)
class TextVideoAsked:
    """A video of a face that says a text."""

    text: Annotated[str, Field(pattern=r"\S", max_length=5000, examples=["Welcome to the lighthouse."])]
    agent: Annotated[str, Field(pattern=f"^({NAME})?$", max_length=200, examples=["nora"])] = ""
    """Whose face and voice it has."""
    face: Annotated[str, Field(pattern=f"^({PARAMETERS['face'].pattern})?$", max_length=200)] = ""
    """Simli's id of another face than the agent's; without an agent there must be one."""
    provider: VideoProvider | Literal[""] = ""
    """Who speaks it; empty: the agent's own."""


@with_config(BODY)
@dataclass(frozen=True, slots=True)
class AudioVideoAsked:
    """A video of a face that says what is in the body."""

    face: FaceId
    """Simli's id."""
    format: AudioFormat
    """Of the body. `pcm16` and `pcm32`: 16 kHz, one channel, no header."""


@dataclass(frozen=True, slots=True)
class FacesListed:
    """Faces of the account; those that Simli offers to everybody are not among them."""

    faces: list[Face]


@dataclass(frozen=True, slots=True)
class FaceDeleted:
    """A face that is gone."""

    id: str


async def created(request: Request[State], upload: Upload) -> Response:
    """Hand an image over to be made a face of."""
    face = await request.state["administration"].desk.faces.create(upload.content, upload.asked.name)
    logger.info("request %s: face %s is to be made", request.state["request_id"], face.id)
    return answered(face, 202)


async def listed(request: Request[State], _: Nothing) -> Response:
    """List the account's faces."""
    return answered(FacesListed(list(await request.state["administration"].desk.faces.listed())))


async def shown(request: Request[State], _: Nothing) -> Response:
    """How far a face is."""
    return answered(await request.state["administration"].desk.faces.status(request.path_params["face"]))


async def deleted(request: Request[State], _: Nothing) -> Response:
    """Delete a face at Simli."""
    face = request.path_params["face"]
    await request.state["administration"].desk.faces.delete(face)
    logger.info("request %s: face %s is deleted", request.state["request_id"], face)
    return answered(FaceDeleted(face))


async def video_of_text(request: Request[State], asked: TextVideoAsked) -> Response:
    """Have a text said: addresses at which the video will be."""
    if not asked.agent and not (asked.face and asked.provider):
        raise InvalidValue("`agent` must name an agent, or `face` a face and `provider` who speaks.", param="agent")
    wanted = TextVideo(asked.text, asked.agent, asked.face, asked.provider)
    return answered(await request.state["administration"].desk.faces.video_of_text(wanted), 202)


async def video_of_audio(request: Request[State], upload: Upload) -> Response:
    """Have audio said: addresses at which the video will be."""
    faces, asked = request.state["administration"].desk.faces, upload.asked
    return answered(await faces.video_of_audio(asked.face, upload.content, asked.format), 202)
