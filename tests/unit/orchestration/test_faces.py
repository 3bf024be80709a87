"""What is uploaded is looked at first, and a video's voice is the one that is meant."""

import io
import struct
from fractions import Fraction

import av
import numpy as np
import pytest

from gateway.errors import ConfigurationError, InvalidValue, NotFound
from gateway.orchestration.faces import scripted
from gateway.orchestration.recordings import BY_ENDING, LARGEST, checked_audio, checked_image
from gateway.types import Agent, Voice
from gateway.types.orchestration import AudioFormat, TextVideo

KEYS = {"CARTESIA": "planted-cartesia", "ELEVEN": "planted-eleven"}
NORA = Agent("nora", "", face_id="face-of-nora", voice=Voice("cartesia", "voice-1", "sonic-2"), tts_key_env="CARTESIA")
EMIL = Agent("emil", "")
AGENTS = {"nora": NORA, "emil": EMIL}


def picture(codec: str, width: int, height: int, pixels: str = "rgb24") -> bytes:
    """A real image, as a program that makes images makes it."""
    file = io.BytesIO()
    with av.open(file, "w", format="image2pipe") as container:
        stream = container.add_stream(codec, rate=Fraction(1))
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = width, height, pixels
        frame = av.VideoFrame.from_ndarray(np.full((height, width, 3), 128, np.uint8), format="rgb24")
        for packet in [*stream.encode(frame.reformat(format=pixels)), *stream.encode()]:
            container.mux(packet)
    return file.getvalue()


def webp(kind: bytes, content: bytes) -> bytes:
    return b"RIFF\0\0\0\0WEBP" + kind + struct.pack("<I", len(content)) + content


@pytest.mark.parametrize("sides", [(512, 512), (640, 512), (600, 900)])
@pytest.mark.parametrize(("codec", "pixels"), [("png", "rgb24"), ("mjpeg", "yuvj420p")])
def test_a_real_image_is_taken(codec: str, pixels: str, sides: tuple[int, int]) -> None:
    """PNG and JPEG as encoders write them, from 512 x 512 pixels on."""
    checked_image(picture(codec, *sides, pixels))


@pytest.mark.parametrize(("codec", "pixels"), [("png", "rgb24"), ("mjpeg", "yuvj420p")])
def test_a_small_image_is_refused_with_its_size(codec: str, pixels: str) -> None:
    """One side is enough to be too small; the sentence says both."""
    with pytest.raises(InvalidValue, match=r"640 x 510 pixels; Simli needs 512 x 512"):
        checked_image(picture(codec, 640, 510, pixels))


@pytest.mark.parametrize(
    "image",
    [
        webp(b"VP8 ", bytes(3) + b"\x9d\x01\x2a" + struct.pack("<HH", 512, 700 | 1 << 14)),
        webp(b"VP8L", b"\x2f" + struct.pack("<I", 511 | 699 << 14)),
        webp(b"VP8X", bytes(4) + (511).to_bytes(3, "little") + (699).to_bytes(3, "little")),
    ],
)
def test_webp_says_its_size_in_three_ways(image: bytes) -> None:
    """Lossy, lossless, extended: each is taken at 512 x 700, and cut off it is no image."""
    checked_image(image)
    with pytest.raises(InvalidValue, match="cut off"):
        checked_image(image[:22])


@pytest.mark.parametrize(
    "image",
    [
        b"", b"GIF89a" + bytes(100), b"\x89PNG\r\n\x1a\n", b"\xff\xd8", b"\xff\xd8\xff", b"\xff\xd8" + b"\xff" * 5000,
        b"\xff\xd8\xff\xe0\x00\x00" * 3000, b"<html>", webp(b"ALPH", bytes(40)),
    ],
)  # fmt: skip
def test_what_is_no_image_is_refused(image: bytes) -> None:
    """Whatever its first bytes claim, and without looking for long."""
    with pytest.raises(InvalidValue, match="no PNG, JPEG or WebP"):
        checked_image(image)


