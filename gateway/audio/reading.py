"""The program that reads English aloud, run by `gateway.audio.reader` (`python -P -m gateway.audio.reading IDLE`).

Standard input: a line of JSON `{"text", "pace"}` at a time. Standard output: for each of them, and once at the start,
a length in four bytes (little-endian) and so much PCM (16-bit little-endian, 16 kHz, mono). It ends with its standard
input, so it never outlives who asks; and when nobody asked for IDLE seconds, for it holds some 230 MB.
"""

import json
import sys

import numpy as np
from av import AudioFrame, AudioResampler
from hibari import SAMPLE_RATE, Hibari
from numpy.typing import NDArray

from gateway.audio.program import Asked
from gateway.audio.spoken import AUDIBLE, RATE

BEFORE_S, AFTER_S, CLAUSE_S = 0.04, 0.35, 0.12
"""Seconds of silence that are kept before the words, after a sentence, and after what goes on."""
ENDS = ".!?\u2026"
CLOSING = "\"')\u201d\u2019]"


def resampled(wave: NDArray[np.float32]) -> NDArray[np.int16]:
    """What the model made, at 16 kHz; nothing, of nothing."""
    if not wave.size:
        return np.zeros(0, np.int16)
    frame = AudioFrame.from_ndarray(np.ascontiguousarray(wave, np.float32).reshape(1, -1), format="flt", layout="mono")
    frame.sample_rate = SAMPLE_RATE
    resampler = AudioResampler(format="s16", layout="mono", rate=RATE)
    found = [piece.to_ndarray().reshape(-1) for one in (frame, None) for piece in resampler.resample(one)]
    return np.concatenate(found).astype(np.int16)


def trimmed(wave: NDArray[np.int16], text: str) -> bytes:
    """Without the model's quarter of a second before the words, and with the pause behind them that a text asks for."""
    loud = np.flatnonzero(np.abs(wave.astype(np.int32)) >= AUDIBLE)
    if not loud.size:
        return b""
    pause = AFTER_S if text.rstrip().rstrip(CLOSING).endswith(tuple(ENDS)) else CLAUSE_S
    begin, end = max(0, int(loud[0]) - int(BEFORE_S * RATE)), int(loud[-1]) + 1
    quiet = np.zeros(max(0, end + int(pause * RATE) - wave.size), np.int16)
    return np.concatenate([wave[begin : end + int(pause * RATE)], quiet]).astype("<i2").tobytes()


def main(idle: float) -> None:
    """Answer until nobody asks any more."""
    asked = Asked()
    model = Hibari()
    model("Ready.")  # its lexicons come with the first words
    asked.answer()
    for line in asked.lines(idle):
        question = json.loads(line)
        wave = model(question["text"], speed=question["pace"], seed=0)
        asked.answer(trimmed(resampled(wave), question["text"]))


if __name__ == "__main__":
    main(float(sys.argv[1]))
