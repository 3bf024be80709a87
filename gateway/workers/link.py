"""One end of the socket between a supervisor and a worker."""

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress


class Link:
    """Says words and hears them, in the running event loop. `ended` is called once, when the other end is closed."""

    def __init__(self, end: socket.socket, heard: Callable[[bytes], None], ended: Callable[[], None]) -> None:
        end.setblocking(False)
        self._end = end
        self._heard = heard
        self._ended = ended
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(end.fileno(), self._read)

    def say(self, word: bytes) -> None:
        """Say a word. One that cannot be taken is lost: the other end is gone, or stands still."""
        if self._end.fileno() >= 0:
            with suppress(OSError):
                self._end.send(word)

    def close(self) -> None:
        """Close this end. May be called again."""
        if self._end.fileno() >= 0:
            self._loop.remove_reader(self._end.fileno())
            self._end.close()

    def _read(self) -> None:
        try:
            said = self._end.recv(4096)
        except BlockingIOError:
            return
        except OSError:  # a reset is an end
            said = b""
        for word in said:
            self._heard(bytes((word,)))
        if not said:
            self.close()
            self._ended()
