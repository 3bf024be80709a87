"""What a supervisor and a worker say to each other, in single bytes over a socket of their own; what one is handed.

Neither waits for the other. The end of the socket is a word too: a worker's says that its process has ended, and a
supervisor's that nobody keeps the worker any more.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from gateway.types import Worker

END = b"e"
"""To a worker: end as after SIGTERM."""
LEAVE = b"l"
"""To a worker: the same without notice to load balancers, as after Ctrl-C."""
HURRY = b"h"
"""To a worker that ends: at once."""
RETIRE = b"r"
"""To a worker: another one serves in your place. Accept nothing more, and end when your last answer has."""
RELOAD = b"a"
"""To a worker: read everything again, as after SIGHUP."""

READY = b"R"
"""Of a worker: it serves."""
BEAT = b"b"
"""Of a worker, every BEATS seconds: its event loop turns."""
ASKED = b"t"
"""Of a worker: somebody has sent SIGTERM to it alone."""

BEATS = 1.0


class Handed(NamedTuple):
    """What a worker is started with, as one argument of its command line."""

    number: int
    """`Worker.number`."""
    directory: str
    """`Worker.directory`."""
    sockets: Sequence[int]
    """Descriptors of sockets that listen already."""
    link: int
    """Descriptor of the socket to the supervisor."""
    kept: Sequence[int] = ()
    """Descriptors that only have to stay open as long as it runs."""
    first: bool = False
    """It is the first one of its supervisor: what is to be said once, it says."""

    @property
    def worker(self) -> Worker:
        """Which worker that is."""
        return Worker(self.number, Path(self.directory))

    def written(self) -> str:
        """As an argument."""
        return json.dumps(self._asdict(), separators=(",", ":"))

    @classmethod
    def read(cls, text: str) -> "Handed":
        """From an argument. Raises ValueError where it is none."""
        try:
            return cls(**json.loads(text))
        except TypeError as error:
            raise ValueError(f"{text[:80]!r} is not what a supervisor hands over") from error
