"""What was seen and heard as an MP4: H.264 and AAC, both from the first moment to the last, written in a thread."""

import queue
import threading
from collections import deque
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import numpy as np
from av import AudioFrame, VideoFrame
from av import open as av_open
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.video.stream import VideoStream

from gateway.errors import InvalidValue

RATE = 48000
TICKS = 90000
FPS = 30
WAITING = 512
"""Frames that wait to be written; where a machine is slower than that, frames are left out and counted."""
DRIFT = 0.15
"""Seconds by which a track's own time and the clock may differ before the clock is believed."""
LATELY = 25
"""Frames that have to agree on that: one that comes late is placed where its own time says."""
SETTLES_S = 1.0
"""Seconds of which is made where a track's own time stands on the clock, before anything is written."""
HELD = {"audio": 4, "video": 1}
"""Frames that aiortc has of a track before it hands the first of them out."""
CODEC = {"preset": "ultrafast", "crf": "23", "tune": "zerolatency"}


class Came(NamedTuple):
    """A frame, and when it came."""

    frame: AudioFrame | VideoFrame
    at: float

    @property
    def own(self) -> float:
        """Seconds that it says itself."""
        return self.frame.time or 0.0


class Track:
    """Puts a track's own times on the clock, `held` seconds before the frames came."""

    def __init__(self, held: float) -> None:
        self._held = held
        self._delays: deque[float] = deque(maxlen=LATELY)
        self._offset: float | None = None
        self._own = 0.0

    def learn(self, own: float, at: float) -> None:
        """A frame that is to be placed later."""
        self._delays.append(at - own)

    def placed(self, own: float, at: float) -> float:
        """Seconds of the clock."""
        if own < self._own:  # another track
            self._offset = None
            self._delays.clear()
        self._own = own
        self._delays.append(at - own)
        usual = float(np.median(self._delays))
        if self._offset is None or (len(self._delays) == LATELY and abs(usual - self._offset) > DRIFT):
            self._offset = usual
        return own + self._offset - self._held


class Recording:
    """Give it frames from the loop; `close` it outside of the loop."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lost = 0
        """Frames that were left out."""
        self.written = False
        """Whether there is a film: without a picture there is none."""
        self._frames: queue.Queue[Came | None] = queue.Queue(WAITING)
        self._failed: Exception | None = None
        self._thread = threading.Thread(target=self._write, name="recording", daemon=True)
        self._thread.start()

    def take(self, frame: AudioFrame | VideoFrame, at: float) -> None:
        """One frame."""
        if frame.time is None:
            return
        try:
            self._frames.put_nowait(Came(frame, at))
        except queue.Full:
            self.lost += 1

    def close(self) -> None:
        """Write what is left. It blocks. Raises InvalidValue where the file could not be written."""
        if self._thread.is_alive():
            self._frames.put(None)
            self._thread.join()
        if self._failed:
            raise InvalidValue(f"{self.path} could not be written: {self._failed}.")

    def _write(self) -> None:
        film: Film | None = None
        came: Came | None = None
        early: list[Came] = []
        try:
            while came := self._frames.get():
                if film:
                    film.add(came)
                    continue
                early = [*early[-3000:], came]  # a minute of sound, until there is a picture
                shown = next((one for one in early if isinstance(one.frame, VideoFrame)), None)
                if shown and came.at - shown.at > SETTLES_S:
                    film = Film(self.path, early)
                    early.clear()
            if film is None and any(isinstance(one.frame, VideoFrame) for one in early):
                film = Film(self.path, early)
        except (OSError, ValueError) as failed:
            self._failed = failed
            while came and (came := self._frames.get()):
                pass
        finally:
            if film:
                film.close()
                self.written = self._failed is None


def _kind(came: Came) -> str:
    return "video" if isinstance(came.frame, VideoFrame) else "audio"


def _between(early: list[Came], kind: str) -> float:
    """Seconds from one frame of a track to the next."""
    own = [came.own for came in early if _kind(came) == kind]
    return float(np.median(np.diff(own))) if len(own) > 1 else 0.0


class Film:
    """The file, once the size of its picture is known."""

    def __init__(self, path: Path, early: list[Came]) -> None:
        """`early`: what came first, a picture among it."""
        self._container: OutputContainer = av_open(str(path), "w", format="mp4")
        first = next(one.frame for one in early if isinstance(one.frame, VideoFrame))
        self._size = first.width & ~1, first.height & ~1
        self._video: VideoStream = self._container.add_stream("libx264", rate=FPS, options=CODEC)
        self._video.width, self._video.height = self._size
        self._video.pix_fmt = "yuv420p"
        self._video.codec_context.time_base = Fraction(1, TICKS)
        self._audio: AudioStream = self._container.add_stream("aac", rate=RATE, layout="mono")
        self._resampler = AudioResampler(format="s16", layout="mono", rate=RATE)
        self._places = {kind: Track(HELD[kind] * _between(early, kind)) for kind in ("audio", "video")}
        self._samples = 0
        self._tick = -1
        self._last: VideoFrame | None = None
        self._until = 0.0
        self._began = self._begun(early)
        for came in early:
            self.add(came)

    def _begun(self, early: list[Came]) -> float:
        """The moment of the clock at which the first of what came is placed."""
        for came in early:
            self._places[_kind(came)].learn(came.own, came.at)
        firsts = {_kind(came): came for came in reversed(early)}
        return min(self._places[kind].placed(came.own, came.at) for kind, came in firsts.items())

    def add(self, came: Came) -> None:
        """A frame at its place."""
        frame = came.frame
        place = max(0.0, self._places[_kind(came)].placed(came.own, came.at) - self._began)
        if isinstance(frame, VideoFrame):
            self._see(frame, place)
        else:
            self._hear(frame, place)

    def _see(self, frame: VideoFrame, place: float) -> None:
        picture = frame.reformat(*self._size, "yuv420p")
        if self._last is None:
            place = 0.0  # what is heard before the first picture is heard with it
        self._show(picture, round(place * TICKS))
        self._last = picture
        self._until = max(self._until, place + 1 / FPS)

    def _show(self, picture: VideoFrame, tick: int) -> None:
        self._tick = max(tick, self._tick + 1)
        picture.pts, picture.time_base = self._tick, Fraction(1, TICKS)
        picture.pict_type = 0  # the encoder decides
        self._container.mux(self._video.encode(picture))

    def _hear(self, frame: AudioFrame, place: float) -> None:
        for piece in self._resampler.resample(frame):
            wave = piece.to_ndarray().reshape(-1).astype(np.int16)
            lead = round(place * RATE) - self._samples
            if lead > RATE * 0.06:
                self._sound(np.zeros(lead, np.int16))
            elif lead < -RATE * 0.2:
                continue  # it would be heard after its time
            self._sound(wave)

    def _sound(self, wave: "np.ndarray[tuple[int], np.dtype[np.int16]]") -> None:
        piece = AudioFrame.from_ndarray(wave.reshape(1, -1), format="s16", layout="mono")
        piece.sample_rate, piece.time_base, piece.pts = RATE, Fraction(1, RATE), self._samples
        self._samples += wave.size
        self._container.mux(self._audio.encode(piece))

    def close(self) -> None:
        """Both tracks end at the same moment."""
        end = max(self._until, self._samples / RATE)
        if self._last is not None and (last := round((end - 1 / FPS) * TICKS)) > self._tick:
            self._show(self._last, last)
        if (missing := round(end * RATE) - self._samples) > 0:
            self._sound(np.zeros(missing, np.int16))
        self._container.mux(self._video.encode(None))
        self._container.mux(self._audio.encode(None))
        self._container.close()
