"""What our ears make of a sound; a wrong rate is found by playing it faster or slower. The ears are scripted."""

import asyncio

import numpy as np
import pytest

from gateway.audio.ears import Heard
from gateway.smoke.understanding import faster, otherwise, understood

RATE = 16000
TONE = (8000 * np.sin(2 * np.pi * 500 * np.arange(2 * RATE) / RATE)).astype("<i2")
SAID = "The crossing takes fifty minutes each way."


class Tuned:
    """Hears the sentence where the tone is at 500 Hz, and something else where it is not."""

    asked = 0

    async def heard(self, pcm: bytes, language: str = "en") -> Heard:
        del language
        self.asked += 1
        wave = np.frombuffer(pcm, "<i2").astype(float)
        hertz = float(np.fft.rfftfreq(wave.size, 1 / RATE)[int(np.abs(np.fft.rfft(wave)).argmax())])
        return Heard(SAID if abs(hertz - 500) < 25 else "Mmm. Thank you for watching.", 0.01)

    def warm(self, language: str = "en") -> None:
        del language

    def close(self) -> None: ...


@pytest.mark.parametrize("rate", [1.5, 2.0, 3.0, 1 / 1.5, 0.5, 1 / 3])
def test_a_sound_of_another_rate_is_understood_at_its_own(rate: float) -> None:
    """What is played too slowly or too fast is told by how many times as fast it has to be played."""
    found = asyncio.run(understood(Tuned(), faster(TONE.tobytes(), 1 / rate), SAID))
    assert found.rate == rate and found.error is not None and found.error > 0.4


def test_what_is_understood_is_asked_once() -> None:
    """A good sound costs one recognition, and so does one of which nobody knows what was said."""
    for said in (SAID, ""):
        ears = Tuned()
        found = asyncio.run(understood(ears, TONE.tobytes(), said))
        assert (found.text, found.rate, ears.asked) == (SAID, 1.0, 1)


def test_what_is_understood_at_no_rate_has_none() -> None:
    """Another sentence is another sentence, however it is played."""
    found = asyncio.run(understood(Tuned(), faster(TONE.tobytes(), 1.27), SAID))
    assert found.rate == 1.0 and found.error is not None and found.error > 0.4


@pytest.mark.parametrize(("rate", "channels"), [(48000, 2), (48000, 1), (44100, 2), (24000, 1), (16000, 2), (8000, 1)])
def test_raw_samples_are_told_by_what_is_heard_in_them(rate: int, channels: int) -> None:
    """Sent as 16,000 and one channel, they are understood as what they are: the rate and the channels are named."""
    wave = (8000 * np.sin(2 * np.pi * 500 * np.arange(2 * rate) / rate)).astype("<i2")
    raw = np.repeat(wave, channels).tobytes()
    named = asyncio.run(otherwise(Tuned(), raw, SAID))
    assert named == f"{rate} Hz, {channels} channel{'s' * (channels > 1)}"
