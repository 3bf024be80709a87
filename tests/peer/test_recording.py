"""A recording is in step, whatever came late at its beginning or in between."""

import time
from pathlib import Path

import av
import numpy as np
import pytest
from av import AudioFrame

from gateway.peer.lips import Lips
from gateway.peer.recording import Recording
from gateway.peer.watch import Watch
from tests.peer.test_lips import face, frames, syllables


@pytest.mark.parametrize(("kind", "late"), [("video", 0.2), ("audio", 0.2), ("audio", 0.0)])
def test_first_frames_that_come_late_move_nothing(tmp_path: Path, kind: str, late: float) -> None:
    """The mouth is as far behind the sound in the film as it was; one late frame in the middle changes nothing."""
    level = syllables(6)
    recording = Recording(tmp_path / "face.mp4")
    came = sorted(frames(level, face(lambda at: level(at - 0.05)), 6.0), key=lambda one: one[1])
    seen: dict[str, int] = {"audio": 0, "video": 0}
    for frame, at in came:
        name = "audio" if isinstance(frame, AudioFrame) else "video"
        seen[name] += 1
        held_up = name == kind and (seen[name] < 4 or seen[name] == 90)
        while recording._frames.full():
            time.sleep(0.01)
        recording.take(frame, 50.0 + at + (late if held_up else 0.0))
    recording.close()
    assert recording.written and not recording.lost
    watch = Watch()
    lips = Lips(watch)
    with av.open(str(tmp_path / "face.mp4")) as film:
        for sound in film.decode(audio=0):
            assert sound.time is not None
            wave = (sound.to_ndarray().reshape(-1)[:960] * 32767).astype(np.int16)
            alone = AudioFrame.from_ndarray(wave.reshape(1, -1), format="s16", layout="mono")
            alone.sample_rate, alone.pts, alone.time_base = 48000, sound.pts, sound.time_base
            lips.take(alone, watch.began + sound.time + 0.08)
    with av.open(str(tmp_path / "face.mp4")) as film:
        for picture in film.decode(video=0):
            assert picture.time is not None
            lips.take(picture, watch.began + picture.time + 1 / 30)
    assert lips.offset_ms() == pytest.approx(50, abs=25)
