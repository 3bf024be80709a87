"""What a client's message is taken for: the table of simli-api.md, section B."""

import struct

import pytest

from gateway.sandbox.signalling.held import compact
from gateway.sandbox.signalling.words import Kind, Message, Said, of_camera, of_scene, read

CAMERA = struct.pack("<9f", *range(9))


@pytest.mark.parametrize(("message", "said"), [
    ('{"sdp":"v=0","type":"offer"}', Said(Kind.OFFER, offer={"sdp": "v=0", "type": "offer"})),
    ('{"sdp":', Said(Kind.TOKEN, '{"sdp":')),
    ("[1]", Said(Kind.TOKEN, "[1]")),
    ("gAAAAabc==", Said(Kind.TOKEN, "gAAAAabc==")),
    ("SKIP", Said(Kind.SKIP)),
    ("DONE", Said(Kind.DONE)),
    (b"DONE", Said(Kind.DONE)),
    ("STOP", Said(Kind.STOP)),
    ("ping 1732.25", Said(Kind.PING, " 1732.25")),
    ("ping", Said(Kind.PING)),
    ("pingpong", Said(Kind.TOKEN, "pingpong")),
    ("BG_1", Said(Kind.SCENE, "BG_1")),
    (b"PLAY_IMMEDIATE\x01\x02", Said(Kind.IMMEDIATE, pcm=b"\x01\x02")),
    (b"PLAY_IMMEDIATE", Said(Kind.IMMEDIATE)),
    (b"CAM_" + CAMERA, Said(Kind.CAMERA, pcm=CAMERA)),
    (b"DONE\x00\x00", Said(Kind.AUDIO, pcm=b"DONE\x00\x00")),
    (b"SKIP", Said(Kind.AUDIO, pcm=b"SKIP")),
    (b"", Said(Kind.AUDIO)),
])  # fmt: skip
def test_a_message_is_read(message: Message, said: Said) -> None:
    """Text and binary have words of their own; what is no word is a token, or audio."""
    assert read(message) == said


@pytest.mark.parametrize(("payload", "fits"), [
    (CAMERA, True), (CAMERA[:28], True), (CAMERA[:16], True), (CAMERA + b"LERP" + CAMERA[:4], True),
    (CAMERA[:20], False), (CAMERA[:35], False), (CAMERA + b"LERP", False), (b"", False),
])  # fmt: skip
def test_a_camera_is_told_in_numbers(payload: bytes, fits: bool) -> None:
    """Four, seven or nine floats, and after LERP one more; else it is an invalid override."""
    assert of_camera(payload).startswith("Selected model" if fits else "Invalid camera")


def test_a_scene_that_is_reset_needs_no_word() -> None:
    """The nil UUID resets what is not there; an unknown id and one that is none are told apart."""
    assert of_scene("BG_00000000-0000-0000-0000-000000000000") == ""
    assert of_scene("FG_x") == "Invalid foreground message: FG_x"
    assert of_scene("BG_12345678-0000-0000-0000-000000000000").endswith("is not one of your uploaded backgrounds")


def test_json_is_compact() -> None:
    """Clients look at the first word up to a space: there is none, and the keys keep their order."""
    assert compact({"sdp": "v=0\r\n", "type": "answer"}) == '{"sdp":"v=0\\r\\n","type":"answer"}'
