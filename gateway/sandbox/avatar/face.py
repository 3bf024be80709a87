"""A drawn face: eyes that blink and wander, a mouth that opens, a head that is never quite still.

The head is drawn once; a frame is that picture with this moment's eyes and mouth laid over it, moved by parts of a
pixel (about half a millisecond of numpy). A bar runs along the lower edge, so that every frame differs from the last
and whoever looks can tell a still face from a still stream.
"""

import math
import zlib
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from gateway.sandbox.avatar.paint import Canvas, Colour, Ellipse, Plane, Yuv, ellipse, gradient, within, yuv

SIZE = 512
MARGIN = 8
"""Pixels around the picture that the head may move by."""
WHOLE = SIZE + 2 * MARGIN
MIDDLE = WHOLE // 2
MOUTHS = 16
"""Openings that a mouth is drawn in."""
LIDS = 6
"""Steps of an eyelid."""
GAZE = 4
"""Pixels that the eyes wander to either side."""
BLINK_S = 0.16
BLINK_EVERY_S = 3.4

MOUTH_BOX = (slice(MIDDLE + 70, MIDDLE + 158), slice(MIDDLE - 64, MIDDLE + 64))
EYES_BOX = (slice(MIDDLE - 62, MIDDLE + 10), slice(MIDDLE - 110, MIDDLE + 110))
BAR_HEIGHT, BAR_WIDTH, BAR_STEP = 4, 48, 4


class Look(NamedTuple):
    """The colours of one face."""

    skin: Colour
    hair: Colour
    iris: Colour
    cloth: Colour
    above: Colour
    below: Colour


LOOKS = (
    Look((236, 188, 160), (72, 44, 34), (70, 108, 128), (52, 84, 132), (58, 74, 98), (24, 30, 44)),
    Look((198, 142, 106), (34, 26, 26), (84, 56, 34), (150, 74, 64), (86, 72, 66), (36, 28, 30)),
    Look((132, 88, 64), (22, 18, 20), (58, 38, 26), (196, 152, 72), (52, 84, 82), (20, 34, 38)),
    Look((246, 208, 186), (178, 116, 58), (74, 118, 92), (88, 116, 96), (96, 104, 120), (40, 44, 56)),
    Look((222, 170, 134), (122, 122, 126), (82, 94, 104), (72, 64, 98), (70, 66, 92), (28, 26, 42)),
)


@lru_cache(maxsize=len(LOOKS))
def _drawn(look: Look) -> "Face":
    return Face(look)


def face_of(face_id: str) -> "Face":
    """The face of an id: always the same one, and drawn once. An emotion after a slash does not change it."""
    return _drawn(LOOKS[zlib.crc32(face_id.partition("/")[0].encode()) % len(LOOKS)])


def drawn() -> None:
    """Draw every face, some 0.1 s each: whoever comes first need not wait, and whom others watch is not held up."""
    for look in LOOKS:
        _drawn(look)


