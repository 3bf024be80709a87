"""A session in each dialect: seen, heard, measured, recorded and left."""

import asyncio
import gc
from pathlib import Path

import av
import numpy as np
import pytest

from gateway.peer.packets import Packets
from gateway.peer.performing import Wanted, perform
from gateway.peer.playing import Playing
from gateway.peer.recording import Recording
from gateway.peer.session import joined
from gateway.peer.source import reading
from gateway.peer.watch import Watch
from gateway.types.peer import PeerDialect
from gateway.types.simli import IceServer
from tests.peer.stage import SHORT, Ear, pcm, stage, waved


@pytest.mark.parametrize("dialect", ["p2p", "websocket", "rest"])
async def test_each_dialect_sees_a_moving_face_and_hears_the_tone(dialect: PeerDialect, tmp_path: Path) -> None:
    """A WAV file played in real time: its tone comes back, the picture moves, and every measure has a value."""
    ear = Ear()
    watch = Watch(sinks=[ear.take])
    async with stage() as on, reading(str(waved(tmp_path / "tone.wav", 0.6))) as source:
        await perform(source, on.way(dialect), on.ticket, watch, Wanted(patience=SHORT))
        assert await on.deserted()
    assert abs(ear.hertz() - 440) < 5
    assert watch.seen and watch.pictures.count > 10 and watch.moved > 5
    assert 26 < watch.pictures.rate < 34
    assert list(watch.marks) != [] and {"answer", "connected", "start", "sent", "heard", "speak"} <= set(watch.marks)
    assert watch.marks["sent"] > watch.marks["start"]
    assert watch.speaks == 1 and watch.silents == 1
    assert watch.round_trip is not None and watch.round_trip < 0.5
    assert watch.ending is not None and watch.ending.reason == "done"
    assert watch.sent_s == pytest.approx(0.6, abs=0.01)


async def test_a_recording_has_both_tracks_in_step(tmp_path: Path) -> None:
    """Both tracks are as long as one another, the picture is whole, and the sound begins when it was heard."""
    recording = Recording(tmp_path / "face.mp4")
    watch = Watch(sinks=[recording.take])
    async with stage() as on, on.joined("p2p", watch) as session:
        playing = Playing(session, Packets())
        await playing.idle(lambda: watch.pictures.count > 10)
        sound = iter([pcm(0.4), b""])

        async def read() -> bytes:
            return next(sound)

        await playing.play(read)
        await playing.finish()
    await asyncio.to_thread(recording.close)
    assert recording.written and not recording.lost
    with av.open(str(tmp_path / "face.mp4")) as film:
        video, audio = film.streams.video[0], film.streams.audio[0]
        assert (video.codec_context.name, audio.codec_context.name) == ("h264", "aac")
        assert video.duration and audio.duration and video.time_base and audio.time_base
        lengths = float(video.duration * video.time_base), float(audio.duration * audio.time_base)
        loud = [
            float(frame.pts * frame.time_base)
            for frame in film.decode(audio)
            if frame.pts is not None and frame.time_base and float(np.abs(frame.to_ndarray()).max()) > 0.1
        ]
    first = min(watch.pictures.first or 9.0, watch.sounds.first or 9.0)
    assert abs(lengths[0] - lengths[1]) < 0.1 and lengths[0] > 0.4
    assert abs(loud[0] - (watch.marks["heard"] - first)) < 0.12
    assert abs((loud[-1] - loud[0]) - 0.4) < 0.12


async def test_an_interruption_is_silence_soon() -> None:
    """After SKIP the face is silent long before what was sent would have been over, and speaks again when asked."""
    async with stage() as on, on.joined() as session:
        watch = session.watch
        playing = Playing(session, Packets(), paced=False)
        sounds = iter([pcm(4.0), b""])

        async def read() -> bytes:
            return next(sounds)

        await playing.play(read)
        await playing.idle(lambda: watch.heard)
        assert playing.ahead > 3
        began = watch.now()
        await playing.interrupt()
        assert playing.ahead == 0
        await playing.idle(lambda: not watch.speaking)
        assert watch.now() - began < 1.0
        await session.audio(pcm(0.2), immediate=True)
        await playing.idle(lambda: watch.speaks == 2)


async def test_silence_keeps_a_session_awake() -> None:
    """A source that gives nothing for longer than was sent is bridged with silence."""
    async with stage() as on, on.joined() as session:
        playing = Playing(session, Packets())
        pieces = iter([pcm(0.1875), b""])

        async def read() -> bytes:
            piece = next(pieces)
            if not piece:
                await asyncio.sleep(0.5)
            return piece

        await playing.play(read)
        assert 0.18 < session.watch.silence_s < 0.8
        assert session.watch.sent_s == pytest.approx(0.1875 + session.watch.silence_s)


async def test_a_dead_stun_server_costs_half_a_second() -> None:
    """Servers that say nothing are left out of the offer; one that answers is found at once."""
    dead = IceServer(("stun:127.0.0.1:9", "turn:127.0.0.1:9?transport=tcp", "stun:[::1"), "u", "c")
    async with stage() as on:
        ticket = await on.ticket()
        for servers, least, most in ((ticket.ice, 0.0, 0.5), ((dead, *ticket.ice), 0.4, 1.2)):
            watch = Watch()
            async with joined(on.way(), type(ticket)(ticket.token, servers), watch, SHORT):
                assert least < watch.marks["start"] < most
        async with joined(on.way(full=True), await on.ticket(), Watch(), SHORT) as session:
            assert session.watch.marks["start"] < 1.0


async def test_ten_sessions_leave_nothing_behind() -> None:
    """No task and no file descriptor is left of them, and none runs at the sandbox."""
    async with stage() as on:

        async def once() -> None:
            async with on.joined():
                pass

        def open_files() -> int:
            return len(list(Path("/proc/self/fd").iterdir()))

        for _ in range(2):
            await once()
        assert await on.deserted()
        gc.collect()
        tasks, files = len(asyncio.all_tasks()), open_files()
        for _ in range(10):
            await once()
        assert await on.deserted()
        gc.collect()
        assert len(asyncio.all_tasks()) <= tasks + 1
        assert open_files() <= files + 3
