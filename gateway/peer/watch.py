"""What is seen and heard, drained as it comes and counted: nothing is kept but numbers."""

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from av import AudioFrame, VideoFrame

from gateway.types.peer import Ending

GAP_S = 0.2
"""From one picture, or piece of sound, to the next: longer is a freeze, or a gap."""
ANEW_S = 1.0
"""A track whose own time leaps by more has begun to count anew, as aiortc does where packets come out of order."""
AUDIBLE = 100.0
"""RMS from which something is heard (-50 dBFS): more than a codec's noise."""
MOVED = 0.25
"""Mean difference of two pictures' grey values that is more than a codec's noise."""

Sink: TypeAlias = Callable[[AudioFrame | VideoFrame, float], None]
"""Is given every frame with the moment at which it came (`time.perf_counter`)."""


@dataclass
class Flow:
    """What came of one track."""

    first: float | None = None
    """Seconds from the beginning; None: nothing came."""
    last: float = 0.0
    count: int = 0
    gaps: int = 0
    longest_gap: float = 0.0
    _own: float = 0.0
    _strayed: float = 0.0
    _followed: int = 0

    def came(self, at: float, own: float, *, joined: bool) -> None:
        """One more at that second, its own time `own`. `joined`: it goes on where the last one was, so that a pause
        between them counts."""
        if self.first is None:
            self.first = at
        elif joined:
            gap = at - self.last
            self.longest_gap = max(self.longest_gap, gap)
            self.gaps += gap > GAP_S
            strayed = abs(gap - (own - self._own))
            if strayed < ANEW_S:
                self._strayed += strayed
                self._followed += 1
        self.last, self._own = at, own
        self.count += 1

    @property
    def jitter(self) -> float | None:
        """Seconds by which the pause between two differs from that between their own times, on average; None: there
        was no pause. RFC 3550's measure, of what comes out of the decoder and not of packets: what a player has to
        even out."""
        return self._strayed / self._followed if self._followed else None

    @property
    def rate(self) -> float:
        """How many came a second."""
        length = self.last - (self.first or 0.0)
        return (self.count - 1) / length if self.count > 1 and length > 0 else 0.0


@dataclass
class Watch:
    """All that is measured, over one session or, where the line broke, several. Times are seconds from `began`."""

    sinks: list[Sink] = field(default_factory=list)
    speaks_first: bool = False
    """Whether the face speaks unasked, so that what is heard counts before anything was sent."""
    began: float = field(default_factory=time.perf_counter)
    marks: dict[str, float] = field(default_factory=dict)
    """When what happened first: `answer`, `connected`, `start`, `sent`, `sent audible`, `heard`, `speak`."""
    pictures: Flow = field(default_factory=Flow)
    moved: int = 0
    """Pictures that differ from the one before."""
    sounds: Flow = field(default_factory=Flow)
    speaks: int = 0
    silents: int = 0
    speaking: bool = False
    round_trips: list[float] = field(default_factory=list)
    """The last hundred, in seconds."""
    sessions: int = 0
    sent_s: float = 0.0
    """Seconds of sound that were sent, fill-in silence among them."""
    silence_s: float = 0.0
    """Seconds of silence that were sent because the source had nothing."""
    ending: Ending | None = None
    """Why the last session is over; None: it is not, or we left it."""

    def joins(self) -> None:
        """Another session begins."""
        self.sessions += 1
        self.ending = None

    def now(self) -> float:
        """Seconds from the beginning."""
        return time.perf_counter() - self.began

    def mark(self, what: str) -> None:
        """It happens now; only the first time counts."""
        self.marks.setdefault(what, self.now())

    def pinged(self, seconds: float) -> None:
        """A round trip."""
        self.round_trips = [*self.round_trips[-99:], seconds]

    @property
    def round_trip(self) -> float | None:
        """The median of the last hundred; None: there was none."""
        return float(np.median(self.round_trips)) if self.round_trips else None

    @property
    def seen(self) -> bool:
        """Whether there was a picture that moved."""
        return self.moved > 0

    @property
    def heard(self) -> bool:
        """Whether there was a sound."""
        return "heard" in self.marks

    async def drain(self, track: MediaStreamTrack) -> None:
        """Take what comes of a track until its end."""
        with contextlib.suppress(MediaStreamError):
            if track.kind == "video":
                await self._see(track)
            else:
                await self._hear(track)

    async def _see(self, track: MediaStreamTrack) -> None:
        before = None
        while True:
            frame = await track.recv()
            if not isinstance(frame, VideoFrame):
                continue
            self.pictures.came(self.now(), frame.time or 0.0, joined=before is not None)
            grey = _grey(frame)
            if before is not None and before.shape == grey.shape:
                self.moved += float(np.abs(grey - before).mean()) > MOVED
            before = grey
            self._sunk(frame)

    async def _hear(self, track: MediaStreamTrack) -> None:
        joined = False
        while True:
            frame = await track.recv()
            if not isinstance(frame, AudioFrame):
                continue
            self.sounds.came(self.now(), frame.time or 0.0, joined=joined)
            joined = True
            due = not self.heard and (self.speaks_first or "sent" in self.marks)
            if due and loudness(frame) >= AUDIBLE:
                self.mark("heard")
            self._sunk(frame)

    def _sunk(self, frame: AudioFrame | VideoFrame) -> None:
        at = time.perf_counter()
        for sink in self.sinks:
            sink(frame, at)


def loudness(frame: AudioFrame) -> float:
    """RMS of 16-bit samples."""
    wave = frame.to_ndarray().astype(np.float32)
    return float(np.sqrt(np.mean(np.square(wave)))) if wave.size else 0.0


def _grey(frame: VideoFrame) -> "np.ndarray[tuple[int, int], np.dtype[np.int16]]":
    """Every eighth pixel of every eighth line of its luminance."""
    plane = frame.planes[0]
    lines = np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)  # type: ignore[call-overload]
    small: np.ndarray[tuple[int, int], np.dtype[np.int16]] = lines[::8, : plane.width : 8].astype(np.int16)
    return small


async def cancelled(tasks: "set[asyncio.Task[None]]") -> None:
    """They are over."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