def test_what_is_too_large_is_refused() -> None:
    """Ten mebibytes, of an image and of audio."""
    with pytest.raises(InvalidValue, match="larger than 10 MiB"):
        checked_image(picture("png", 512, 512) + bytes(LARGEST))
    with pytest.raises(InvalidValue, match="larger than 10 MiB"):
        checked_audio(bytes(LARGEST + 2), "pcm16")


@pytest.mark.parametrize(
    ("format_", "good", "bad"),
    [
        ("pcm16", bytes(6), bytes(7)),
        ("pcm32", bytes(8), bytes(6)),
        ("wav", b"RIFF\0\0\0\0WAVEfmt ", b"OggS" + bytes(20)),
        ("mp3", b"ID3\4" + bytes(20), b"RIFF\0\0\0\0WAVE"),
        ("mp3", b"\xff\xfb\x90\0", b"\xff\x10"),
        ("ogg", b"OggS\0\2" + bytes(20), b"ID3"),
        ("wav", b"RIFF\0\0\0\0WAVE", b""),
    ],
)
def test_audio_is_what_it_is_called(format_: AudioFormat, good: bytes, bad: bytes) -> None:
    """By how it begins, or by its length where it has no header."""
    checked_audio(good, format_)
    with pytest.raises(InvalidValue):
        checked_audio(bad, format_)


def test_every_format_has_an_ending() -> None:
    """A file's ending says which of the five it is."""
    assert set(BY_ENDING.values()) == {"pcm16", "pcm32", "wav", "mp3", "ogg"}


@pytest.mark.parametrize(
    ("wanted", "face", "request_", "key"),
    [
        (
            TextVideo("Hi", "nora"),
            "face-of-nora",
            {"audioProvider": "Cartesia", "text": "Hi", "voice_id": "voice-1", "model_id": "sonic-2"},
            "planted-cartesia",
        ),
        (TextVideo("Hi", "nora", provider="elevenlabs"), "face-of-nora", {"audioProvider": "ElevenLabs"}, ""),
        (
            TextVideo("Hi", "nora", "other", "playht", "s3://voice", "ELEVEN"),
            "other",
            {"audioProvider": "PlayHT", "voice": "s3://voice"},
            "planted-eleven",
        ),
        (TextVideo("Hi", "emil"), "tmp9i8bbq7c", {"audioProvider": "Cartesia"}, ""),
        (TextVideo("Hi", face="f", provider="cartesia"), "f", {"audioProvider": "Cartesia"}, ""),
    ],
)
def test_who_speaks_with_whose_key(wanted: TextVideo, face: str, request_: dict[str, str], key: str) -> None:
    """The agent's face, voice and key, unless another provider is named: then none of its voice, and not its key."""
    script = scripted(wanted, AGENTS, KEYS)
    assert (script.face, script.key) == (face, key)
    assert script.request == {"text": "Hi"} | request_


def test_the_account_of_a_key_goes_with_it() -> None:
    """PlayHT asks for a user's id beside the key: the agent's, with the agent's own voice only."""
    voice = Voice("playht", "s3://voice", user_id="user-1")
    agents = {"otto": Agent("otto", "", voice=voice, tts_key_env="ELEVEN")}
    own = scripted(TextVideo("Hi", "otto"), agents, KEYS)
    assert (own.user, own.key) == ("user-1", "planted-eleven")
    other = scripted(TextVideo("Hi", "otto", provider="cartesia"), agents, KEYS)
    assert (other.user, other.key) == ("", "")


def test_what_no_video_can_be_made_of() -> None:
    """An agent that is none, a provider without a voice, an empty text, a key that is not there: each by its name."""
    with pytest.raises(NotFound, match="there are: emil, nora"):
        scripted(TextVideo("Hi", "otto"), AGENTS, KEYS)
    with pytest.raises(InvalidValue, match="Playht needs a voice"):
        scripted(TextVideo("Hi", "emil", provider="playht"), AGENTS, KEYS)
    with pytest.raises(InvalidValue, match="from 1 to 5000"):
        scripted(TextVideo("   ", "nora"), AGENTS, KEYS)
    with pytest.raises(ConfigurationError, match="CARTESIA: is not set"):
        scripted(TextVideo("Hi", "nora"), AGENTS, {})
