"""What is taken from the film."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gateway.smoke.report import film
from gateway.smoke.report.footage import footage
from gateway.smoke.report.waveform import wave
from gateway.types.smoke import Moments, SmokeTurn
from tests.unit.smoke.report import runs


def test_pictures_are_those_of_their_time(tmp_path: Path) -> None:
    """Each picture is the last one that had come by its time, also where it jumps; the last one stays."""
    path = runs.film(tmp_path / "film.mp4", 40.0, fps=2, size=32)
    found = film.pictures(path, [0.0, 1.1, 1.2, 20.0, 39.5, 41.0])
    assert [frame.time for frame in found] == [0.0, 1.0, 1.0, 20.0, 39.5, 39.5]
    assert film.length(path) == pytest.approx(40, abs=0.1)


def test_loudness_is_of_each_moment(tmp_path: Path) -> None:
    """It is silent in the first half of each second, and loud in the second one."""
    levels = film.levels(runs.film(tmp_path / "film.mp4", 3.0))
    halves = [float(levels[begin + 3 : begin + 22].mean()) for begin in range(0, 150, 25)]
    assert max(halves[::2]) < 0.01
    assert min(halves[1::2]) > 0.15
    assert film.levels(runs.film(tmp_path / "mute.mp4", 1.0, sound=False)).size == 0


def test_a_film_gives_a_strip_a_mouth_and_a_wave(tmp_path: Path) -> None:
    """Twelve pictures of all of it, eight from the first sound of the first answer on, and its sound."""
    runs.film(tmp_path / "film.mp4", 12.0)
    found = footage(replace(runs.passed(), film_at=3.2), tmp_path)
    assert found.says == ""
    assert len(found.strip) == 12
    assert found.strip[0].caption == "0:00.5, the avatar speaks"
    assert [picture.caption for picture in found.mouth][:2] == ["0:09.0", "0:09.1"]
    assert (len(found.mouth), found.mouth_of) == (8, 1)
    assert found.strip[0].src.startswith("data:image/jpeg;base64,/9j/")
    assert found.wave is not None
    assert found.wave.seconds == pytest.approx(12, abs=0.2)


@pytest.mark.parametrize("content", [b"", b"no film at all", None], ids=["empty", "text", "absent"])
def test_a_film_that_cannot_be_read_is_said(content: bytes | None, tmp_path: Path) -> None:
    """There is a report without it, which says why, and names no folder of the machine."""
    if content is not None:
        (tmp_path / "film.mp4").write_bytes(content)
    found = footage(runs.passed(), tmp_path)
    assert found.says.startswith("film.mp4 could not be read: ")
    assert str(tmp_path) not in found.says
    assert found.strip == ()


def test_a_film_without_sound_is_shown(tmp_path: Path) -> None:
    """The pictures are there, and no stretch of sound."""
    runs.film(tmp_path / "film.mp4", 12.0, sound=False)
    found = footage(replace(runs.silent(), film="film.mp4"), tmp_path)
    assert [picture.caption for picture in found.strip[5:7]] == ["0:05.5, silence", "0:06.5, the person speaks"]
    assert len(found.strip) == 12
    assert found.mouth == ()
    assert found.wave is not None
    assert found.wave.stretches == ()


def test_sound_belongs_to_the_turn_that_it_answers() -> None:
    """A stretch is of the turn whose answer covers most of it; before the first question it is the first message."""
    levels = np.zeros(20 * film.PER_SECOND, np.float32)
    for begin, end in ((1.0, 2.0), (5.0, 6.0), (6.3, 7.0), (12.0, 13.0), (16.0, 16.04)):
        levels[int(begin * film.PER_SECOND) : int(end * film.PER_SECOND)] = 0.2
    turns = (
        SmokeTurn("", moments=Moments(first_sound=15.1, end=15.3)),
        SmokeTurn("?", moments=Moments(asked=13.0, asked_end=14.0, first_sound=15.1, end=17.0)),
    )
    found = wave(levels, 20.0, turns, film_at=10.0)
    assert found.stretches == ((1, 2, "greeting", None), (5, 7, "answer", 1), (12, 13, "nobody", None))
    assert [(band.x, band.width, band.turn) for band in found.bands] == [(15.0, 5.0, 1)]
    assert [tick.seconds for tick in found.ticks] == [0, 5, 10, 15, 20]
    assert [part.x for part in found.parts] == [5.0, 25.0, 60.0]


def test_hiss_is_no_speech() -> None:
    """What lies far below the loudest is silence."""
    levels = np.full(10 * film.PER_SECOND, 0.005, np.float32)
    levels[100:200] = 0.3
    assert [(each.begin, each.end) for each in wave(levels, 10.0, (), 0.0).stretches] == [(2.0, 4.0)]
