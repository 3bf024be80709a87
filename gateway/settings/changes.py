"""What of the settings can change while the process runs."""

from typing import NamedTuple

from gateway.errors import Fault


class Reloaded(NamedTuple):
    """What became of a reload."""

    changed: tuple[str, ...] = ()
    """What is served anew from now on: `agent nora`, `route main`, `knowledge lighthouse`, `breaker`."""
    later: tuple[str, ...] = ()
    """Settings that differ from those the process runs with and take effect at the next start: `server.port`."""
    faults: tuple[Fault, ...] = ()
    """Why nothing was changed; everything stays as it was."""
