"""Faces and videos, by Simli's contract: the client against the sandbox; what only reads, against Simli too."""

import asyncio
import io
import wave
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import av
import numpy as np
import pytest
from av.audio.stream import AudioStream

from gateway.errors import SimliAuthFailed, SimliNotFound, SimliRejected
from gateway.settings import Simli as Options
from gateway.simli.client import Simli, opened
from gateway.simli.fields import speech_fields
from gateway.types import Voice
from gateway.types.simli import Face, VideoUrls
from tests.sandboxed import Sandbox
from tests.simli.conftest import Place

STAYS = "it would leave something behind, or be billed"
RATE = 16000
VOICES = {
    "cartesia": Voice("cartesia", "v-1", "sonic-2"),
    "elevenlabs": Voice("elevenlabs", "21m00Tcm4TlvDq8ikWAM", "eleven_turbo_v2_5"),
    "playht": Voice("playht", "s3://voice", "PlayHT2.0-turbo", "user-1"),
}


def image(size: int = 512) -> bytes:
    """A picture as PNG."""
    codec = av.CodecContext.create("png", "w")
    codec.width = codec.height = size
    codec.pix_fmt = "rgb24"
    picture = np.full((size, size, 3), 128, np.uint8)
    return b"".join(bytes(packet) for packet in codec.encode(av.VideoFrame.from_ndarray(picture)))


