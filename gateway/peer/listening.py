"""What is heard, kept for some minutes: when it began and ended, and the sound itself for whoever recognises words.

Times are seconds of the watch at which the sound could be heard here. aiortc hands a sound out when four more packets
have come: that is 80 ms, which a browser's player takes as well.
"""

import asyncio
from dataclasses import dataclass

import numpy as np
from av import AudioFrame, VideoFrame
from av.audio.resampler import AudioResampler
from numpy.typing import NDArray

from gateway.errors import NoSound
from gateway.peer.packets import RATE
from gateway.peer.watch import AUDIBLE, Watch
from gateway.peer.words import as_error

KEPT_S = 180.0
SPARE_S = 20.0
"""So much more is kept before anything is thrown away."""
HOP = RATE // 100
HOP_S = HOP / RATE
"""How finely it is looked at."""
PAUSE = 20
"""So many hops without a sound, and what comes next begins anew; fewer, and it goes on."""
MARGIN_S = 0.2
"""So much around a stretch belongs to its sound: what is too soft to be its beginning is a part of its first word."""
MISSING_S = 0.06
"""Sound that is missing for longer is kept as silence."""
STRAYED_S = 0.5
"""Of the place where it should be; whatever is farther from it begins anew."""
SETTLES = 64
"""Frames whose mean tells the place, of those that came lately: the first one is no better than the others."""


@dataclass(frozen=True, slots=True)
class Sounded:
    """An audible stretch."""

    began: float
    ended: float
    pcm: bytes
    """16-bit little-endian, 16 kHz, mono: from a fifth of a second before it to one after it."""


