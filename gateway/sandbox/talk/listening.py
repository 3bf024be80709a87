"""One person's sound as it comes: the avatar falls silent when they begin to speak, and what they said is a turn.

Sound without words is no turn. Where it had interrupted, the avatar stays silent until somebody asks again: its answer
was given up when the voice was heard, as in the pipelines that Simli's is one of, and to take it up again would be to
ask the LLM twice.
"""

import asyncio
import time
from collections.abc import AsyncIterator

from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError
from av import AudioFrame, AudioResampler

from gateway.audio.activity import Began, Paused, Resumed, Spoke
from gateway.audio.ears import Deaf
from gateway.audio.spoken import RATE
from gateway.sandbox.talk.conversation import Conversation
from gateway.sandbox.talk.hesitation import Hesitation
from gateway.sandbox.talk.senses import Senses

GAP_S = 0.1
"""Seconds without a packet, twice in a row, that are silence for who was speaking: muted, or gone. Once is not enough:
a loop that was held up for so long finds its packets behind the time-out."""
SILENCE = bytes(2 * round(GAP_S * RATE))


class Understood:
    """The words of one stretch of sound, which may be asked for before it is over."""

    def __init__(self, senses: Senses, pcm: bytes, language: str) -> None:
        self.text = ""
        self.at = 0.0
        """When they were there, in seconds since the epoch."""
        self.deaf = ""
        """Why nothing could be heard at all."""
        self.began = self.ended = 0.0
        """When somebody began and ceased to speak, in seconds since the epoch."""
        self.asking = asyncio.create_task(self._ask(senses, pcm, language), name="ears")

    async def _ask(self, senses: Senses, pcm: bytes, language: str) -> None:
        try:
            self.text = (await senses.ears.heard(pcm, language)).text.strip()
        except Deaf as deaf:
            self.deaf = str(deaf)
        self.at = time.time()


class Listening:
    """To one track of one person's. It ends with the track, or is cancelled."""

    def __init__(self, talk: Conversation, senses: Senses) -> None:
        self._talk = talk
        self._senses = senses
        self._activity = senses.activity()
        self._hesitation = Hesitation(talk.avatar)
        self._samples = 0
        self._speaking = False
        self._interrupting = False
        """Whether the conversation was told of it."""
        self._early: Understood | None = None
        """What is being understood of a stretch that may be over."""
        self._said: asyncio.Queue[Understood] = asyncio.Queue()
        self._asked: list[Understood] = []
        """All whose words are still to come."""
        self._before: Understood | None = None
        """What was said before they spoke on: it is one turn with what follows."""

    async def listen(self, track: MediaStreamTrack) -> None:
        """Until no more can come."""
        self._senses.ears.warm(self._talk.brain.language)
        try:
            async with asyncio.TaskGroup() as group:
                understanding = group.create_task(self._understand(), name="understanding")
                async for pcm in sound(track):
                    if pcm:
                        self._hear(pcm)
                    elif self._speaking:
                        self._hear(SILENCE)
                understanding.cancel()
        finally:
            asking = [one.asking for one in self._asked]
            for task in asking:
                task.cancel()
            await asyncio.gather(*asking, return_exceptions=True)
            self._hesitation.over()
            self._fall_silent()

    def _hear(self, pcm: bytes) -> None:
        self._samples += len(pcm) // 2
        for happened in self._activity.hear(pcm):
            match happened:
                case Began():
                    self._begin(self._when(happened.at))
                case Paused():
                    self._early = self._ask(happened.pcm)
                case Resumed():
                    self._give_up()
                case Spoke():
                    self._end(happened)
        self._hesitation.hear(self._samples / RATE, stirs=self._activity.stirs and not self._talk.ears)

    def _when(self, sample: int) -> float:
        """When a sample came, in seconds since the epoch: counted back from now, whatever was lost on the way."""
        return time.time() - (self._samples - sample) / RATE

    def _begin(self, at: float) -> None:
        self._speaking = True
        if not self._talk.ears:  # nobody is interrupted by what cannot be heard
            self._interrupting = True
            self._talk.begin_to_speak(at)
        self._hesitation.over()

    def _end(self, spoke: Spoke) -> None:
        understood = self._early or self._ask(spoke.pcm)
        understood.began, understood.ended = self._when(spoke.began), self._when(spoke.ended)
        self._early = None
        self._said.put_nowait(understood)
        self._fall_silent()

    def _fall_silent(self) -> None:
        self._speaking = False
        if self._interrupting:
            self._interrupting = False
            self._talk.fall_silent()

    def _ask(self, pcm: bytes) -> Understood:
        one = Understood(self._senses, pcm, self._talk.brain.language)
        self._asked.append(one)
        one.asking.add_done_callback(lambda _: self._asked.remove(one))
        return one

    def _give_up(self) -> None:
        if self._early is not None:
            self._early.asking.cancel()
            self._early = None

    async def _understand(self) -> None:
        """Turn by turn, in the order in which they were spoken."""
        while True:
            one = await self._said.get()
            await one.asking
            if self._talk.over.is_set():
                return
            self._talk.hears(one.deaf)
            if before := self._before:
                one.text = f"{before.text} {one.text}".strip()
                one.began, self._before = before.began, None
            if one.text and self._speaking:
                self._before = one
            elif one.text:
                self._talk.say(one.text, {"asked": one.began, "asked_end": one.ended, "recognised": one.at})


async def sound(track: MediaStreamTrack) -> AsyncIterator[bytes]:
    """16-bit 16 kHz mono as it comes, until the track has ended; nothing where nothing came for a while."""
    resampler = AudioResampler(format="s16", layout="mono", rate=RATE)
    waited = False
    while True:
        try:
            async with asyncio.timeout(GAP_S):
                frame = await track.recv()
        except TimeoutError:
            if waited:
                yield b""
            waited = True
            continue
        except MediaStreamError:
            return
        waited = False
        assert isinstance(frame, AudioFrame)
        yield b"".join(bytes(part.to_ndarray().tobytes()) for part in resampler.resample(frame))
