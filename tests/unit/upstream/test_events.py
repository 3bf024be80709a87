"""gateway/upstream/events.py"""

import pytest

from gateway.errors import UpstreamProtocolError
from gateway.upstream.events import LIMIT, Events

STREAM = (
    'data: {"a":"ü🙂"}\n\n: a comment\n\ndata:{"b":2}\n\nevent: ping\ndata:\n\n'
    'id: 7\ndata: {"c":\ndata: 3}\n\ndata: [DONE]\n\n'
)
DATA = ['{"a":"ü🙂"}', '{"b":2}', '{"c":\n3}', "[DONE]"]


def fed(*reads: bytes) -> list[str]:
    events = Events()
    whole = [event for read in reads for event in events.feed(read)]
    return [event.decode() for event in whole + events.end()]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_split_at_every_byte_gives_the_same_events(end: str) -> None:
    """A stream cut in two at any byte, in any of the three line endings, is the same stream."""
    stream = STREAM.replace("\n", end).encode()
    for cut in range(len(stream) + 1):
        assert fed(stream[:cut], stream[cut:]) == DATA


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_stream_may_come_byte_by_byte(end: str) -> None:
    """Reads of one byte each, inside of characters and line ends, make the same events."""
    stream = STREAM.replace("\n", end).encode()
    assert fed(*(stream[i : i + 1] for i in range(len(stream)))) == DATA


def test_a_lone_carriage_return_closes_an_event_at_once() -> None:
    """An event that ends in CR CR is not held back for a line feed that may never come."""
    assert Events().feed(b"data: x\r\r") == [b"x"]


def test_a_byte_order_mark_is_left_out() -> None:
    """A BOM at the beginning belongs to the encoding, and one inside to the text."""
    assert fed(b"\xef\xbb", b"\xbfdata: x\n\n", b"data: \xef\xbb\xbf\n\n") == ["x", "\ufeff"]


def test_a_last_event_needs_no_blank_line() -> None:
    """`[DONE]` without its blank line, at the end of the body, still counts."""
    assert fed(b"data: x\n\ndata: [DONE]") == ["x", "[DONE]"]


def test_an_endless_event_is_refused() -> None:
    """An event that never ends cannot fill the memory."""
    events = Events()
    with pytest.raises(UpstreamProtocolError):
        for _ in range(LIMIT // 65536 + 1):
            events.feed(b"x" * 65536)
