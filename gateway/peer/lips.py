"""When the mouth moves, and by how much it is behind the sound: told from any face, wherever its mouth is.

The lower half of the picture is looked at in patches. Where one gets brighter or darker as the sound gets louder, there
is the mouth; the shift in time at which both agree best is the offset. What is told of one half of the time has to hold
in the other half, or nothing is told: a hand or a passing car agrees with a voice for a moment.

aiortc hands a sound out when four more packets have come, and a picture when the next one has. A player holds both
equally long, and so a picture is placed here where the sound of its moment is.
"""

from collections import deque
from dataclasses import dataclass, replace
from typing import NamedTuple, TypeAlias

import numpy as np
from av import AudioFrame, VideoFrame
from numpy.typing import NDArray

from gateway.peer.watch import ANEW_S, AUDIBLE, Watch

KEPT_S = 120.0
LATELY_S = 60.0
"""So much of it is compared."""
LEAST_S = 3.0
"""Seconds of audible sound from which something can be told."""
STEP_S = 0.01
OFFSETS = np.arange(-40, 41) * STEP_S
"""Those that are looked for."""
SLOW_S = 1.0
"""What changes no faster than that is no mouth: a head that sways, daylight."""
AROUND_S = 0.5
"""So much around what is audible is compared with it."""
HELD = 4
"""Sounds that aiortc holds back; pictures: one."""
LEVEL_S = 0.01
SAMPLES = 64
"""Across and down the picture, about."""
PATCH = 4
"""Samples of a patch to each side."""
NOISE = 0.3
"""Grey values that a patch may differ by without anything having moved."""
ALIKE = 0.35
"""Correlation from which sound and picture agree, in either half of the time."""
APART_S = 0.08
"""By how much the two halves may differ."""
A_PART = 0.6
"""A patch is of the mouth that agrees so well, compared with the one that agrees best."""
OPENS = 0.25
"""The mouth moves when it is so far open, compared with how far it is in the loudest tenth."""

Series: TypeAlias = NDArray[np.float64]


class Pictures(NamedTuple):
    """What was seen: when, and the patches of each picture, without what changes slowly."""

    at: Series
    patches: Series


class Sounds(NamedTuple):
    """What was heard: when, and how loud, 0 to 1 in even steps of decibels."""

    at: Series
    loud: Series


@dataclass(frozen=True, slots=True)
class Mouth:
    """Where a mouth was found: the weight of each patch, and seconds by which it is behind the sound."""

    weights: Series
    behind: float


@dataclass(frozen=True, slots=True)
class Piece:
    """A frame: its own time as it was told and as it goes on, when it came, and what is kept of it."""

    told: float
    own: float
    came: float
    values: Series


class Lips:
    """A sink of a watch's sounds and pictures. Works for rooms and sessions, one after another."""

    def __init__(self, watch: Watch) -> None:
        self._began = watch.began
        self._seen: deque[Piece] = deque()
        self._heard: deque[Piece] = deque()
        watch.sinks.append(self.take)

    def take(self, frame: AudioFrame | VideoFrame, at: float) -> None:
        """One frame, that came at that moment (`time.perf_counter`)."""
        if frame.time is None:
            return
        pieces = self._seen if isinstance(frame, VideoFrame) else self._heard
        values = _patches(frame) if isinstance(frame, VideoFrame) else _levels(frame)
        if pieces and pieces[-1].values.shape != values.shape:
            pieces.clear()  # another face's
        piece = _following(pieces, Piece(frame.time, frame.time, at - self._began, values))
        pieces.append(piece)
        while piece.own - pieces[0].own > KEPT_S:
            pieces.popleft()

    def offset_ms(self) -> float | None:
        """Milliseconds by which the mouth is behind the sound, in the last minute; negative: it is ahead of it. None:
        too little was said, or no mouth was seen to follow it."""
        mouth = self._mouth()
        return None if mouth is None else round(mouth.behind * 1000, 1)

    def first_mouth(self, after: float) -> float | None:
        """When the mouth first moved after a moment, in seconds of the watch, beside the sound of that moment; None:
        it did not, or no mouth was found."""
        mouth = self._mouth()
        if mouth is None:
            return None
        pictures, sounds = self._pictures(), self._sounds()
        opened = pictures.patches @ mouth.weights
        widest = float(np.percentile(opened[_spoken(pictures.at, sounds, 0.0)], 90))
        moved = np.flatnonzero((pictures.at >= after) & (opened > OPENS * widest))
        return float(pictures.at[moved[0]]) if moved.size else None

    def _pictures(self) -> Pictures:
        own = np.array([piece.own for piece in self._seen])
        delay = float(np.median([piece.came - piece.own for piece in self._seen]))
        between = float(np.median(np.diff(own)))
        held = HELD * self._sound_s - between
        patches = np.array([piece.values for piece in self._seen])
        return Pictures(own + delay + held, _quick(patches, max(1, round(SLOW_S / between / 2))))

    @property
    def _sound_s(self) -> float:
        """Length of a sound."""
        return self._heard[0].values.size * LEVEL_S

    def _sounds(self) -> Sounds:
        own = np.array([piece.own for piece in self._heard])
        delay = float(np.median(np.array([piece.came for piece in self._heard]) - own))
        within = (np.arange(self._heard[0].values.size) + 0.5) * LEVEL_S
        loud = np.concatenate([piece.values for piece in self._heard])
        return Sounds((own[:, None] + within + delay).reshape(-1), loud)

    def _mouth(self) -> Mouth | None:
        if len(self._seen) < 2 or not self._heard:
            return None
        pictures, sounds = self._pictures(), self._sounds()
        spoken = np.flatnonzero(_spoken(pictures.at, sounds, AROUND_S) & (pictures.at > pictures.at[-1] - LATELY_S))
        audible = float(np.count_nonzero(sounds.loud[sounds.at > pictures.at[-1] - LATELY_S] > 0)) * LEVEL_S
        if audible < LEAST_S or spoken.size < 2:
            return None
        loud = _shifted(pictures, sounds)
        whole = _found(pictures.patches[spoken], loud[:, spoken])
        halves = [(pictures.patches[half], loud[:, half]) for half in np.array_split(spoken, 2)]
        told = [_behind(*there, _found(*here).weights) for here, there in (halves, halves[::-1])]
        agreed = [behind for behind in told if behind is not None and abs(behind - whole.behind) <= APART_S]
        return whole if len(agreed) == len(told) else None


