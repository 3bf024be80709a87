"""What kept a face from being seen and heard, once Simli had given a token for it. Messages never hold the token."""

from os import EX_TEMPFAIL, EX_UNAVAILABLE
from typing import ClassVar

from gateway.errors.root import GatewayError


class PeerError(GatewayError):
    """The root of this part."""

    status = 502
    type = "peer_error"
    code = "peer_error"
    exit_code: ClassVar[int] = EX_UNAVAILABLE


class NoAnswer(PeerError):
    """The offer was not answered in time, or with something else."""

    status = 504
    code = "no_answer"


class NoConnection(PeerError):
    """Signalling went well, and no packet got through: ICE or DTLS failed."""

    code = "no_connection"


class NoStart(PeerError):
    """The connection is there, and START never came."""

    status = 504
    code = "no_start"


class NoPicture(PeerError):
    """The session started, and nothing was seen."""

    status = 504
    code = "no_picture"


class NoSound(PeerError):
    """Sound was sent, and nothing audible came back."""

    status = 504
    code = "no_sound"


class SessionRefused(PeerError):
    """Simli said ERROR."""

    code = "session_refused"


class SessionLimited(PeerError):
    """Simli said RATE: too many sessions, or too often."""

    status = 429
    type = "rate_limit_error"
    code = "session_limited"
    exit_code = EX_TEMPFAIL


class SessionDropped(PeerError):
    """The line broke without a word."""

    code = "session_dropped"
    exit_code = EX_TEMPFAIL


class SessionEnded(PeerError):
    """Simli ended it before we did: it was idle, or at its longest, or Simli did not say."""

    code = "session_ended"
