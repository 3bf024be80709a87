"""The first sound and the first open mouth, and speech at a wrong rate."""

import numpy as np

from gateway.audio.spoken import Spoken
from gateway.sandbox.avatar.onset import Onset
from gateway.sandbox.talk.slow import slowed


def test_each_is_told_once_and_the_mouth_after_the_sound() -> None:
    """A mouth that was still open before is another's; one that is nearly closed is not seen."""
    told: list[str] = []
    onset = Onset(told.append)
    onset.seen(1.0)
    onset.heard()
    onset.seen(0.1)
    assert told == ["first_sound"]
    for _ in range(2):
        onset.seen(0.5)
        onset.heard()
    assert told == ["first_sound", "first_mouth"]


def test_a_wrong_rate_is_three_times_as_long() -> None:
    """The wave keeps its height, and each word begins three times as late."""
    wave = np.array([0, 300, -300, 0], "<i2")
    slow = slowed(Spoken(wave.tobytes(), ((0, "One "), (2, "two."))))
    made = np.frombuffer(slow.pcm, "<i2")
    assert (made.size, made.max(), made.min(), made[3]) == (12, 300, -300, 300)
    assert slow.words == ((0, "One "), (6, "two."))
    assert slowed(Spoken(b"", ())).pcm == b""
