"""Who speaks in a room, and ears that are scripted: a tone is a voice, and its pitch is what it says."""

import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection
from aiortc.mediastreams import MediaStreamError
from av import AudioFrame

from gateway.audio.activity import Began, Event, Paused, Resumed, Spoke
from gateway.audio.ears import Deaf, Heard
from gateway.sandbox.talk.senses import Senses
from tests.sandbox.viewer import Viewer
from tests.sandboxed import caller

RATE = 16000
BLOCK = 320
QUESTION, OTHER, COUGH = 440, 660, 1000
"""In Hz: the first two are questions, the third is no word."""
WORDS = {QUESTION: "When does the boat go?", OTHER: "Who lights the lamp?", COUGH: ""}


@dataclass
class Scripted:
    """Ears that know pitches, after some time."""

    words: Mapping[int, str] = field(default_factory=lambda: dict(WORDS))
    takes: float = 0.05
    held: asyncio.Event | None = None
    """What they know is told only after this."""
    deaf: str = ""
    asked: list[int] = field(default_factory=list)
    """The pitches that were asked for; one that was given up stays."""
    lengths: list[float] = field(default_factory=list)
    closed: threading.Event = field(default_factory=threading.Event)
    warmed: int = 0

    async def heard(self, pcm: bytes, language: str = "en") -> Heard:
        wave = np.frombuffer(pcm, "<i2").astype(np.float64)
        pitch = np.argmax(np.abs(np.fft.rfft(wave))) * RATE / wave.size
        nearest = min(self.words, key=lambda one: abs(one - pitch))
        self.asked.append(nearest)
        self.lengths.append(wave.size / RATE)
        await asyncio.sleep(self.takes)
        if self.held:
            await self.held.wait()
        if self.deaf:
            raise Deaf(self.deaf)
        return Heard(self.words[nearest], self.takes)

    def warm(self, language: str = "en") -> None:
        self.warmed += 1

    def close(self) -> None:
        self.closed.set()


class Loudness:
    """Whatever is loud for 100 ms is a voice, until it was silent for `end_s`."""

    def __init__(self, end_s: float = 0.3) -> None:
        self._end = round(end_s * RATE)
        self._rest = self._pcm = b""
        self._at = self._loud = self._quiet = self._began = self._ended = 0
        self._speaking = self._paused = False

    @property
    def stirs(self) -> bool:
        return self._loud > 0 and not self._speaking

    def hear(self, pcm: bytes) -> list[Event]:
        self._rest += pcm
        made: list[Event] = []
        while len(self._rest) >= 2 * BLOCK:
            block, self._rest = self._rest[: 2 * BLOCK], self._rest[2 * BLOCK :]
            self._at += BLOCK
            self._pcm = self._pcm + block if self._speaking else (self._pcm + block)[-9600:]
            loud = np.abs(np.frombuffer(block, "<i2").astype(int)).max() > 600
            made += self._spoken() if loud else self._silent()
        return made

    def _spoken(self) -> list[Event]:
        self._loud += BLOCK
        self._quiet, self._ended = 0, self._at
        if self._paused:
            self._paused = False
            return [Resumed(self._at)]
        if not self._speaking and self._loud >= RATE // 10:
            self._speaking, self._began = True, self._at - self._loud
            return [Began(self._began)]
        return []

    def _silent(self) -> list[Event]:
        self._quiet += BLOCK
        if not self._speaking:
            self._loud = 0
            return []
        if not self._paused and self._quiet >= RATE // 5:
            self._paused = True
            return [Paused(self._at, self._pcm)]
        if self._quiet >= self._end:
            self._speaking = self._paused = False
            self._loud = 0
            return [Spoke(self._began, self._ended, self._pcm)]
        return []


def scripted_senses(ears: Scripted | None = None, missing: str = "") -> Senses:
    return Senses(ears or Scripted(), Loudness, lambda _: missing)


class Microphone(MediaStreamTrack):
    """20 ms of 48 kHz at a time by the clock; silence where nothing is said."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self._wave = np.zeros(0, "<i2")
        self._tick = 0
        self._zero = 0.0
        self._said = asyncio.Event()
        self.muted = False
        """Nothing is sent at all, and what is said is lost."""
        self.began = self.ended = 0.0
        """When the last thing that was said began and ended, in seconds since the epoch."""

    async def recv(self) -> AudioFrame:
        while True:
            if not self._tick:
                self._zero = time.perf_counter()
            self._tick += 1
            await asyncio.sleep(max(0.0, self._zero + self._tick * 0.02 - time.perf_counter()))
            if self.readyState != "live":
                raise MediaStreamError
            block = self._block()
            if not self.muted:
                return block

    def _block(self) -> AudioFrame:
        block = np.zeros(960, "<i2")
        part, self._wave = self._wave[:960], self._wave[960:]
        block[: part.size] = part
        if part.size:
            self.began = self.began or time.time()
            if not self._wave.size:
                self.ended = time.time() + 0.02
                self._said.set()
        frame = AudioFrame(format="s16", layout="mono", samples=960)
        frame.planes[0].update(block.tobytes())
        frame.pts, frame.sample_rate, frame.time_base = self._tick * 960, 48000, Fraction(1, 48000)
        return frame

    async def say(self, wave: "np.typing.NDArray[np.int16]") -> None:
        """Return when the last sample was sent."""
        self.began = 0.0
        self._said.clear()
        self._wave = wave
        await asyncio.wait_for(self._said.wait(), 30)


def tone(hertz: int, seconds: float = 0.2) -> "np.typing.NDArray[np.int16]":
    """A voice, as a microphone has it: 48 kHz."""
    return (9000 * np.sin(2 * np.pi * hertz * np.arange(round(48000 * seconds)) / 48000)).astype("<i2")


@dataclass
class Person:
    """Somebody in a room."""

    viewer: Viewer
    microphone: Microphone
    connection: RTCPeerConnection

    async def say(self, hertz: int, seconds: float = 0.2) -> None:
        await self.microphone.say(tone(hertz, seconds))

    async def hears(self, what: str = "the avatar") -> None:
        """Wait until the avatar is heard from now on."""
        seen = len(self.viewer.sounds)
        await self.viewer.until(lambda: any(sound.rms > 500 for sound in self.viewer.sounds[seen:]), what)

    def last_sound(self) -> float:
        """When something was last heard, in seconds since the epoch."""
        at = max(sound.at for sound in self.viewer.sounds if sound.rms > 500)
        return time.time() - self.viewer.since() + at


@contextlib.asynccontextmanager
async def entered(room_url: str, *, direction: str = "sendrecv") -> AsyncIterator[Person]:
    """A person in a room, once they see the avatar; for as long as this is open."""
    connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    microphone, viewer = Microphone(), Viewer(connection)
    connection.addTransceiver(microphone, direction=direction)
    connection.addTransceiver("video", direction="recvonly")
    await connection.setLocalDescription()
    try:
        async with caller() as http:
            offer = {"sdp": connection.localDescription.sdp, "type": "offer"}
            answer = await http.post(f"{room_url}/offer", json=offer)
        assert answer.status_code == 200, answer.text
        await viewer.take(answer.text)
        await viewer.seen()
        yield Person(viewer, microphone, connection)
    finally:
        microphone.stop()
        await connection.close()
        for task in viewer.tasks:
            task.cancel()
        await asyncio.gather(*viewer.tasks, return_exceptions=True)
