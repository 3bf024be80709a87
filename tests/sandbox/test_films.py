"""Faces of uploaded images, and videos of text and of audio."""

import asyncio
import base64
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import av
import httpx
import numpy as np
import pytest

from tests.sandbox.viewer import tone
from tests.sandboxed import Sandbox, caller, sandboxed

SPEECH: dict[str, dict[str, Any]] = {
    "ElevenLabs": {"voiceName": "x", "model_id": "eleven_turbo_v2", "voice_settings": {"stability": 0.1}},
    "PlayHT": {"voice": "s3://v", "speed": 2, "sample_rate": 24000, "emotion": "female_happy"},
    "Cartesia": {"voice_id": "a167e0f3"},
}


def picture(width: int = 512, height: int = 512, codec: str = "png") -> bytes:
    """An image file."""
    kept = io.BytesIO()
    pixels = "rgb24" if codec == "png" else "yuvj420p"
    with av.open(kept, "w", format="image2pipe") as out:
        stream: Any = out.add_stream(codec)
        stream.width, stream.height, stream.pix_fmt = width, height, pixels
        frame = av.VideoFrame.from_ndarray(np.full((height, width, 3), 120, np.uint8), format="rgb24")
        out.mux(stream.encode(frame.reformat(format=pixels)))
        out.mux(stream.encode())
    return kept.getvalue()