class Face:
    """One look, ready to be shown at any moment."""

    def __init__(self, look: Look) -> None:
        self.look = look
        canvas = _head(look)
        self._whole = yuv(canvas)
        self._mouths = [yuv(_mouth(canvas, look, opening / (MOUTHS - 1))) for opening in range(MOUTHS)]
        self._skin = canvas[EYES_BOX].copy()
        self._eyes: dict[tuple[int, int], Yuv] = {}

    def frame(self, at: float, mouth: float, number: int) -> Plane:
        """The picture `at` seconds, the mouth 0 (closed) to 1 (wide open): planes Y, U, V, 768 rows of 512.

        `number` counts frames: it moves the bar.
        """
        opened = self._mouths[round(min(max(mouth, 0.0), 1.0) * (MOUTHS - 1))]
        looking = self._eyes_at(_lid(at), round(GAZE * math.sin(at * 0.61) * math.sin(at * 0.37)))
        dx = MARGIN + 3.5 * math.sin(at * 0.9)
        dy = MARGIN + 2.5 * math.sin(at * 1.7 + 0.8) + 1.2 * mouth
        out = np.empty((SIZE * 3 // 2, SIZE), np.uint8)
        out[:SIZE] = _moved(_patched(self._whole.y, opened.y, looking.y, 1), dx, dy, SIZE)
        half = SIZE // 2
        out[SIZE : SIZE + SIZE // 4] = _moved(
            _patched(self._whole.u, opened.u, looking.u, 2), dx / 2, dy / 2, half
        ).reshape(SIZE // 4, SIZE)
        out[SIZE + SIZE // 4 :] = _moved(_patched(self._whole.v, opened.v, looking.v, 2), dx / 2, dy / 2, half).reshape(
            SIZE // 4, SIZE
        )
        left = number * BAR_STEP % (SIZE - BAR_WIDTH)
        out[SIZE - BAR_HEIGHT : SIZE, left : left + BAR_WIDTH] = 180
        return out

    def _eyes_at(self, lid: int, gaze: int) -> Yuv:
        known = self._eyes.get((lid, gaze))
        if known is None:
            known = self._eyes[(lid, gaze)] = yuv(_eyes(self._skin.copy(), self.look, 1 - lid / (LIDS - 1), gaze))
        return known


def _lid(at: float) -> int:
    """How far the eyes are closed: 0 open, LIDS - 1 closed. They blink every few seconds, never quite in time."""
    turn, since = divmod(at, BLINK_EVERY_S)
    begin = 0.4 + (zlib.crc32(str(int(turn)).encode()) % 1000) / 1000 * (BLINK_EVERY_S - 1.0)
    part = (since - begin) / BLINK_S
    if not 0 <= part <= 1:
        return 0
    return round((1 - abs(2 * part - 1)) * (LIDS - 1))


def _patched(plane: Plane, mouth: Plane, eyes: Plane, by: int) -> Plane:
    out = plane.copy()
    for (rows, columns), patch in ((MOUTH_BOX, mouth), (EYES_BOX, eyes)):
        out[rows.start // by : rows.stop // by, columns.start // by : columns.stop // by] = patch
    return out


def _moved(plane: Plane, dx: float, dy: float, size: int) -> Plane:
    """A square of the plane whose corner lies between pixels: bilinear, in whole numbers."""
    left, top = int(dx), int(dy)
    across, down = int((dx - left) * 128), int((dy - top) * 128)
    wide = plane[top : top + size + 1, left : left + size + 1].astype(np.int16)
    rows = wide[:-1] + ((wide[1:] - wide[:-1]) * np.int16(down) >> 7)
    moved = rows[:, :-1] + ((rows[:, 1:] - rows[:, :-1]) * np.int16(across) >> 7)
    out: Plane = moved.astype(np.uint8)
    return out


def _shade(colour: Colour, by: float) -> Colour:
    return colour[0] * by, colour[1] * by, colour[2] * by


def _at(x: float, y: float, rx: float, ry: float) -> Ellipse:
    return Ellipse(MIDDLE + x, MIDDLE + y, rx, ry)


def _head(look: Look) -> Canvas:
    canvas = gradient(WHOLE, look.above, look.below)
    ellipse(canvas, _at(0, -60, 260, 240), _shade(look.above, 1.35), soft=190, strength=0.8)
    skin, head = look.skin, _at(0, 12, 130, 168)
    ellipse(canvas, _at(0, -8, 158, 196), _shade(look.hair, 0.8), soft=6)
    ellipse(canvas, _at(0, 352, 236, 150), look.cloth, soft=3)
    ellipse(canvas, _at(0, 214, 74, 40), _shade(look.cloth, 0.8), soft=3)
    ellipse(canvas, _at(0, 170, 56, 62), _shade(skin, 0.8), soft=4)
    for side in (-1, 1):
        ellipse(canvas, _at(132 * side, 14, 20, 34), _shade(skin, 0.86), soft=3)
    around = canvas.copy()
    ellipse(canvas, head, skin, soft=2)
    ellipse(canvas, _at(0, -44, 96, 84), _shade(skin, 1.06), soft=90, strength=0.6)
    ellipse(canvas, _at(0, 176, 96, 34), _shade(skin, 0.8), soft=40, strength=0.45)
    for side in (-1, 1):
        ellipse(canvas, _at(76 * side, 62, 36, 26), (222, 118, 106), soft=34, strength=0.22)
        ellipse(canvas, _at(118 * side, 20, 26, 120), _shade(skin, 0.78), soft=34, strength=0.4)
    within(canvas, around, head)
    ellipse(canvas, _at(0, 40, 15, 34), _shade(skin, 0.9), soft=16, strength=0.6)
    ellipse(canvas, _at(0, 56, 23, 11), _shade(skin, 0.86), soft=10, strength=0.8)
    for side in (-1, 1):
        ellipse(canvas, _at(10 * side, 61, 5, 3), _shade(skin, 0.55), soft=3, strength=0.8)
    for x, y, wide, high in ((-62, -118, 92, 66), (56, -124, 96, 60), (0, -146, 122, 52)):
        ellipse(canvas, _at(x, y, wide, high), look.hair, soft=5)
    ellipse(canvas, _at(0, -56, 118, 62), skin, soft=8)
    ellipse(canvas, _at(-28, -150, 46, 22), _shade(look.hair, 1.5), soft=20, strength=0.35)
    for side in (-1, 1):
        ellipse(canvas, _at(53 * side, -66, 34, 6.5), look.hair, soft=4, strength=0.9)
    return canvas


def _eyes(part: Canvas, look: Look, opened: float, gaze: int) -> Canvas:
    """Both eyes on the skin around them; `opened` 0 to 1."""
    middle = part.shape[1] / 2
    for side in (-1, 1):
        x, y = middle + 53 * side, 42.0
        ellipse(part, Ellipse(x, y - 2, 34, 25), _shade(look.skin, 0.86), soft=12, strength=0.55)
        lid = part.copy()
        ellipse(part, Ellipse(x, y, 27, 17), (244, 242, 238), soft=2)
        ellipse(part, Ellipse(x, y - 15, 27, 9), (150, 140, 140), soft=10, strength=0.35)
        ellipse(part, Ellipse(x + gaze, y, 14, 14), look.iris, soft=2)
        ellipse(part, Ellipse(x + gaze, y, 14, 14), _shade(look.iris, 0.6), soft=10, strength=0.3)
        ellipse(part, Ellipse(x + gaze, y, 6.5, 6.5), (14, 14, 18), soft=1.5)
        ellipse(part, Ellipse(x + gaze + 4, y - 5, 3.2, 3.2), (255, 255, 255), soft=1.5)
        within(part, lid, Ellipse(x, y, 27, max(0.1, 17 * opened)), (x - 40, x + 40))
        ellipse(part, Ellipse(x, y - 17 * opened, 27, 2.6), _shade(look.hair, 0.5), soft=2, strength=0.9)
    return np.clip(part, 0, 255)


def _mouth(head: Canvas, look: Look, opening: float) -> Canvas:
    """The part of the head where the mouth is, opened so far."""
    canvas = head[MOUTH_BOX].copy()
    lips = (look.skin[0] * 0.8, look.skin[1] * 0.52, look.skin[2] * 0.5)
    wide, high = 44 - 8 * opening, 2.5 + 27 * opening
    x, y = MIDDLE - MOUTH_BOX[1].start, MIDDLE - MOUTH_BOX[0].start + 102 + 10 * opening
    ellipse(canvas, Ellipse(x, y + high * 0.5 + 22, 40, 10), _shade(look.skin, 0.86), soft=16, strength=0.5)
    ellipse(canvas, Ellipse(x, y, wide + 8, high + 8), lips, soft=3)
    ellipse(canvas, Ellipse(x, y + high + 4, wide * 0.6, 4), _shade(lips, 1.2), soft=6, strength=0.6)
    ellipse(canvas, Ellipse(x, y, wide, high), (48, 14, 20), soft=2)
    if opening > 0.15:
        ellipse(canvas, Ellipse(x, y + high * 0.62, wide * 0.62, high * 0.34), (176, 82, 84), soft=5, strength=0.9)
        ellipse(canvas, Ellipse(x, y - high * 0.74, wide * 0.7, max(1.5, high * 0.2)), (238, 234, 228), soft=2.5)
    return np.clip(canvas, 0, 255)
