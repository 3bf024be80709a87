"""An avatar: it plays what it is sent, moves its mouth to it, and says when it begins and ends to speak.

It goes by a clock of its own, whoever watches: what was to be heard is over when its time is over, so that a
conversation without a viewer goes its way, and several viewers see the same.
"""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Literal, TypeAlias

from gateway.sandbox.avatar.buffer import BLOCK_S, SILENCE, Block, PlayBuffer, audible, followed
from gateway.sandbox.avatar.clock import Clock
from gateway.sandbox.avatar.face import face_of
from gateway.sandbox.avatar.onset import Onset
from gateway.sandbox.avatar.paint import Plane
from gateway.sandbox.avatar.tracks import AudioTrack, VideoTrack

Media: TypeAlias = Literal["both", "audio", "none"]
"""What of the picture and the sound is sent: a fault, where it is not both."""

FPS = 30
LATE = 25
"""Blocks that are caught up with at once; whoever is later than half a second goes on from now."""
QUIET = 10
"""Blocks without a sound after which it is silent: a clip that follows within 200 ms belongs to the same speech."""
GREETED_S = 1.0
"""Seconds for which there are pictures without any audio where silence is not handled: a client waits for its first."""


class Avatar:
    """One face that speaks. Made within a running loop; whoever made it stops it."""

    def __init__(
        self,
        face_id: str = "",
        *,
        handle_silence: bool = True,
        fps: int = FPS,
        media: Media = "both",
        on_change: Callable[[bool], None] | None = None,
    ) -> None:
        self.handle_silence = handle_silence
        self.fps = fps
        self.media = media
        self.on_change = on_change
        """Told whenever it begins (True) or ends (False) to speak."""
        self.onset: Onset | None = None
        """Told of what is heard and seen, by whoever speaks now."""
        self.speaking = False
        self.mouth = 0.0
        """0 closed, 1 wide open: follows the level of what is heard now."""
        self.stopped = asyncio.Event()
        self.pauses: set[object] = set()
        """For whose sake it says nothing now; what waits to be heard waits on."""
        self._face = face_of(face_id)
        self._buffer = PlayBuffer()
        self._clock = Clock()
        self._tracks: list[AudioTrack | VideoTrack] = []
        self._shown = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()
        self.silent = asyncio.Event()
        """Set while it does not speak and nothing waits to be heard."""
        self.silent.set()
        self._quiet = 0
        self._watched_until = 0.0
        self._playing = asyncio.create_task(self._play(), name="avatar")

    def become(self, face_id: str, *, handle_silence: bool, media: Media) -> None:
        """Another face, before or while it is seen: an offer may come before it is known whose it is."""
        self._face = face_of(face_id)
        self.handle_silence, self.media = handle_silence, media
        self._watched_until = self._clock.now() + GREETED_S

    def audio(self) -> AudioTrack:
        """A new track of what is heard: one for each viewer."""
        track = AudioTrack()
        self._keep(track)
        return track

    def video(self) -> VideoTrack:
        """A new track of what is seen: one for each viewer."""
        self._watched_until = self._clock.now() + GREETED_S
        track = VideoTrack(self._clock, self.fps, self._picture, self._shown)
        self._keep(track)
        return track

    def play(self, pcm: bytes) -> None:
        """Add PCM (16-bit little-endian, 16 kHz, mono) to what is still to be heard; nothing, once it was stopped."""
        if not self.stopped.is_set() and self._buffer.append(pcm):
            self._empty.clear()
            self.silent.clear()

    def play_immediate(self, pcm: bytes) -> None:
        """Drop what was still to be heard, and play this."""
        self.clear()
        self.play(pcm)

    def clear(self) -> int:
        """Drop what was still to be heard: it is silent within 20 ms. How many samples nobody heard."""
        forgotten = self._buffer.clear()
        self._empty.set()
        for track in self._tracks:
            if isinstance(track, AudioTrack):
                track.hush()
        return forgotten

    @property
    def played(self) -> int:
        """Samples that were heard since it was made; silence in between is not among them."""
        return self._buffer.played

    @property
    def waiting(self) -> float:
        """Seconds that are still to be heard."""
        return self._buffer.waiting / SILENCE.size * BLOCK_S

    async def drained(self) -> None:
        """Wait until all was heard, or dropped, or it was stopped."""
        await self._empty.wait()

    def stop(self) -> None:
        """No more pictures, no more sound. Said again, nothing changes."""
        self._playing.cancel()
        self._buffer.clear()
        for track in tuple(self._tracks):
            track.stop()
        for event in (self._shown, self._empty, self.silent, self.stopped):
            event.set()

    def _keep(self, track: AudioTrack | VideoTrack) -> None:
        self._tracks.append(track)
        track.on("ended", lambda: self._tracks.remove(track))

    def _picture(self, at: float, number: int) -> Plane:
        if self.onset:
            self.onset.seen(self.mouth)
        return self._face.frame(at, self.mouth, number)

    async def _play(self) -> None:
        tick = 0
        with contextlib.suppress(asyncio.CancelledError):
            while True:
                await self._clock.until((tick + 1) * BLOCK_S)
                now = int(self._clock.now() / BLOCK_S)
                tick = max(tick + 1, now - LATE)
                self._beat(tick)

    def _beat(self, tick: int) -> None:
        """One 20 ms."""
        block = None if self.pauses else self._buffer.take()
        if not self._buffer.waiting:
            self._empty.set()
        heard = SILENCE if block is None else block
        self._listen(heard)
        flows = block is not None or self.handle_silence or self._clock.now() < self._watched_until
        if flows and self.media == "both":
            self._shown.set()
        else:
            self._shown.clear()
        if flows and self.media != "none":
            for track in self._tracks:
                if isinstance(track, AudioTrack):
                    track.put(tick, heard)

    def _listen(self, heard: Block) -> None:
        """Move the mouth, and notice whether this is speech."""
        self.mouth = followed(self.mouth, heard)
        self._quiet = 0 if audible(heard) else self._quiet + 1
        if self.onset and not self._quiet:
            self.onset.heard()
        speaks = not self._quiet or (self.speaking and self._quiet < QUIET)
        if not speaks and self._empty.is_set():
            self.silent.set()
        if speaks != self.speaking:
            self.speaking = speaks
            if self.on_change:
                self.on_change(speaks)
