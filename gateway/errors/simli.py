"""What Simli, or the way to it, did wrong. Messages name Simli's own code and words, and never a key.

`detail` is what Simli said, for machines that compare; the exit codes are sysexits.h's.
"""

from os import EX_DATAERR, EX_NOPERM, EX_PROTOCOL, EX_TEMPFAIL, EX_UNAVAILABLE
from typing import Any, ClassVar

from gateway.errors.root import GatewayError


class SimliError(GatewayError):
    """The root of this part: Simli answered something that nobody could do anything with."""

    status = 502
    type = "simli_error"
    code = "simli_error"
    exit_code: ClassVar[int] = EX_UNAVAILABLE
    refuses: ClassVar[bool] = False
    """Whether it is an answer by which nothing was done."""

    def __init__(self, message: str, *, simli_code: str = "", simli_status: int = 0, **more: Any) -> None:
        super().__init__(message, **more)
        self.simli_code = simli_code
        """Simli's own, such as INVALID_FACE_ID; empty where it named none."""
        self.simli_status = simli_status
        """The HTTP status that it answered with; 0 where there was no answer."""
        self.unsent = False
        """Whether what was asked surely never got there."""

    @property
    def undone(self) -> bool:
        """Whether nothing was done, for certain: what bills or makes something may be asked for again."""
        return self.unsent or self.refuses

    @property
    def envelope(self) -> dict[str, Any]:
        """With Simli's own code and status under `x_gateway`."""
        said = {"code": self.simli_code or None, "status": self.simli_status or None}
        return {**super().envelope, "x_gateway": {"simli": said}}


class SimliUnavailable(SimliError):
    """It cannot be reached, or answered 5xx."""

    code = "simli_unavailable"
    exit_code = EX_TEMPFAIL


class SimliTimeout(SimliError):
    """It did not answer in time. What was asked may have been done."""

    status = 504
    code = "simli_timeout"
    exit_code = EX_TEMPFAIL


class SimliOverloaded(SimliError):
    """It says that it is overloaded, with whatever status."""

    status = 503
    code = "simli_overloaded"
    exit_code = EX_TEMPFAIL
    refuses = True


class SimliLimited(SimliError):
    """Too many requests, or too many sessions at once."""

    status = 429
    type = "rate_limit_error"
    code = "simli_limited"
    exit_code = EX_TEMPFAIL
    refuses = True


class SimliAuthFailed(SimliError):
    """It refuses the API key. Our caller's own key is not in question: this is no 401."""

    code = "simli_auth_failed"
    exit_code = EX_NOPERM
    refuses = True


class SimliBilling(SimliError):
    """The account cannot pay."""

    status = 402
    code = "simli_billing"
    exit_code = EX_NOPERM
    refuses = True


class SimliRejected(SimliError):
    """It understood, and refused a value: 400, 403, 409, 422."""

    status = 422
    code = "simli_rejected"
    exit_code = EX_DATAERR
    refuses = True


class SimliNotFound(SimliError):
    """It has nothing of that id, or not yet."""

    status = 404
    code = "simli_not_found"
    exit_code = EX_DATAERR
    refuses = True


class SimliProtocolError(SimliError):
    """Its answer cannot be read, or is another than was asked for."""

    code = "simli_protocol_error"
    exit_code = EX_PROTOCOL
