"""What a look through the public URL finds, and how the gateway knows such a turn."""

from dataclasses import dataclass

PREFLIGHT = "x-gateway-preflight"
"""The header of a turn that nobody speaks: it is not recorded, and parted (`PARTED`). Simli never sends it."""
PARTED = 0.2
"""Seconds that the gateway leaves behind the first words of such a turn, and again behind the empty chunk that it puts
there. However fast a model is and however little it says, there are distances, which a buffer on the way takes out."""


@dataclass(frozen=True, slots=True)
class Preflight:
    """One turn through the public URL that went well. Durations are seconds."""

    first_word: float
    """From the request on, with the connection's own time."""
    spread: float
    """The shorter of the two distances that the gateway put there (`PARTED`), as it arrived."""
    total: float
    target: str = ""
    """Who answered, as `x-gateway-target` says."""
    warnings: tuple[str, ...] = ()