def sound(format_: str, seconds: float = 0.6) -> bytes:
    """Half a second and a bit of a tone in one of the five formats."""
    wave = np.frombuffer(tone(seconds), "<i2")
    if format_ == "pcm16":
        return wave.tobytes()
    if format_ == "pcm32":
        return (wave.astype("<i4") << 16).tobytes()
    kept = io.BytesIO()
    codec = {"wav": "pcm_s16le", "mp3": "libmp3lame", "ogg": "libopus"}[format_]
    with av.open(kept, "w", format=format_) as out:
        stream: Any = out.add_stream(codec, rate=48000 if format_ == "ogg" else 16000, layout="mono")
        frame = av.AudioFrame.from_ndarray(wave.reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate = 16000
        for piece in av.AudioResampler(format=stream.format.name, rate=stream.rate, layout="mono").resample(frame):
            out.mux(stream.encode(piece))
        out.mux(stream.encode())
    return kept.getvalue()


@asynccontextmanager
async def asking(sandbox: Sandbox) -> AsyncIterator[httpx.AsyncClient]:
    """A client with the key in both headers."""
    headers = {"x-simli-api-key": sandbox.key, "api-key": sandbox.key}
    async with caller(base_url=sandbox.url, headers=headers, timeout=10) as client:
        yield client


async def fetched(client: httpx.AsyncClient, url: str) -> bytes:
    """The file at an address, once it is there."""
    for _ in range(800):
        answer = await client.get(url)
        if answer.status_code == 200:
            return answer.content
        assert answer.status_code == 404
        await asyncio.sleep(0.01)
    raise AssertionError("the video never came")


def played(video: bytes) -> tuple[float, float, float]:
    """The seconds of a video's picture and sound, and how loud it is at its loudest."""
    pictures, samples, loudest, rate = 0, 0, 0.0, 1
    with av.open(io.BytesIO(video), "r") as opened:
        for frame in opened.decode(video=0):
            assert (frame.width, frame.height) == (512, 512)
            pictures += 1
    with av.open(io.BytesIO(video), "r") as opened:
        for heard in opened.decode(audio=0):
            wave = heard.to_ndarray()
            rate, samples = heard.sample_rate, samples + heard.samples
            loudest = max(loudest, float(np.abs(wave).max()))
    return pictures / 25, samples / rate, loudest


async def test_videos_of_audio_in_five_formats() -> None:
    """The addresses are there before the files; then each plays, picture and sound as long as what was sent."""
    async with sandboxed() as sandbox, asking(sandbox) as client:
        await sandbox.behave(video_after=0.2)
        urls = {}
        for format_ in ("pcm16", "pcm32", "wav", "mp3", "ogg"):
            audio = base64.b64encode(sound(format_)).decode()
            body = {"faceId": "tmp9i8bbq7c", "audioBase64": audio, "audioFormat": format_}
            answer = await client.post("/static/audio", json=body)
            assert answer.status_code == 200, answer.text
            urls[format_] = answer.json()["mp4_url"]
            assert urls[format_].startswith(f"{sandbox.url}/static/mp4/")
            if format_ == "pcm16":
                assert (await client.get(urls[format_])).status_code == 404
                await sandbox.behave(video_after=0.0)
        for format_, url in urls.items():
            pictures, sounds, loudest = played(await fetched(client, url))
            assert 0.55 < pictures < 0.8 and abs(pictures - sounds) < 0.1, format_
            assert loudest > 0.3


@pytest.mark.parametrize("provider", SPEECH)
async def test_videos_of_text_by_three_providers(provider: str) -> None:
    """A text is spoken; HLS has the whole of it in segments that play, and Range gives a part of a file."""
    async with sandboxed() as sandbox, asking(sandbox) as client:
        spoken = {"audioProvider": provider, "text": "Well, hello.", **SPEECH[provider]}
        body = {"simliAPIKey": sandbox.key, "faceId": "face/happy", "ttsAPIKey": "t", "requestBody": spoken}
        answer = (await client.post("/textToVideoStream", json=body)).json()
        whole = await fetched(client, answer["mp4_url"])
        pictures, sounds, loudest = played(whole)
        assert pictures > 0.3 and abs(pictures - sounds) < 0.1 and loudest > 0.1
        part = await client.get(answer["mp4_url"], headers={"range": "bytes=4-7"})
        assert (part.status_code, part.content) == (206, b"ftyp")
        assert (await client.head(answer["mp4_url"])).status_code == 405
        listed = (await client.get(answer["hls_url"])).text.splitlines()
        assert listed[0] == "#EXTM3U" and listed[-1] == "#EXT-X-ENDLIST"
        segments = [name for name in listed if not name.startswith("#")]
        parts = [await client.get(answer["hls_url"].replace("output.m3u8", name)) for name in segments]
        assert parts[0].headers["content-type"] == "video/mp2t"
        assert abs(played(b"".join(part.content for part in parts))[0] - pictures) < 0.05


@pytest.mark.parametrize(
    ("change", "status", "says"),
    [
        ({"audioFormat": "flac"}, 422, "audioFormat"),
        ({"audioBase64": "?"}, 422, "audioBase64"),
        ({"audioBase64": ""}, 400, "no audio"),
        ({"audioFormat": "mp3"}, 400, "cannot be read as mp3"),
        ({"audioChannelCount": 7}, 400, "channels"),
        ({"faceId": "invalid"}, 400, "INVALID_FACE_ID"),
    ],
)
async def test_audio_that_no_video_is_made_of(change: dict[str, Any], status: int, says: str) -> None:
    """What cannot be heard is refused at once, and says why."""
    async with sandboxed() as sandbox, asking(sandbox) as client:
        sent = {"faceId": "face", "audioBase64": base64.b64encode(bytes(64)).decode(), "audioFormat": "pcm16", **change}
        answer = await client.post("/audioToVideoStream", json={**sent, "simliAPIKey": sandbox.key})
        assert answer.status_code == status and says in answer.text
        assert (await client.post("/audioToVideoStream", json={**sent, "simliAPIKey": "no"})).status_code in {401, 422}


@pytest.mark.parametrize(
    ("spoken", "status"),
    [
        ({"audioProvider": "User", "text": "Hello"}, 422),
        ({"audioProvider": "PlayHT", "text": "Hello"}, 422),
        ({"audioProvider": "Cartesia"}, 422),
        ({"audioProvider": "Cartesia", "text": " "}, 400),
        ("Hello", 422),
    ],
)
async def test_text_that_no_video_is_made_of(spoken: Any, status: int) -> None:
    """A provider that is none of the three, and one without what it needs, are refused."""
    async with sandboxed() as sandbox, asking(sandbox) as client:
        body = {"simliAPIKey": sandbox.key, "faceId": "face", "requestBody": spoken}
        assert (await client.post("/textToVideoStream", json=body)).status_code == status


async def test_a_face_in_the_old_way() -> None:
    """Uploaded, in the queue, ready; found by its id and as the newest; listed once it is ready."""
    async with sandboxed() as sandbox, asking(sandbox) as client:
        await sandbox.behave(face_takes=0.7)
        assert (await client.post("/getRequestStatus")).status_code == 404
        answer = await client.post("/generateFaceID", params={"face_name": "Ann"}, files={"image": picture()})
        made = answer.json()
        assert "queue" in made["message"] and made["warnings"] == []
        found = (await client.post("/getRequestStatus")).json()
        assert found == {"status": "processing", "face_id": made["character_uid"], "warnings": []}
        assert (await client.get("/getFaceIDs", params={"getPublic": "false"})).json() == []
        while found["status"] == "processing":
            found = (await client.post("/getRequestStatus", params={"face_id": made["character_uid"]})).json()
        assert found["status"] == "completed"
        listed = (await client.get("/getFaceIDs")).json()
        assert [(face["id"], face["name"]) for face in listed] == [(made["character_uid"], "Ann")]


@pytest.mark.parametrize("family", ["legacy", "trinity"])
async def test_a_face_in_todays_way(family: str) -> None:
    """Both families are uploaded, looked up, listed and deleted under paths of their own; a failed one says so."""
    async with sandboxed() as sandbox, asking(sandbox) as client:
        await sandbox.behave(face_takes=0.0)
        wide = picture(900, 512, "mjpeg")
        made = (await client.post(f"/faces/{family}", params={"face_name": "Bo"}, files={"image": wide})).json()
        assert "900x512" in made["warnings"][0]
        found = (
            await client.get(f"/faces/{family}/generation_status", params={"face_id": made["character_uid"]})
        ).json()
        assert found["status"] == "completed"
        [listed] = (await client.get("/faces")).json()
        assert sorted(listed) == ["created_at", "id", "owner_id", "simli_version", "updated_at"]
        other = "trinity" if family == "legacy" else "legacy"
        assert (await client.delete(f"/faces/{other}/{listed['id']}")).status_code == 404
        assert (await client.delete(f"/faces/{family}/{listed['id']}")).is_success
        assert (await client.get("/faces")).json() == []
        await sandbox.behave(face_result="failed")
        await client.post(f"/faces/{family}", files={"image": picture()})
        failed = (await client.get(f"/faces/{family}/generation_status")).json()
        assert failed["status"] == "failed" and failed["error"]


@pytest.mark.parametrize(
    ("files", "status", "says"),
    [
        ({"image": picture(511, 600)}, 400, "511x600"),
        ({"image": picture()[:40]}, 400, "cannot be read"),
        ({"image": sound("wav")}, 400, "not an image"),
        ({"picture": picture()}, 422, "image"),
    ],
)
async def test_an_image_that_is_none(files: dict[str, bytes], status: int, says: str) -> None:
    """What is too small, no image or not there is refused wherever faces are made or looked at."""
    async with sandboxed() as sandbox, asking(sandbox) as client:
        for path in ("/generateFaceID", "/faces/legacy", "/faces/trinity", "/faces/trinity/preprocess"):
            answer = await client.post(path, files=files)
            assert answer.status_code == status and says in answer.text


async def test_a_directory_keeps_videos(tmp_path: Any) -> None:
    """With a directory of its own the sandbox leaves its videos there; nothing outside of it is served."""
    async with sandboxed(directory=tmp_path) as sandbox, asking(sandbox) as client:
        body = {"faceId": "face", "audioBase64": base64.b64encode(tone(0.1)).decode(), "audioFormat": "pcm16"}
        url = (await client.post("/static/audio", json=body)).json()["mp4_url"]
        await fetched(client, url)
        destination = url.split("/")[-2]
        for name in ("..%2f..%2fsecret", "%2e%2e", ".hidden", "none.mp4"):
            assert (await client.get(f"/static/mp4/{destination}/{name}")).status_code == 404
    assert (tmp_path / "videos" / destination / "output.mp4").stat().st_size > 1000
