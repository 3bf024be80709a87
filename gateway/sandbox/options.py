"""What a sandbox is started with."""

from dataclasses import dataclass, field
from pathlib import Path

from gateway.audio.voice import Chosen


@dataclass(frozen=True, slots=True)
class Options:
    """Of one sandbox."""

    key: str = field(repr=False)
    """The API key that it takes."""
    host: str = "127.0.0.1"
    port: int = 8765
    """0: a free one."""
    directory: Path | None = None
    """Where videos are kept; None: a temporary folder."""
    voice: Chosen = "speech"
    """What agents speak with."""
