"""A person with a microphone on the page of a room: a browser speaks, the avatar hears, answers from the knowledge."""

from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from gateway.peer.visiting import MOVES
from tests.e2e.test_smoke import World, world

__all__ = ["world"]
AUTO = ("--auto", "--agent", "mina", "--questions", "1", "--wait", "4")
FACE = (55, 75, 592)
"""Left, top and size of the face on a screen of 1280 by 800 pixels."""
MOUTH = (slice(340, 400), slice(200, 312))
"""Rows and columns of a face of 512 pixels, between its nose and its chin."""


@pytest.fixture
def mended(world: World) -> Iterator[World]:
    """A sandbox and a gateway, without the faults that a test set."""
    yield world
    world.mend()


def seen(file: Path) -> "np.ndarray[Any, np.dtype[np.int16]]":
    """The face of a picture of the screen, grey, 512 pixels wide."""
    left, top, size = FACE
    with av.open(str(file)) as picture:
        grey = next(picture.decode(video=0)).to_ndarray(format="gray").astype(np.int16)
    rows = (np.arange(512) * size / 512).astype(int)
    face: np.ndarray[Any, np.dtype[np.int16]] = grey[top : top + size, left : left + size][np.ix_(rows, rows)]
    return face


def test_a_browser_with_a_microphone_converses(mended: World, tmp_path: Path) -> None:
    """It is heard, answered from the knowledge, and leaves; the report's pictures show the words and a moving mouth."""
    status, told, said = mended.smoke(tmp_path, *AUTO)
    assert (status, told["findings"], told["mode"]) == (0, [], "auto"), said
    (turn,) = told["turns"]
    assert turn["understood"] == turn["question"] and turn["question_error"] == 0
    assert turn["heard"] and not turn["missing"] and turn["sources"]
    assert turn["moments"]["asked_end"] < turn["moments"]["first_sound"]
    assert set(told["said"]) == {"sandbox", "gateway", "recogniser"}
    shots = {one["caption"]: tmp_path / "report" / one["file"] for one in told["screenshots"]}
    assert f"The avatar understood: “{turn['question']}”" in shots
    moved = [np.abs(one - other) for one, other in combinations([seen(shots[name]) for name in MOVES], 2)]
    assert max(float(one[MOUTH].mean()) / max(0.5, float(one.mean())) for one in moved) > 3, shots
    page = (tmp_path / "report" / "report.html").read_text("utf-8")
    assert all(caption in page for caption in shots)
    assert not mended.running()


def test_a_room_that_is_not_joined_is_no_pass(mended: World, tmp_path: Path) -> None:
    """Where there is no browser it says so, and what to install; the session is over all the same."""
    status, told, said = mended.smoke(tmp_path, *AUTO, PATH=str(tmp_path))
    assert (status, [one["code"] for one in told["findings"]]) == (69, ["not_joined"]), said
    assert "apt-get install chromium" in told["findings"][0]["says"]
    assert not mended.running()


def test_a_room_from_which_nobody_asks_is_no_pass(mended: World, tmp_path: Path) -> None:
    """A face is seen and heard there, and the gateway was not asked with the key of this session."""
    mended.set("behaviour", {"llm": "never"})
    status, told, said = mended.smoke(tmp_path, *AUTO)
    assert (status, [one["code"] for one in told["findings"]][:1]) == (69, ["not_asked_by_room"]), said
    assert told["screenshots"]
    assert not mended.running()
