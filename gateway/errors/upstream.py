"""What a target did wrong."""

from typing import Literal

from gateway.errors.root import GatewayError


class UpstreamError(GatewayError):
    """A target failed. Before the first chunk another target may answer instead."""

    status = 502
    type = "upstream_error"
    code = "upstream_error"


class UpstreamUnavailable(UpstreamError):
    """Refused, unreachable, reset, or 5xx."""

    code = "upstream_unavailable"


class UpstreamTLSError(UpstreamError):
    """The target's certificate is not valid, or it speaks no TLS: nothing that asking again would mend."""

    code = "upstream_tls_error"


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

    def __init__(
        self, message: str, *, finish_reason: Literal["stop", "length", "tool_calls", "content_filter"] = "stop"
    ) -> None:
        super().__init__(message)
        self.finish_reason = finish_reason
        """How it finished: the apology in its place ends the same way."""


class UpstreamLimited(UpstreamError):
    """The target's rate limit."""

    status = 429
    type = "rate_limit_error"
    code = "rate_limit_exceeded"
