"""Faces and videos at Simli: what is asked for is checked, and whose key and voice a video is spoken with."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial

from gateway.errors import ConfigurationError, Fault, InvalidValue, NotFound
from gateway.orchestration.recordings import checked_audio, checked_image
from gateway.simli import fields
from gateway.simli.client import Simli
from gateway.types import Agent, Voice
from gateway.types.orchestration import AudioFormat, FacesDesk, TextVideo
from gateway.types.simli import Face, VideoUrls

Client = Callable[[], Awaitable[Simli]]
"""The client; it is opened when somebody needs it."""
LONGEST = 5000
"""Characters of a text that is spoken."""


def faces_desk(simli: Client, agents: Callable[[], Mapping[str, Agent]], environ: Mapping[str, str]) -> FacesDesk:
    """The functions, of a client and the agents of now; keys of voices are in `environ`."""

    async def video(wanted: TextVideo) -> VideoUrls:
        return await spoken(await simli(), wanted, agents(), environ)

    return FacesDesk(
        partial(_created, simli),
        partial(_status, simli),
        partial(_listed, simli),
        partial(_deleted, simli),
        video,
        partial(_heard, simli),
    )


async def spoken(
    simli: Simli, wanted: TextVideo, agents: Mapping[str, Agent], environ: Mapping[str, str]
) -> VideoUrls:
    """A video of a text.

    Raises NotFound for an agent that is none, InvalidValue, ConfigurationError for a key that is not there.
    """
    agent = _agent(wanted, agents)
    own = agent.voice if agent else None
    provider = wanted.provider or (own.provider if own else "cartesia")
    if own and own.provider != provider:
        own = None
    voice = Voice(provider, wanted.voice, own.model if own else "") if wanted.voice else own
    mapped = fields.speech_fields(voice, wanted.text, provider)
    if mapped.faults:
        raise InvalidValue(f"{mapped.faults[0][:1].upper()}{mapped.faults[0][1:]}.")
    variable = wanted.tts_key_env or (agent.tts_key_env if agent and own else "")
    key = environ.get(variable, "").strip() if variable else ""
    if variable and not key:
        raise ConfigurationError([Fault(variable, 0, "", f"is not set: the key with which {provider} speaks")])
    face = wanted.face or (agent.face_id if agent else "") or fields.DEFAULT_FACE
    return await simli.text_to_video(face, mapped.fields, key)


def _agent(wanted: TextVideo, agents: Mapping[str, Agent]) -> Agent | None:
    if not wanted.text.strip() or len(wanted.text) > LONGEST:
        raise InvalidValue(f"The text must have from 1 to {LONGEST} characters.", param="text")
    if not wanted.agent:
        return None
    if wanted.agent not in agents:
        raise NotFound(f"There is no agent {wanted.agent[:80]!r}; there are: {', '.join(sorted(agents)) or 'none'}.")
    return agents[wanted.agent]


async def _created(simli: Client, image: bytes, name: str) -> Face:
    checked_image(image)
    return await (await simli()).create_face(image, name)


async def _status(simli: Client, face: str) -> Face:
    return await (await simli()).face(face)


async def _listed(simli: Client) -> Sequence[Face]:
    return await (await simli()).faces()


async def _deleted(simli: Client, face: str) -> None:
    await (await simli()).delete_face(face)


async def _heard(simli: Client, face: str, audio: bytes, format_: AudioFormat) -> VideoUrls:
    checked_audio(audio, format_)
    return await (await simli()).audio_to_video(face, audio, format_)
