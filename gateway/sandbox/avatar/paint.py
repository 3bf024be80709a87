"""Soft-edged shapes on a canvas of numbers: enough of painting for a face."""

from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

Canvas: TypeAlias = NDArray[np.float32]
"""Height, width, red-green-blue; 0 to 255."""
Plane: TypeAlias = NDArray[np.uint8]
Colour: TypeAlias = tuple[float, float, float]


class Yuv(NamedTuple):
    """A picture as a video codec wants it: 4:2:0, BT.601, limited range."""

    y: Plane
    u: Plane
    v: Plane


class Ellipse(NamedTuple):
    """Where, how wide and high; in pixels from the middle."""

    x: float
    y: float
    rx: float
    ry: float


def ellipse(canvas: Canvas, shape: Ellipse, colour: Colour, *, soft: float = 1.0, strength: float = 1.0) -> None:
    """Lay an ellipse over the canvas, `soft` pixels wide at its edge; only where it is."""
    rows, columns = _box(canvas, shape, soft)
    part = canvas[rows, columns]
    if not part.size:
        return
    y, x = np.ogrid[rows, columns]
    far = np.hypot((x - shape.x) / max(shape.rx, 0.5), (y - shape.y) / max(shape.ry, 0.5))
    cover = np.clip((1 - far) * min(shape.rx, shape.ry) / soft + 0.5, 0, 1).astype(np.float32)
    part += (np.array(colour, np.float32) - part) * (cover * strength)[..., None]


def within(canvas: Canvas, outside: Canvas, shape: Ellipse, columns: tuple[float, float] | None = None) -> None:
    """Keep what is painted within a shape; beyond it, in these columns, is what is `outside`."""
    chosen = slice(int(columns[0]), int(columns[1])) if columns else slice(0, canvas.shape[1])
    y, x = np.ogrid[0 : canvas.shape[0], chosen]
    far = np.hypot((x - shape.x) / shape.rx, (y - shape.y) / shape.ry)
    cover = np.clip((1 - far) * min(shape.rx, shape.ry) / 1.5 + 0.5, 0, 1).astype(np.float32)[..., None]
    canvas[:, chosen] = canvas[:, chosen] * cover + outside[:, chosen] * (1 - cover)


def _box(canvas: Canvas, shape: Ellipse, soft: float) -> tuple[slice, slice]:
    longest = soft * max(shape.rx, shape.ry) / max(min(shape.rx, shape.ry), 0.5) + 1
    top, left = int(shape.y - shape.ry - longest), int(shape.x - shape.rx - longest)
    bottom, right = int(shape.y + shape.ry + longest) + 1, int(shape.x + shape.rx + longest) + 1
    height, width = canvas.shape[:2]
    return slice(max(0, top), max(0, min(height, bottom))), slice(max(0, left), max(0, min(width, right)))


def gradient(size: int, top: Colour, bottom: Colour) -> Canvas:
    """A square canvas that goes from one colour down to another."""
    share = np.linspace(0, 1, size, dtype=np.float32)[:, None, None]
    rows = np.array(top, np.float32) * (1 - share) + np.array(bottom, np.float32) * share
    return np.repeat(rows, size, axis=1)


def yuv(canvas: Canvas) -> Yuv:
    """The canvas as planes; its sides are even."""
    red, green, blue = canvas[..., 0], canvas[..., 1], canvas[..., 2]
    y = 16 + 0.257 * red + 0.504 * green + 0.098 * blue
    small = canvas.reshape(canvas.shape[0] // 2, 2, canvas.shape[1] // 2, 2, 3).mean(axis=(1, 3))
    red, green, blue = small[..., 0], small[..., 1], small[..., 2]
    u = 128 - 0.148 * red - 0.291 * green + 0.439 * blue
    v = 128 + 0.439 * red - 0.368 * green - 0.071 * blue
    return Yuv(_byte(y), _byte(u), _byte(v))


def _byte(plane: NDArray[np.float32]) -> Plane:
    return np.clip(np.rint(plane), 0, 255).astype(np.uint8)