def tone() -> bytes:
    """PCM, 16 bits, mono."""
    return bytes((np.sin(np.arange(RATE // 2) * 0.2) * 8000).astype("<i2").data)


def wide() -> bytes:
    """The same with 32 bits."""
    return bytes((np.frombuffer(tone(), "<i2").astype("<i4") << 16).data)


def wav() -> bytes:
    """The same as a WAV file."""
    file = io.BytesIO()
    with wave.open(file, "wb") as written:
        written.setnchannels(1)
        written.setsampwidth(2)
        written.setframerate(RATE)
        written.writeframes(tone())
    return file.getvalue()


def coded(form: str, codec: str) -> bytes:
    """The same as MP3 or Ogg."""
    file = io.BytesIO()
    with av.open(file, "w", format=form) as container:
        stream = container.add_stream(codec, rate=48000)
        assert isinstance(stream, AudioStream)
        frame = av.AudioFrame.from_ndarray(np.frombuffer(tone(), "<i2").reshape(1, -1), "s16", "mono")
        frame.sample_rate = RATE
        resampler = av.AudioResampler(stream.format, stream.layout, stream.rate, frame_size=stream.frame_size or 0)
        for each in (*resampler.resample(frame), *resampler.resample(None)):
            container.mux(stream.encode(each))
        container.mux(stream.encode(None))
    return file.getvalue()


AUDIO: Mapping[str, Callable[[], bytes]] = {
    "pcm16": tone,
    "pcm32": wide,
    "wav": wav,
    "mp3": partial(coded, "mp3", "libmp3lame"),
    "ogg": partial(coded, "ogg", "libopus"),
}


async def ready(simli: Simli, face: Face, *, trinity: bool = False) -> Face:
    """The face once its making is over."""
    async with asyncio.timeout(10):
        while face.state == "processing":
            await asyncio.sleep(0.05)
            face = await simli.face(face.id, trinity=trinity)
    return face


async def plays(simli: Simli, urls: VideoUrls, directory: Path) -> None:
    """Both files come, hold moving pictures and sound."""
    size = await simli.download(urls.mp4, directory / "v.mp4", within=30)
    assert size == (directory / "v.mp4").stat().st_size > 1000
    with av.open(str(directory / "v.mp4")) as video:
        assert video.streams.video and video.streams.audio
        assert sum(1 for _ in video.decode(video=0)) >= 5
    assert await simli.download(urls.hls, directory / "v.m3u8", within=30) > 20
    assert (directory / "v.m3u8").read_text("utf-8").startswith("#EXTM3U")


@pytest.mark.row("getFaceIDs", "faces")
async def test_own_faces_are_listed(simli: Simli) -> None:
    """Presets are not among them; an account without faces has an empty list."""
    assert isinstance(await simli.faces(), list)


@pytest.mark.row("generateFaceID", "getRequestStatus", "getFaceIDs", "faces-legacy", "faces-legacy-status", "faces")
@pytest.mark.here(STAYS)
async def test_a_face_is_made_of_an_image(simli: Simli, sandbox: Sandbox) -> None:
    """It has an id at once, is in the making, then ready, and listed."""
    await sandbox.behave(face_takes=0.1)
    face = await simli.create_face(image(), "me")
    assert face.id and face.state in ("processing", "ready")
    assert (await ready(simli, face)).state == "ready"
    assert face.id in [each.id for each in await simli.faces()]


@pytest.mark.row("faces-legacy", "faces-legacy-delete")
@pytest.mark.here(STAYS)
async def test_a_face_is_deleted(current: Simli, sandbox: Sandbox) -> None:
    """It is gone from the list; once more is as good."""
    await sandbox.behave(face_takes=0.1)
    face = await ready(current, await current.create_face(image(), "me"))
    await current.delete_face(face.id)
    assert face.id not in [each.id for each in await current.faces()]
    await current.delete_face(face.id)


@pytest.mark.row("faces-trinity", "faces-trinity-status", "faces-trinity-delete", "faces-trinity-preprocess")
@pytest.mark.here(STAYS)
async def test_a_trinity_face_has_a_life(current: Simli, sandbox: Sandbox) -> None:
    """Looked at first, made, ready, deleted."""
    await sandbox.behave(face_takes=0.1)
    assert await current.preprocess_face(image(), "me") is not None
    face = await current.create_face(image(), "me", trinity=True)
    assert (await ready(current, face, trinity=True)).state == "ready"
    await current.delete_face(face.id, trinity=True)
    assert face.id not in [each.id for each in await current.faces()]


@pytest.mark.row("generateFaceID", "faces-legacy")
@pytest.mark.here(STAYS)
async def test_what_is_no_image_is_refused(simli: Simli) -> None:
    """At once or as the state of the face; never ready."""
    try:
        face = await simli.create_face(b"this is no picture", "me")
    except SimliRejected:
        return
    assert (await ready(simli, face)).state == "failed"


@pytest.mark.row("getRequestStatus", "faces-legacy-status")
async def test_the_status_of_an_unknown_face(simli: Simli) -> None:
    """Not found, or refused."""
    with pytest.raises((SimliNotFound, SimliRejected)):
        await simli.face("00000000-0000-4000-8000-000000000000")


@pytest.mark.row("generateFaceID", "getFaceIDs", "faces-legacy", "faces", "audioToVideoStream", "static-audio")
@pytest.mark.parametrize("dialect", ["legacy", "current"])
async def test_faces_and_videos_need_the_key(place: Place, dialect: str) -> None:
    """In the header or the body."""
    async with opened(place.url, "x" * 24, Options(dialect=dialect, patience=0)) as simli:
        for call in (
            simli.faces,
            lambda: simli.create_face(image(), "me"),
            lambda: simli.audio_to_video("tmp9i8bbq7c", tone(), "pcm16"),
        ):
            with pytest.raises(SimliAuthFailed):
                await call()


@pytest.mark.row("audioToVideoStream", "static-audio", "static-files")
@pytest.mark.here(STAYS)
@pytest.mark.parametrize("form", ["pcm16", "wav"])
async def test_audio_becomes_a_video(simli: Simli, form: str, tmp_path: Path) -> None:
    """In both dialects: the addresses come first, then files that play."""
    await plays(simli, await simli.audio_to_video("tmp9i8bbq7c", AUDIO[form](), form), tmp_path)


@pytest.mark.row("static-audio", "static-files")
@pytest.mark.here(STAYS)
@pytest.mark.parametrize("form", ["pcm32", "mp3", "ogg"])
async def test_other_audio_becomes_a_video(current: Simli, form: str, tmp_path: Path) -> None:
    """The rest of the five formats."""
    await plays(current, await current.audio_to_video("tmp9i8bbq7c", AUDIO[form](), form), tmp_path)


@pytest.mark.row("textToVideoStream")
@pytest.mark.here(STAYS)
@pytest.mark.parametrize("provider", VOICES)
async def test_text_becomes_a_video(legacy: Simli, provider: str, tmp_path: Path) -> None:
    """With each provider's own names for voice and model."""
    voice = VOICES[provider]
    mapped = speech_fields(voice, "Hello.", provider)
    assert mapped.faults == ()
    urls = await legacy.text_to_video("tmp9i8bbq7c", mapped.fields, "tts-key", voice.user_id)
    await plays(legacy, urls, tmp_path)


@pytest.mark.row("audioToVideoStream", "static-audio")
@pytest.mark.here(STAYS)
async def test_a_strange_format_is_refused(simli: Simli) -> None:
    """Five formats, no more."""
    with pytest.raises(SimliRejected, match="audioFormat"):
        await simli.audio_to_video("tmp9i8bbq7c", tone(), "flac")
