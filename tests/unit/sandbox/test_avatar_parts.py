"""What an avatar is made of: the play buffer, the upsampler, the drawn face. Pure."""

import asyncio
import itertools

import numpy as np
import pytest

from gateway.sandbox.avatar.avatar import Avatar
from gateway.sandbox.avatar.buffer import BLOCK, LONGEST_S, RATE, SILENCE, Block, PlayBuffer, audible, followed, level
from gateway.sandbox.avatar.face import LOOKS, SIZE, Face, Look, face_of
from gateway.sandbox.avatar.upsampling import TIMES, Upsampler


def sine(hertz: float, seconds: float = 0.2, loud: float = 0.5) -> Block:
    """A tone at 16 kHz."""
    return (loud * 32767 * np.sin(2 * np.pi * hertz * np.arange(int(RATE * seconds)) / RATE)).astype(np.int16)


def test_the_buffer_gives_back_what_it_was_given() -> None:
    """Pieces of any even size come out as 20 ms blocks, in order; silence fills the last, then there is none."""
    buffer, wave = PlayBuffer(), np.arange(1, 701, dtype=np.int16)
    for piece in (wave[:3], wave[3:500], wave[500:]):
        assert buffer.append(piece.tobytes()) == piece.size
    blocks = [buffer.take() for _ in range(4)]
    assert blocks.pop() is None
    joined = np.concatenate([block for block in blocks if block is not None])
    assert joined.size == 3 * BLOCK and (joined[:700] == wave).all() and not joined[700:].any()
    assert buffer.played == 700


def test_an_odd_byte_is_dropped() -> None:
    """Half a sample at the end of a message does not shift the samples of the next one."""
    buffer = PlayBuffer()
    assert buffer.append(b"\x01\x00\x02") == 1
    buffer.append(b"\x03\x00")
    block = buffer.take()
    assert block is not None and list(block[:2]) == [1, 3]


def test_the_buffer_has_an_end_and_can_be_cleared() -> None:
    """A quarter of an hour is kept, no more; clearing says how much nobody heard, and that does not count as played."""
    buffer = PlayBuffer()
    assert buffer.append(bytes(2 * RATE * (LONGEST_S + 5))) == RATE * LONGEST_S
    assert buffer.take() is not None
    assert buffer.clear() == RATE * LONGEST_S - BLOCK
    assert buffer.take() is None and buffer.played == BLOCK and not buffer.waiting


def test_levels_rise_with_the_sound() -> None:
    """Silence is 0 and not audible, a loud tone is near 1; a mouth opens faster than it closes."""
    assert level(SILENCE) == 0.0 and not audible(SILENCE)
    levels = [level(sine(300, 0.02, loud)) for loud in (0.01, 0.05, 0.2, 0.9)]
    assert levels == sorted(levels) and levels[-1] > 0.9 and audible(sine(300, 0.02, 0.01))
    opened = followed(0.0, sine(300, 0.02, 0.9))
    assert opened > 0.6 and followed(opened, SILENCE) > 0.4


def test_upsampling_keeps_the_tone() -> None:
    """A tone that goes in block by block comes out as one, of the same pitch and loudness, with no seam to be heard."""
    upsampled, wave = Upsampler(), sine(1000)
    out = np.concatenate([upsampled(block) for block in wave.reshape(-1, BLOCK)]).astype(float)
    spectrum = np.abs(np.fft.rfft(out[960:] * np.hanning(out.size - 960)))
    peak = spectrum.argmax() * RATE * TIMES / (out.size - 960)
    assert abs(peak - 1000) < 10
    away = np.delete(spectrum, slice(spectrum.argmax() - 4, spectrum.argmax() + 5))
    assert 20 * np.log10(spectrum.max() / away.max()) > 50
    assert abs(out[960:].std() / wave.astype(float).std() - 1) < 0.02


def test_every_frame_differs() -> None:
    """No two frames of ten minutes that follow one another are the same, though nobody speaks."""
    face = face_of("a face")
    for begin in (0, 300, 17_900):
        frames = [face.frame(number / 30, 0.0, number) for number in range(begin, begin + 40)]
        assert all((one != other).any() for one, other in itertools.pairwise(frames))
        assert frames[0].shape == (SIZE * 3 // 2, SIZE)


@pytest.mark.parametrize("look", LOOKS, ids=range(len(LOOKS)))
def test_a_mouth_opens_by_steps(look: Look) -> None:
    """The wider it is open the more of the picture is as dark as the inside of a mouth, in every look."""
    face = Face(look)
    dark = [int((face.frame(1.0, mouth, 0)[335:420, 205:307] < 60).sum()) for mouth in (0.0, 0.3, 0.6, 1.0)]
    assert dark == sorted(dark) and dark[-1] > dark[0] + 500


def test_a_face_is_its_ids() -> None:
    """The same id has the same face, an emotion is no part of it, and ids differ in looks."""
    assert face_of("tmp9i8bbq7c") is face_of("tmp9i8bbq7c/happy")
    assert len({id(face_of(f"face {number}")) for number in range(40)}) == len(LOOKS)


async def test_an_avatar_goes_by_the_clock() -> None:
    """Without a viewer, too, what it plays is over when its time is over; it says when it begins and ends to speak."""
    told: list[bool] = []
    avatar = Avatar("a face", on_change=told.append)
    loop = asyncio.get_running_loop()
    began = loop.time()
    avatar.play(sine(300, 0.2).tobytes())
    assert abs(avatar.waiting - 0.2) < 0.001
    await avatar.drained()
    assert loop.time() - began > 0.17 and avatar.played == 3200
    assert avatar.speaking and avatar.mouth > 0.5
    await avatar.silent.wait()
    assert told == [True, False] and not avatar.speaking and avatar.mouth < 0.1
    avatar.play(sine(300, 5).tobytes())
    assert avatar.clear() == 80_000
    await avatar.drained()
    avatar.stop()
    avatar.play(sine(300, 5).tobytes())
    await asyncio.gather(avatar.drained(), avatar.silent.wait())
    assert avatar.waiting == 0
