"""Making one video, frame by frame, into a folder; then the same packets once more as an HLS playlist."""

import math
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av import AudioFrame, VideoFrame
from av.container import OutputContainer

from gateway.sandbox.avatar.buffer import BLOCK, RATE, followed
from gateway.sandbox.avatar.face import SIZE, Face
from gateway.sandbox.avatar.upsampling import TIMES, Upsampler

FPS = 25
MP4, PLAYLIST, SEGMENTS = "output.mp4", "output.m3u8", "output%d.ts"
SEGMENT_S = 2
BIT_RATE = 64_000
VIDEO = {"preset": "veryfast", "crf": "26", "tune": "zerolatency"}


class Stopped(Exception):
    """Nobody wants it any more."""


def film(face: Face, pcm: bytes, folder: Path, stopped: Callable[[], bool], first: int = 0) -> None:
    """Write MP4 and HLS into the folder, which is there. `first`: the frame of the face's motion to begin with."""
    with av.open(str(folder / MP4), "w", options={"movflags": "+faststart"}) as out:
        _shoot(out, face, pcm, stopped, first)
    options = {
        "hls_time": str(SEGMENT_S),
        "hls_list_size": "0",
        "hls_playlist_type": "vod",
        "hls_segment_filename": str(folder / SEGMENTS),
    }
    with av.open(str(folder / MP4)) as whole, av.open(str(folder / PLAYLIST), "w", "hls", options=options) as out:
        copies = {stream.index: out.add_stream_from_template(stream) for stream in whole.streams}
        for packet in whole.demux():
            if packet.dts is not None:
                packet.stream = copies[packet.stream.index]
                out.mux(packet)


def _shoot(out: OutputContainer, face: Face, pcm: bytes, stopped: Callable[[], bool], first: int) -> None:
    video = out.add_stream("libx264", rate=FPS, options=VIDEO)
    video.width, video.height, video.pix_fmt, video.gop_size = SIZE, SIZE, "yuv420p", FPS * SEGMENT_S
    audio = out.add_stream("aac", rate=RATE * TIMES, layout="mono")
    audio.bit_rate = BIT_RATE
    samples = np.frombuffer(pcm, "<i2")
    blocks = np.pad(samples, (0, -samples.size % BLOCK)).reshape(-1, BLOCK)
    upsampled, mouth, shot = Upsampler(), 0.0, 0
    for tick, block in enumerate(blocks):
        mouth = followed(mouth, block)
        frame = AudioFrame.from_ndarray(upsampled(block).reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate, frame.time_base = RATE * TIMES, Fraction(1, RATE * TIMES)
        frame.pts = tick * BLOCK * TIMES
        out.mux(audio.encode(frame))
        while shot < math.ceil((tick + 1) * BLOCK * FPS / RATE):
            if stopped():
                raise Stopped
            number = first + shot
            picture = VideoFrame.from_ndarray(face.frame(number / FPS, mouth, number), format="yuv420p")
            picture.pts, picture.time_base = shot, Fraction(1, FPS)
            out.mux(video.encode(picture))
            shot += 1
    out.mux(video.encode())
    out.mux(audio.encode())