class Listening:
    """A sink of a watch's sound. Works for rooms and sessions, one after another."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._resampler = AudioResampler(format="s16", layout="mono", rate=RATE)
        self._pcm = bytearray()
        self._levels: list[float] = []
        """RMS of each hop of the sound; the last samples, less than a hop, have none yet."""
        self._zero = 0.0
        """When the first sample that is kept was heard."""
        self._own: float | None = None
        """The track's own time at which the next frame begins."""
        self._placed = 1
        """How many frames the place is made of."""
        self._came = asyncio.Event()
        watch.sinks.append(self.take)

    def take(self, frame: AudioFrame | VideoFrame, at: float) -> None:
        """One frame, that came at that moment (`time.perf_counter`)."""
        if not isinstance(frame, AudioFrame) or frame.time is None:
            return
        self._place(frame.time, at - self._watch.began)
        self._own = frame.time + frame.samples / frame.sample_rate
        for piece in self._resampler.resample(_one_channel(frame)):
            self._add(bytes(piece.planes[0])[: piece.samples * 2])
        self._came.set()

    def levels(self, begin: float, end: float) -> tuple[float, NDArray[np.float64]]:
        """When the first of them begins, and RMS of every 10 ms between two moments; where nothing is kept there is
        none."""
        kept = self._zero, self._heard_until
        first, last = (round((min(max(at, kept[0]), kept[1]) - self._zero) / HOP_S) for at in (begin, end))
        return self._zero + first * HOP_S, np.array(self._levels[first:last])

    def wave(self, begin: float, end: float) -> bytes:
        """What was heard between two moments; where nothing is kept it is silence."""
        first, last = (round((at - self._zero) * RATE) for at in (begin, end))
        there = len(self._pcm) // 2
        before, after = max(0, min(-first, last - first)), max(0, last - max(there, first))
        return bytes(2 * before) + bytes(self._pcm[2 * max(0, first) : 2 * max(0, last)]) + bytes(2 * after)

    def last_sound(self, before: float) -> float | None:
        """When the last sound before a moment ended; None: there was none."""
        begin, levels = self.levels(self._zero, before)
        audible = np.flatnonzero(levels >= AUDIBLE)
        return begin + float(audible[-1] + 1) * HOP_S if audible.size else None

    def onset(self, after: float) -> float | None:
        """When the first sound began that begins after a moment, with a pause before it; None: none has yet."""
        begin, levels = self.levels(after - PAUSE * HOP_S, float("inf"))
        audible = np.flatnonzero(levels >= AUDIBLE)
        before = round((begin - after) / HOP_S) + PAUSE  # hops that are not kept: nothing was heard in them
        pauses = np.diff(audible, prepend=-1 - before) > PAUSE
        found = audible[pauses & (begin + audible * HOP_S >= after)]
        return begin + float(found[0]) * HOP_S if found.size else None

    async def began(self, after: float, within: float = 20.0) -> float:
        """When the next sound begins, as soon as it has. Raises NoSound, or what the session ended with."""
        while (found := self.onset(after)) is None:
            if self._watch.now() > after + within:
                raise NoSound(f"Within {within:g} s nothing was heard.")
            await self._more()
        return found

    async def answer(self, after: float, quiet_s: float = 1.0, within: float = 20.0, longest: float = 60.0) -> Sounded:
        """The next audible stretch that begins after a moment, once it was quiet for `quiet_s` behind it or it is as
        long as it may be. Raises NoSound where none begins within so many seconds, or what the session ended with."""
        began = await self.began(after, within)
        while True:
            ended = self._quiet_after(began, quiet_s)
            if ended is None and self._heard_until - began >= longest:
                ended = self._heard_until
            if ended is not None:
                return Sounded(began, ended, self.wave(began - MARGIN_S, ended + MARGIN_S))
            await self._more()

    @property
    def _heard_until(self) -> float:
        return self._zero + len(self._levels) * HOP_S

    def _quiet_after(self, began: float, quiet_s: float) -> float | None:
        """Where the first sound ended that nothing followed for so long; a stream that stops is quiet as well."""
        begin, levels = self.levels(began, float("inf"))
        audible = np.flatnonzero(levels >= AUDIBLE)
        gaps = np.flatnonzero(np.diff(audible) * HOP_S > quiet_s)
        if gaps.size:
            return begin + float(audible[gaps[0]] + 1) * HOP_S
        ended = begin + float(audible[-1] + 1) * HOP_S if audible.size else began
        return ended if max(self._watch.now(), self._heard_until) - ended > quiet_s else None

    async def _more(self) -> None:
        """Wait for more of it, a tenth of a second at most. Raises what the session ended with."""
        if self._watch.ending and self._watch.ending.reason != "done":
            raise as_error(self._watch.ending)
        self._came.clear()
        try:
            async with asyncio.timeout(0.1):
                await self._came.wait()
        except TimeoutError:
            return

    def _place(self, own: float, here: float) -> None:
        """Find the place of what comes next: behind the last, as far as the track's own time says."""
        if self._own is None:
            self._zero = here - len(self._pcm) / 2 / RATE
            return
        self._placed += 1
        missing = own - self._own
        late = here - (self._zero + len(self._pcm) / 2 / RATE)
        if missing < -MISSING_S or abs(late - missing) > STRAYED_S:  # another track, or one that stood still
            self._silence(max(0.0, late))
            self._zero += min(0.0, late)
            self._placed = 1
        elif missing > MISSING_S:
            self._silence(missing)
        else:
            self._zero += late / min(self._placed, SETTLES)

    def _silence(self, seconds: float) -> None:
        """So much that nobody heard."""
        self._add(bytes(2 * min(round(seconds * RATE), round(KEPT_S * RATE))))
        if seconds > KEPT_S:
            self._zero += seconds - KEPT_S

    def _add(self, pcm: bytes) -> None:
        self._pcm += pcm
        done = len(self._levels) * HOP
        whole = (len(self._pcm) // 2 - done) // HOP
        fresh = np.frombuffer(bytes(self._pcm[2 * done : 2 * (done + whole * HOP)]), "<i2").reshape(-1, HOP)
        self._levels += np.sqrt(np.mean(np.square(fresh.astype(np.float64)), axis=1)).tolist()
        if len(self._levels) * HOP_S > KEPT_S + SPARE_S:
            hops = len(self._levels) - round(KEPT_S / HOP_S)
            del self._levels[:hops], self._pcm[: 2 * hops * HOP]
            self._zero += hops * HOP_S


def _one_channel(frame: AudioFrame) -> AudioFrame:
    """A frame's sound without its time: the resampler takes what comes for one piece. The frame itself is not ours."""
    wave = frame.to_ndarray().reshape(frame.samples, -1).mean(axis=1, dtype=np.float32).astype(np.int16)
    alone = AudioFrame.from_ndarray(wave.reshape(1, -1), format="s16", layout="mono")
    alone.sample_rate = frame.sample_rate
    return alone
