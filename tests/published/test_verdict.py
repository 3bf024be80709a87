"""The verdict on a published client can be that it failed."""

from typing import Any

import av
import numpy as np
import pytest

from tests.published.heard import Ear, Eye, tone
from tests.published.verdict import faults

GOOD = {
    "connect_ms": 240.0,
    "width": 512,
    "height": 512,
    "per_second": 29.0,
    "frames": 100,
    "changed": 99,
    "idle_level": 0.0,
    "tone_level": 0.26,
    "tone_hertz": 439.0,
    "next_hertz": 880.0,
    "speak_ms": 10.0,
    "heard_ms": 120.0,
    "skip_ms": 150.0,
}
ENDED = {"connect_ms": 1500.0, "stop_ms": 1010.0}


def test_a_session_as_it_must_be_has_no_fault() -> None:
    """What an idle machine measures passes."""
    assert faults(GOOD, ENDED) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"connect_ms": 1200.0},
        {"width": 64},
        {"per_second": 3.0},
        {"changed": 40},
        {"idle_level": 0.2},
        {"tone_level": 0.001},
        {"tone_hertz": 50.0},
        {"next_hertz": 440.0},
        {"speak_ms": 2500.0},
        {"skip_ms": 2500.0},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_each_figure_can_fail(wrong: dict[str, Any]) -> None:
    """A late, still, silent or deaf session is one fault."""
    assert len(faults(GOOD | wrong, ENDED)) == 1


def test_an_error_is_a_fault_and_so_is_a_session_without_an_end() -> None:
    """What a client raised is told as it is."""
    assert faults({"error": "no frame"}, ENDED) == ["no frame"]
    assert len(faults(GOOD, ENDED | {"stop_ms": 9000.0})) == 1


def heard(pcm: bytes) -> Ear:
    ear = Ear()
    samples = np.repeat(np.frombuffer(pcm, "<i2"), 2).reshape(1, -1)
    for at in range(0, samples.shape[1], 640):
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples[:, at : at + 640]), "s16", "stereo")
        frame.sample_rate = 16_000
        ear.hear(frame)
    return ear


def test_the_ear_tells_tones_from_silence() -> None:
    """Level and pitch of what was sent; silence has no level."""
    ear = heard(tone(440, 0.4))
    assert 0.24 < ear.level < 0.28
    assert 435 < ear.hertz < 445
    assert heard(bytes(640 * 20)).level == 0


def test_the_eye_tells_a_picture_from_a_film() -> None:
    """The same frame again is no motion."""
    eye = Eye()
    for shade in (0, 0, 80, 160, 160):
        eye.see(av.VideoFrame.from_ndarray(np.full((512, 512, 3), shade, np.uint8), "rgb24"))
    assert eye.count() == {"frames": 5, "changed": 2}
