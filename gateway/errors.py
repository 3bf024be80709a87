"""Everything that can go wrong on purpose. One tree, one envelope (`http/errors.py` renders it).

GatewayError                  500 server_error            internal_error
├── RequestError              400 invalid_request_error   the caller's own fault: always keeps its status
│   ├── InvalidJSON           400                         invalid_json
│   ├── MissingParameter      400                         missing_required_parameter
│   ├── InvalidType           400                         invalid_type
│   ├── InvalidValue          400                         invalid_value
│   ├── UnsupportedValue      400                         unsupported_value
│   ├── NotFound              404 not_found_error         not_found
│   │   └── ModelNotFound     404                         model_not_found
│   ├── MethodNotAllowed      405                         method_not_allowed
│   ├── RequestTimeout        408                         request_timeout
│   ├── TooLarge              413                         request_too_large
│   └── UpstreamRejected      400                         the upstream's own code, e.g. context_length_exceeded
├── CallerGone                499                         client_closed_request (seen in logs only)
├── Draining                  503                         shutting_down
├── UpstreamError             502 upstream_error          upstream_error
│   ├── UpstreamUnavailable   502                         upstream_unavailable
│   ├── UpstreamAuthFailed    502                         upstream_auth_failed
│   ├── UpstreamTimeout       504                         upstream_timeout: nothing came before its deadline
│   ├── UpstreamStalled       504                         upstream_stalled: it began and fell silent
│   ├── UpstreamTruncated     502                         upstream_truncated: it ended without a finish
│   ├── UpstreamProtocolError 502                         upstream_protocol_error: it cannot be read
│   ├── UpstreamEmpty         502                         empty_answer: it finished and said nothing
│   └── UpstreamLimited       429 rate_limit_error        rate_limit_exceeded; with Retry-After
├── KnowledgeError            500                         ingesting or opening a collection failed
└── ConfigurationError        --                          settings and agent files: every fault at once

Statuses and types are OpenAI's: https://platform.openai.com/docs/guides/error-codes
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar


class GatewayError(Exception):
    """The root: `status`, `type` and `code` go to the caller, and so does the message."""

    status: int = 500
    type: str = "server_error"
    code: str = "internal_error"

    def __init__(self, message: str, *, param: str | None = None, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.retry_after = retry_after

    @property
    def envelope(self) -> dict[str, Any]:
        """OpenAI's error envelope: `{"error": {"message", "type", "param", "code"}}`."""
        return {
            "error": {"message": self.message, "type": self.type, "param": self.param, "code": self.code},
        }


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


class UnsupportedValue(RequestError):
    """A value of OpenAI's that this gateway does not serve."""

    code = "unsupported_value"


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


class TooLarge(RequestError):
    """The body is larger than `limits.body_bytes`."""

    status = 413
    code = "request_too_large"


class UpstreamRejected(RequestError):
    """The upstream refused what the caller asked for (400, 404, 413, 422): its code and parameter are passed on."""

    def __init__(self, message: str, *, code: str = "", param: str | None = None) -> None:
        super().__init__(message, param=param)
        self.code = code or "invalid_request"


class CallerGone(GatewayError):
    """The caller hung up. Nobody reads this; it is logged."""

    status = 499
    code = "client_closed_request"


class Draining(GatewayError):
    """The process is about to stop."""

    status = 503
    code = "shutting_down"


class UpstreamError(GatewayError):
    """A target failed. Before the first chunk another target may answer instead."""

    status = 502
    type = "upstream_error"
    code = "upstream_error"


class UpstreamUnavailable(UpstreamError):
    """Refused, unreachable, reset, or 5xx."""

    code = "upstream_unavailable"


class UpstreamAuthFailed(UpstreamError):
    """The target refused our key: never the caller's 401."""

    code = "upstream_auth_failed"


class UpstreamTimeout(UpstreamError):
    """Nothing useful came before the first-token deadline."""

    status = 504
    code = "upstream_timeout"


class UpstreamStalled(UpstreamError):
    """The target began to speak and fell silent."""

    status = 504
    code = "upstream_stalled"


class UpstreamTruncated(UpstreamError):
    """The stream ended without a finish reason."""

    code = "upstream_truncated"


class UpstreamProtocolError(UpstreamError):
    """What came is not a chat completion."""

    code = "upstream_protocol_error"


class UpstreamEmpty(UpstreamError):
    """The target finished without a word."""

    code = "empty_answer"


class UpstreamLimited(UpstreamError):
    """The target's rate limit."""

    status = 429
    type = "rate_limit_error"
    code = "rate_limit_exceeded"


class KnowledgeError(GatewayError):
    """Ingesting or opening a collection failed."""

    code = "knowledge_error"


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """One thing that is wrong with a file or a setting, and what would be right."""

    where: str
    """The file, or the name of an environment variable."""
    line: int
    """1-based; 0 where there is none."""
    field: str
    """Dotted path of the key; empty for the file itself."""
    problem: str
    """What is wrong and what would be right, as one sentence."""

    def __str__(self) -> str:
        place = f"{self.where}:{self.line}" if self.line else self.where
        return f"{place}: {self.field}: {self.problem}" if self.field else f"{place}: {self.problem}"


class ConfigurationError(GatewayError):
    """Settings or agent files are wrong. Carries every fault, so that one start shows them all."""

    code = "configuration_error"
    exit_code: ClassVar[int] = 78
    """EX_CONFIG of sysexits.h."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(sorted(faults))
        super().__init__("\n".join(map(str, self.faults)))
