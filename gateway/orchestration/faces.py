"""Faces and videos at Simli: what is asked for is checked, and whose key and voice a video is spoken with."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, NamedTuple, TypeAlias

from gateway.errors import ConfigurationError, Fault, InvalidValue, NotFound, SimliNotFound, SimliRejected
from gateway.orchestration.recordings import checked_audio, checked_image
from gateway.simli import fields
from gateway.simli.client import Simli
from gateway.types import Agent, Voice
from gateway.types.orchestration import AudioFormat, FacesDesk, TextVideo
from gateway.types.simli import Face, VideoUrls

Client: TypeAlias = Callable[[], AbstractAsyncContextManager[Simli]]
"""Opened for each thing that is done."""
GONE = (
    "Simli made no video of the text: its current API has no such call. Speak the text elsewhere, and send the audio."
)
LONGEST = 5000
"""Characters of a text that is spoken."""


def faces_desk(simli: Client, agents: Callable[[], Mapping[str, Agent]], environ: Mapping[str, str]) -> FacesDesk:
    """The functions, of a client and the agents of now; keys of voices are in `environ`."""

    async def created(image: bytes, name: str) -> Face:
        checked_image(image)
        async with simli() as client:
            return await client.create_face(image, name)

    async def status(face: str) -> Face:
        async with simli() as client:
            return await client.face(face)

    async def listed() -> Sequence[Face]:
        async with simli() as client:
            return await client.faces()

    async def deleted(face: str) -> None:
        async with simli() as client:
            await client.delete_face(face)

    async def spoken(wanted: TextVideo) -> VideoUrls:
        script = scripted(wanted, agents(), environ)
        async with simli() as client:
            try:
                return await client.text_to_video(script.face, script.request, script.key, script.user)
            except SimliNotFound as error:
                if error.simli_code:
                    raise
                raise SimliRejected(GONE, simli_status=error.simli_status) from None

    async def heard(face: str, audio: bytes, format_: AudioFormat) -> VideoUrls:
        checked_audio(audio, format_)
        async with simli() as client:
            return await client.audio_to_video(face, audio, format_)

    return FacesDesk(created, status, listed, deleted, spoken, heard)


class Script(NamedTuple):
    """What Simli is asked for a video of a text."""

    face: str
    request: Mapping[str, Any]
    key: str
    """The voice provider's; empty: none."""
    user: str
    """PlayHT's id of the account that the key is of."""


def scripted(wanted: TextVideo, agents: Mapping[str, Agent], environ: Mapping[str, str]) -> Script:
    """Whose face, and who speaks with whose voice and key: an agent's key goes to the provider of its voice only.

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
        raise InvalidValue(f"{mapped.faults[0][:1].upper()}{mapped.faults[0][1:]}.", param="provider")
    variable = wanted.tts_key_env or (agent.tts_key_env if agent and own else "")
    key = environ.get(variable, "").strip() if variable else ""
    if variable and not key:
        raise ConfigurationError([Fault(variable, 0, "", f"is not set: the key with which {provider} speaks")])
    face = wanted.face or (agent.face_id if agent else "") or fields.DEFAULT_FACE
    return Script(face, mapped.fields, key, own.user_id if own else "")


def _agent(wanted: TextVideo, agents: Mapping[str, Agent]) -> Agent | None:
    if not wanted.text.strip() or len(wanted.text) > LONGEST:
        raise InvalidValue(f"The text must have from 1 to {LONGEST} characters.", param="text")
    if not wanted.agent:
        return None
    if wanted.agent not in agents:
        raise NotFound(f"There is no agent {wanted.agent[:80]!r}; there are: {', '.join(sorted(agents)) or 'none'}.")
    return agents[wanted.agent]