def _following(pieces: deque[Piece], piece: Piece) -> Piece:
    """A piece whose own time goes on where the last one's was, also where its track has begun to count anew."""
    if not pieces:
        return piece
    last = pieces[-1]
    since = piece.told - last.told
    if since <= 0 or abs(since - (piece.came - last.came)) > ANEW_S:
        since = max(LEVEL_S, piece.came - last.came)
    return replace(piece, own=last.own + since)


def _patches(frame: VideoFrame) -> Series:
    """Mean grey values of the patches of the lower half."""
    plane = frame.planes[0]
    lines = np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)  # type: ignore[call-overload]
    step = max(1, min(plane.height, plane.width) // SAMPLES)
    small = lines[plane.height // 2 :: step, : plane.width : step]
    down, across = (size // PATCH for size in small.shape)
    patches: Series = (
        small[: down * PATCH, : across * PATCH].reshape(down, PATCH, across, PATCH).mean(axis=(1, 3)).reshape(-1)
    )
    return patches


def _levels(frame: AudioFrame) -> Series:
    """How loud each 10 ms is: 0 what is not audible, 1 as loud as can be."""
    wave = frame.to_ndarray().reshape(frame.samples, -1)[:, 0].astype(np.float64)
    size = round(frame.sample_rate * LEVEL_S)
    blocks = wave[: wave.size // size * size].reshape(-1, size)
    rms = np.sqrt(np.mean(np.square(blocks), axis=1))
    levels: Series = np.clip(np.log(np.maximum(rms, 1.0) / AUDIBLE) / np.log(32768 / AUDIBLE), 0.0, 1.0)
    return levels


def _quick(values: Series, half: int) -> Series:
    """What changes quickly: the difference to the mean of so many before and after."""
    summed = np.cumsum(np.concatenate([np.zeros_like(values[:1]), values]), axis=0)
    index = np.arange(len(values))
    first, last = np.maximum(index - half, 0), np.minimum(index + half + 1, len(values))
    sizes = (last - first).reshape(-1, *[1] * (values.ndim - 1))
    quick: Series = values - (summed[last] - summed[first]) / sizes
    return quick


def _spoken(at: Series, sounds: Sounds, around: float) -> NDArray[np.bool_]:
    """Which of these moments are audible, or near to what is."""
    audible = sounds.at[sounds.loud > 0]
    if not audible.size:
        return np.zeros(at.size, np.bool_)
    near = np.searchsorted(audible, at)
    before = np.abs(at - audible[np.maximum(near - 1, 0)])
    after = np.abs(at - audible[np.minimum(near, audible.size - 1)])
    return np.minimum(before, after) <= around + LEVEL_S


def _shifted(pictures: Pictures, sounds: Sounds) -> Series:
    """For every offset that is looked for, how loud it was so much before each picture."""
    half = max(1, round(SLOW_S / float(np.median(np.diff(pictures.at))) / 2))
    return np.array([_quick(np.interp(pictures.at - offset, sounds.at, sounds.loud), half) for offset in OFFSETS])


def _alike(seen: Series, loud: Series) -> Series:
    """Correlation of each row of what was heard with each column of what was seen."""
    moved = seen - seen.mean(axis=0)
    heard = loud - loud.mean(axis=1, keepdims=True)
    much = np.sqrt(np.square(moved).sum(axis=0) + len(moved) * NOISE**2)
    alike: Series = (heard / np.maximum(np.linalg.norm(heard, axis=1, keepdims=True), 1e-9)) @ (moved / much)
    return alike


def _found(seen: Series, loud: Series) -> Mouth:
    """The patches that agree best with the sound, and how late they are; whether that means anything is not said."""
    alike = _alike(seen, loud)
    row, best = np.unravel_index(int(np.abs(alike).argmax()), alike.shape)
    there = alike[row]
    weights = np.where(np.abs(there) >= A_PART * abs(there[best]), there, 0.0)
    behind = _behind(seen, loud, weights)
    return Mouth(weights, float(OFFSETS[row]) if behind is None else behind)


def _behind(seen: Series, loud: Series, weights: Series) -> float | None:
    """How late these patches are; None: they do not agree with the sound, or best at the edge of what is looked for."""
    curve = _alike((seen @ weights).reshape(-1, 1), loud)[:, 0]
    peak = int(curve.argmax())
    if curve[peak] < ALIKE or peak in (0, curve.size - 1):
        return None
    before, at, after = curve[peak - 1 : peak + 2]
    bend = before - 2 * at + after
    return float(OFFSETS[peak] + (STEP_S * (before - after) / (2 * bend) if bend < 0 else 0.0))
