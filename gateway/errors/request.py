"""What the caller did wrong."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, ClassVar

from gateway.errors.configuration import Fault
from gateway.errors.root import GatewayError


class RequestError(GatewayError):
    """The caller's own fault."""

    status = 400
    type = "invalid_request_error"
    code = "invalid_request"


class InvalidJSON(RequestError):
    """The body is no JSON."""

    code = "invalid_json"


class MissingParameter(RequestError):
    """A required parameter is absent."""

    code = "missing_required_parameter"


class InvalidType(RequestError):
    """A parameter has the wrong type."""

    code = "invalid_type"


class InvalidValue(RequestError):
    """A parameter has the right type and an impossible value."""

    code = "invalid_value"
    exit_code: ClassVar[int] = 65
    """EX_DATAERR."""


class InvalidName(RequestError):
    """What stands where a name belongs is none: it never gets as far as a path or a key."""

    code = "invalid_name"


class AuthenticationError(RequestError):
    """A key that opens nothing: wrong, revoked or expired. Which of them is for the log only."""

    status = 401
    type = "authentication_error"
    code = "invalid_api_key"


class MissingKey(AuthenticationError):
    """No key where one is asked for."""

    code = "missing_api_key"


class InsufficientScope(RequestError):
    """A good key at the wrong door."""

    status = 403
    type = "permission_error"
    code = "insufficient_scope"


class NotFound(RequestError):
    """No such path."""

    status = 404
    type = "not_found_error"
    code = "not_found"


class ModelNotFound(NotFound):
    """Neither an agent, nor a route, nor a model of a route."""

    code = "model_not_found"


class MethodNotAllowed(RequestError):
    """The path exists, the method does not."""

    status = 405
    code = "method_not_allowed"


class RequestTimeout(RequestError):
    """The body did not arrive in time."""

    status = 408
    code = "request_timeout"


class Conflict(RequestError):
    """It cannot be done as things are now; the message says what stands in the way."""

    status = 409
    code = "conflict"


class FilesAtFault(Conflict):
    """Files that were to be served are broken; what was served is served still."""

    code = "configuration_error"

    def __init__(self, message: str, faults: Sequence[Fault]) -> None:
        super().__init__(message)
        self.faults = tuple(sorted(faults))

    @property
    def envelope(self) -> dict[str, Any]:
        """OpenAI's error envelope, and beside it `x_gateway.faults`: where, line, field and problem of each."""
        return super().envelope | {"x_gateway": {"faults": [asdict(fault) for fault in self.faults]}}


class UnsupportedMediaType(RequestError):
    """The body is not of a kind that is read here."""

    status = 415
    code = "unsupported_media_type"


class RateLimited(RequestError):
    """The key or the agent has had its share."""

    status = 429
    type = "rate_limit_error"
    code = "rate_limit_exceeded"


class HeadersTooLarge(RequestError):
    """The headers are larger than `limits.header_bytes`."""

    status = 431
    code = "request_header_fields_too_large"


class TooLarge(RequestError):
    """The body is larger than `limits.body_bytes`."""

    status = 413
    code = "request_too_large"


class UpstreamRejected(RequestError):
    """The upstream refused what the caller asked for (400, 404, 413, 422): its code and parameter are passed on."""

    def __init__(self, message: str, *, code: str = "", param: str | None = None) -> None:
        super().__init__(message, param=param)
        self.code = code or "invalid_request"
