"""The root of the tree, and what goes wrong in the gateway itself."""

from collections.abc import Mapping
from typing import Any, ClassVar


class GatewayError(Exception):
    """The root: `status`, `type` and `code` go to the caller, and so does the message."""

    status: int = 500
    type: str = "server_error"
    code: str = "internal_error"
    exit_code: ClassVar[int] = 1
    """Of a command that this ends: sysexits.h's, where one fits."""

    def __init__(
        self,
        message: str,
        *,
        param: str | None = None,
        retry_after: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.retry_after = retry_after
        self.headers = dict(headers or {})

    @property
    def envelope(self) -> dict[str, Any]:
        """OpenAI's error envelope: `{"error": {"message", "type", "param", "code"}}`."""
        return {
            "error": {"message": self.message, "type": self.type, "param": self.param, "code": self.code},
        }


class CallerGone(GatewayError):
    """The caller hung up. Nobody reads this; it is logged."""

    status = 499
    code = "client_closed_request"


class Draining(GatewayError):
    """The process is about to stop."""

    status = 503
    code = "shutting_down"


class Overloaded(GatewayError):
    """The process has as much to do as it can do well: a voice cannot wait in a line."""

    status = 503
    code = "overloaded"


class StoreUnavailable(GatewayError):
    """The store is away, and what an admin wants to write cannot be kept."""

    status = 503
    code = "store_unavailable"


class NotWritable(GatewayError):
    """Where state is kept is read-only: what is there is served, and nothing can be added."""

    status = 503
    code = "not_writable"


class DiskFull(GatewayError):
    """No room is left where state is kept."""

    status = 507
    code = "insufficient_storage"


class KnowledgeError(GatewayError):
    """Ingesting or opening a collection failed."""

    code = "knowledge_error"


class ChromaUnavailable(KnowledgeError):
    """The server of CHROMA_URL does not answer, or does not let us in."""

    status = 503
    code = "chroma_unavailable"
