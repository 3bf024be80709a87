"""Server-sent events out of bytes, however the bytes were split.

https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation, of which we
use the `data` field only: `event`, `id`, `retry` and comments are read and left out. An event without data is no event.
"""

from gateway.errors import UpstreamProtocolError

LIMIT = 1024 * 1024
"""Bytes that an unfinished event may take."""

_BOM = b"\xef\xbb\xbf"
_LF = 10


class Events:
    """Feed it what was read; it returns the data of the events that are whole."""

    __slots__ = ("_begun", "_plain", "_rest", "_skip_lf")

    def __init__(self) -> None:
        self._rest = b""
        self._begun = False
        self._skip_lf = False
        self._plain = False

    def feed(self, read: bytes) -> list[bytes]:
        """Return the data of each event that `read` completes. Raises UpstreamProtocolError past LIMIT."""
        if self._plain and read.find(b"\n") == len(read) - 2 and read[:6] == b"data: " and b"\r" not in read:
            # A paced stream: one whole event of one line, and nothing left over from before.
            return [read[6:-2]] if read[-1] == _LF and len(read) > 8 else self._fed(read)
        return self._fed(read)

    def _fed(self, read: bytes) -> list[bytes]:
        if self._skip_lf and read:
            # A CR was taken for a line's end at once; the LF behind it belongs to the same line.
            read = read.removeprefix(b"\n")
            self._skip_lf = False
        if b"\r" in read:
            self._skip_lf = read.endswith(b"\r")
            read = read.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        buffer = self._rest + read if self._rest else read
        if not self._begun and len(buffer) >= len(_BOM):
            self._begun = True
            buffer = buffer.removeprefix(_BOM)
        *whole, self._rest = buffer.split(b"\n\n")
        self._plain = self._begun and not self._rest and not self._skip_lf
        if len(self._rest) > LIMIT:
            raise UpstreamProtocolError(f"The upstream sent an event of more than {LIMIT} bytes.")
        return [data for event in whole if (data := _data(event))]

    def end(self) -> list[bytes]:
        """Return the data of a last event that no blank line closed: a missing one is common and harmless."""
        rest, self._rest = self._rest, b""
        return [data] if (data := _data(rest)) else []


def _data(event: bytes) -> bytes:
    if event.startswith(b"data: ") and b"\n" not in event:
        return event[6:]
    lines = [line[5:].removeprefix(b" ") for line in event.split(b"\n") if line.startswith(b"data:")]
    return b"\n".join(lines)
