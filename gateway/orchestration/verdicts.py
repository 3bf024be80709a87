"""What it means where a turn through the public URL fails, in a sentence that says what to do."""

import socket
import ssl
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import openai

from gateway.errors import KeyNotTaken, NothingToSay, NotReachable, NotThisGateway

DROPPED = "takes the connection and drops it: a tunnel or proxy that leads nowhere"
_KINDS: dict[type[OSError], str] = {
    socket.gaierror: "is no name that can be found: the tunnel is closed, or its name is not known everywhere yet",
    ssl.SSLCertVerificationError: "has a certificate that is not valid, and Simli would not trust it",
    ssl.SSLError: "speaks no TLS",
    ConnectionRefusedError: "refuses connections: nobody listens there",
    ConnectionResetError: DROPPED,
    BrokenPipeError: DROPPED,
}
"""Kinds of failed connections; the first that fits."""


def refused(error: openai.APIStatusError, where: str) -> NotReachable:
    """What a status other than 200 means."""
    status = error.status_code
    told = error.body if isinstance(error.body, dict) else {}
    ours = "x-request-id" in error.response.headers and {"message", "type", "code"} <= told.keys()
    if not ours:
        code = error.response.headers.get("ngrok-error-code", "")
        page = "with a page of HTML" if "text/html" in error.response.headers.get("content-type", "") else "foreign"
        says = f"{status} {_phrase(status)}{f', {code}' if code else f', {page}'}"
        remedy = (
            "the tunnel or proxy stands and finds no gateway behind it: look where it leads to"
            if status >= 500
            else "another server, a tunnel's own page, or a path of a proxy's: correct GATEWAY_PUBLIC_URL"
        )
        return NotThisGateway(f"{where} answers {says}: {remedy}.")
    if status in (401, 403):
        return KeyNotTaken(
            f"The gateway at {where} refuses the key that Simli would present ({status} {told['code']}): it is another "
            "gateway than this one, or has another store or secret."
        )
    if status == 404:
        return KeyNotTaken(
            f"The gateway at {where} knows no such agent or capability ({told['code']}): it serves other agent files, "
            "has another secret, or the capability was renewed since."
        )
    return NothingToSay(failed(where, told))


def failed(where: str, told: dict[str, Any]) -> str:
    """What a gateway says that cannot answer."""
    return f"The gateway at {where} cannot answer: {str(told.get('message', ''))[:300]} ({told.get('code')})."


def apology(where: str, code: str) -> str:
    """What an apology in place of an answer comes from."""
    remedy = {
        "upstream_auth_failed": "the model's server refuses the gateway's key",
        "upstream_unavailable": "the model's server cannot be reached, or fails",
        "upstream_timeout": "the model's server says nothing in time",
        "rate_limit_exceeded": "the model's server limits the gateway's requests",
        "upstream_tls_error": "the certificate of the model's server is not valid",
        "empty_answer": "the model says nothing",
    }.get(code, "what it answers from fails")
    return f"The gateway at {where} has only its apology to say ({code}): {remedy}. gateway check says more."


def unconnected(error: Exception, where: str, within: float) -> NotReachable:
    """Why no connection came about."""
    causes = list(_causes(error))
    for kind, says in _KINDS.items():
        if any(isinstance(cause, kind) for cause in causes):
            return NotReachable(f"{where} {says}.")
    if any(type(cause).__name__ == "RemoteProtocolError" for cause in causes):  # hung up without a word
        return NotReachable(f"{where} {DROPPED}.")
    if isinstance(error, openai.APITimeoutError):
        return NotReachable(f"{where} cannot be reached within {within:g} seconds.")
    return NotReachable(f"{where} cannot be reached ({type(causes[-1]).__name__}).")


def timed_out_reading(error: Exception) -> bool:
    """Whether there was a connection, and nothing came."""
    connecting = any(type(cause).__name__ == "ConnectTimeout" for cause in _causes(error))
    return isinstance(error, openai.APITimeoutError) and not connecting


def _causes(error: BaseException) -> Iterator[BaseException]:
    """It, and what it came from."""
    cause: BaseException | None = error
    for _ in range(12):
        if cause is None:
            return
        yield cause
        cause = cause.__cause__ or cause.__context__


def host(url: str) -> str:
    """What may be shown of a URL: no path, since a capability may be in it."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
