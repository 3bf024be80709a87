"""The run's film as the report shows it: a strip of pictures, the mouth at work, and the sound."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from gateway.smoke.report import film
from gateway.smoke.report.figures import clock
from gateway.smoke.report.pictures import Picture, jpeg
from gateway.smoke.report.waveform import Wave, wave
from gateway.types.smoke import Smoke, SmokeTurn

STRIP = 12
"""Pictures of the whole film, at even distances."""
STRIP_WIDE = 200
MOUTH = 8
"""Pictures of the beginning of an answer."""
MOUTH_EVERY_S = 0.12
MOUTH_WIDE = 200


class Footage(NamedTuple):
    """What was taken from it."""

    strip: tuple[Picture, ...] = ()
    mouth: tuple[Picture, ...] = ()
    mouth_of: int | None = None
    """The turn that they are of."""
    wave: Wave | None = None
    says: str = ""
    """Why there is nothing, in a sentence."""


def footage(smoke: Smoke, folder: Path) -> Footage:
    """Reads the film beside the report. It takes about two seconds for each minute of it."""
    if not smoke.film:
        return Footage(says="No film was made in this run: no picture came, or none was to be recorded.")
    path = folder / smoke.film
    try:
        seconds = film.length(path)
        heard = wave(film.levels(path), seconds, smoke.turns, smoke.film_at)
        times = [(index + 0.5) * seconds / STRIP for index in range(STRIP)]
        captions = [f"{clock(time)}, {_who(time, heard, smoke)}" for time in times]
        strip = _pictures(path, times, captions, STRIP_WIDE)
        number = _first_answer(smoke.turns)
        return Footage(strip, _mouth(path, smoke, number, seconds), number, heard)
    except film.NoFilm as failed:
        return Footage(says=str(failed))


def _mouth(path: Path, smoke: Smoke, number: int | None, seconds: float) -> tuple[Picture, ...]:
    if number is None:
        return ()
    begin = _beginning(smoke.turns[number]) - smoke.film_at
    times = [time for index in range(MOUTH) if 0 <= (time := begin + index * MOUTH_EVERY_S) < seconds]
    return _pictures(path, times, [clock(time) for time in times], MOUTH_WIDE)


def _pictures(path: Path, times: Sequence[float], captions: Sequence[str], wide: int) -> tuple[Picture, ...]:
    found = zip(film.pictures(path, times), captions, strict=False)  # none, where there is no picture
    return tuple(jpeg(frame, wide, caption) for frame, caption in found)


def _first_answer(turns: Sequence[SmokeTurn]) -> int | None:
    """The first turn that was answered; where there is none, the first message."""
    heard = [number for number, turn in enumerate(turns) if turn.moments.first_sound is not None]
    asked = [number for number in heard if turns[number].question]
    return next(iter([*asked, *heard]), None)


def _beginning(turn: SmokeTurn) -> float:
    moments = [turn.moments.first_sound, turn.moments.first_mouth]
    return min(moment for moment in moments if moment is not None)


def _who(time: float, heard: Wave, smoke: Smoke) -> str:
    """What is going on at a moment of the film."""
    if any(stretch.begin <= time <= stretch.end for stretch in heard.stretches):
        return "the avatar speaks"
    for turn in smoke.turns:
        asked, end = turn.moments.asked, turn.moments.asked_end
        if asked is not None and end is not None and asked <= time + smoke.film_at <= end:
            return "the person speaks"
    return "silence"
