"""What was seen and heard as an MP4: H.264 and AAC, both from the first moment to the last, written in a thread."""

import queue
import threading
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
CODEC = {"preset": "ultrafast", "crf": "23", "tune": "zerolatency"}


class Came(NamedTuple):
    """A frame, and when it came."""

    frame: AudioFrame | VideoFrame
    at: float


class Track:
    """Puts a track's own times on the recording's: they begin when its first frame came."""

    def __init__(self) -> None:
        self._offset: float | None = None

    def placed(self, own: float, at: float) -> float:
        """Seconds from the recording's beginning."""
        if self._offset is None or abs(own + self._offset - at) > DRIFT:
            self._offset = at - own
        return max(0.0, own + self._offset)


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
        early: list[Came] = []
        try:
            while came := self._frames.get():
                if film is None:
                    early = [*early[-3000:], came]  # a minute of sound, until there is a picture
                    if isinstance(came.frame, VideoFrame):
                        film = Film(self.path, came.frame, early[0].at)
                        for one in early:
                            film.add(one)
                        early.clear()
                else:
                    film.add(came)
        except (OSError, ValueError) as failed:
            self._failed = failed
            while self._frames.get():
                pass
        finally:
            if film:
                film.close()
                self.written = self._failed is None


class Film:
    """The file, once the size of its picture is known."""

    def __init__(self, path: Path, first: VideoFrame, began: float) -> None:
        self._container: OutputContainer = av_open(str(path), "w", format="mp4")
        self._began = began
        self._size = first.width & ~1, first.height & ~1
        self._video: VideoStream = self._container.add_stream("libx264", rate=FPS, options=CODEC)
        self._video.width, self._video.height = self._size
        self._video.pix_fmt = "yuv420p"
        self._video.codec_context.time_base = Fraction(1, TICKS)
        self._audio: AudioStream = self._container.add_stream("aac", rate=RATE, layout="mono")
        self._resampler = AudioResampler(format="s16", layout="mono", rate=RATE)
        self._places = {"audio": Track(), "video": Track()}
        self._samples = 0
        self._tick = -1
        self._last: VideoFrame | None = None
        self._until = 0.0

    def add(self, came: Came) -> None:
        """A frame at its place."""
        frame = came.frame
        if frame.pts is None or frame.time_base is None:
            return
        kind = "video" if isinstance(frame, VideoFrame) else "audio"
        place = self._places[kind].placed(float(frame.pts * frame.time_base), came.at - self._began)
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
