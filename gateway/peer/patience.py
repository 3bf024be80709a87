"""How long the peer waits. Published clients wait without an end for some of these."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Patience:
    """In seconds."""

    open: float = 10.0
    """For the line: a WebSocket's handshake, or the data channel."""
    answer: float = 10.0
    """From the offer to the answer."""
    connect: float = 15.0
    """From the answer until ICE and DTLS are through."""
    start: float = 15.0
    """From the connection to START."""
    picture: float = 15.0
    """From START to the first picture."""
    sound: float = 10.0
    """From the first audible sample sent to the first that is heard."""
    close: float = 3.0
    """For each step of the end."""
    new_candidate: float = 0.5
    """The rule of Simli's guide: no ICE candidate for so long, and the offer goes."""
