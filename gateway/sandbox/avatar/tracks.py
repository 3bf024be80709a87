"""The avatar's picture and sound as WebRTC tracks. Both read one clock, so they stay in step however long they run."""

import asyncio
from collections import deque
from collections.abc import Callable
from fractions import Fraction

import numpy as np
from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError
from av import AudioFrame, VideoFrame

from gateway.sandbox.avatar.buffer import BLOCK, RATE, SILENCE, Block
from gateway.sandbox.avatar.clock import Clock
from gateway.sandbox.avatar.paint import Plane
from gateway.sandbox.avatar.upsampling import TIMES, Upsampler

SAMPLES = BLOCK * TIMES
SAMPLE_TIME = Fraction(1, RATE * TIMES)
VIDEO_TIME = Fraction(1, 90000)
HELD = 25
"""Blocks that wait for a track that nobody reads: half a second, then the oldest go."""


class AudioTrack(MediaStreamTrack):
    """20 ms of 48 kHz at a time, as the avatar hands them out."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self._blocks: deque[tuple[int, Block]] = deque(maxlen=HELD)
        self._there = asyncio.Event()
        self._upsampled = Upsampler()

    def put(self, tick: int, block: Block) -> None:
        """What is heard in the tick-th 20 ms."""
        self._blocks.append((tick, block))
        self._there.set()

    def hush(self) -> None:
        """What waits is not heard: it is silence of the same length."""
        self._blocks = deque(((tick, SILENCE) for tick, _ in self._blocks), HELD)

    async def recv(self) -> AudioFrame:
        """The next block, when its time has come."""
        while not self._blocks:
            if self.readyState != "live":
                raise MediaStreamError
            self._there.clear()
            await self._there.wait()
        tick, block = self._blocks.popleft()
        # The encoder is stereo, and what it makes of a mono frame is 3 dB quieter.
        frame = AudioFrame(format="s16", layout="stereo", samples=SAMPLES)
        frame.planes[0].update(np.repeat(self._upsampled(block), 2).tobytes())
        frame.pts, frame.sample_rate, frame.time_base = tick * SAMPLES, RATE * TIMES, SAMPLE_TIME
        return frame

    def stop(self) -> None:
        """No more comes; whoever waits is told."""
        super().stop()
        self._there.set()


class VideoTrack(MediaStreamTrack):
    """A picture every 1/fps seconds of the clock; where it is late it leaves one out rather than hurry."""

    kind = "video"

    def __init__(self, clock: Clock, fps: int, picture: Callable[[float, int], Plane], shown: asyncio.Event) -> None:
        super().__init__()
        self._clock = clock
        self._fps = fps
        self._picture = picture
        self._shown = shown
        self._number = -1

    async def recv(self) -> VideoFrame:
        """The next picture, when its time has come, and once pictures are shown."""
        while True:
            await self._shown.wait()
            self._number = max(self._number + 1, int(self._clock.now() * self._fps))
            await self._clock.until(self._number / self._fps)
            if self.readyState != "live":
                raise MediaStreamError
            if self._shown.is_set():
                break
        at = self._number / self._fps
        frame = VideoFrame.from_ndarray(np.ascontiguousarray(self._picture(at, self._number)), format="yuv420p")
        frame.pts, frame.time_base = self._number * 90000 // self._fps, VIDEO_TIME
        return frame
