"""The packetiser: whatever comes in, what goes out is whole, even and small."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.peer.packets import IMMEDIATE, LARGEST, PACKET, Packets, seconds

PIECES = st.lists(st.binary(max_size=9000), max_size=12)
SIZES = st.integers(1, 4000).map(lambda half: 2 * half)


@settings(max_examples=60, deadline=None)
@given(PIECES, SIZES)
def test_nothing_is_lost_and_nothing_added(pieces: list[bytes], size: int) -> None:
    """All packets joined are what came in, but for half a sample at the very end."""
    packets = Packets(size)
    out = [packet for piece in pieces for packet in packets.add(piece)]
    assert all(len(packet) == size for packet in out)
    rest = packets.rest()
    whole = b"".join(pieces)
    assert b"".join(out) + rest == whole[: len(whole) & ~1]
    assert len(rest) < size and not len(rest) % 2
    assert packets.rest() == b""


@settings(max_examples=40, deadline=None)
@given(st.binary(max_size=20_000), st.lists(st.integers(0, 20_000), max_size=8))
def test_packets_do_not_depend_on_how_the_sound_came(sound: bytes, cuts: list[int]) -> None:
    """The same sound cut elsewhere, at odd places too, makes the same packets."""
    at = [0, *sorted(min(cut, len(sound)) for cut in cuts), len(sound)]
    packets = Packets()
    out = [each for begin, end in itertools.pairwise(at) for each in packets.add(sound[begin:end])]
    assert [*out, packets.rest()] == [*(whole := Packets()).add(sound), whole.rest()]


def test_what_an_interruption_forgets() -> None:
    """After `clear` nothing of what waited goes out."""
    packets = Packets()
    assert list(packets.add(b"\1" * (PACKET - 1))) == []
    packets.clear()
    assert list(packets.add(b"\2" * PACKET)) == [b"\2" * PACKET]


@pytest.mark.parametrize("size", [0, -2, 3, 65_536, LARGEST - len(IMMEDIATE) + 2])
def test_sizes_that_simli_does_not_take(size: int) -> None:
    """Odd sizes are refused, and those that with PLAY_IMMEDIATE in front would be over 65,536 bytes."""
    with pytest.raises(ValueError, match="even"):
        Packets(size)


def test_how_long_bytes_are_heard() -> None:
    """6000 bytes are 187.5 ms, and 255 ms are 8160 bytes."""
    assert seconds(PACKET) == 0.1875
    assert seconds(8160) == 0.255
    assert Packets(LARGEST - len(IMMEDIATE)) is not None
