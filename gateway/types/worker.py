"""One of several processes that serve on the same port."""

from pathlib import Path
from typing import NamedTuple


class Worker(NamedTuple):
    """Which of them a process is. A number is free again once its process has ended, and is taken again then."""

    number: int
    """From 0."""
    directory: Path
    """What the workers of one supervisor share on the disk while it lives; empty when it starts."""
