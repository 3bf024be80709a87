"""How long the sandbox waits for a client."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Patience:
    """In seconds; what stands here is Simli's where it is known."""

    offer: float = 30.0
    """For the offer, from the opened socket on; also for the token, from the answer on."""
    token: float = 5.0
    """Until a client that has not sent its token is asked for it."""
    media: float = 30.0
    """Until ICE and DTLS are through."""
    again: float = 1.0
    """From START to the second START: there is a client that listens for it only after it has begun."""
    farewell: float = 0.5
    """From STOP until the client has hung up."""
