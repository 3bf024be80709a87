"""One request on the wire: the key in its place, a bounded answer, and everything that can fail as a SimliError."""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpx

from gateway.errors import SimliError, SimliProtocolError, SimliTimeout, SimliUnavailable
from gateway.errors.redaction import redacting
from gateway.settings.values import loopback
from gateway.simli.dialect import HEADERS, Form, Operation
from gateway.simli.patience import Try, patiently
from gateway.simli.refusals import Answer, refusal

CONNECT = 5.0
"""Seconds."""
LARGEST = 4 * 1024 * 1024
"""Bytes of an answer."""
SECRETS = ("apiKey", "simliAPIKey", "llmAPIKey", "ttsAPIKey")
UPLOAD = 100_000
"""Bytes a second that an upload may be as slow as."""
_UNSENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol, httpx.ProxyError)


@dataclass(frozen=True, slots=True)
class Request:
    """What goes with an operation, in Simli's names."""

    parts: tuple[str, ...] = field(default=(), repr=False)
    """Of the path; one may be a token."""
    body: Mapping[str, Any] | None = field(default=None, repr=False)
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    image: bytes = field(default=b"", repr=False)
    """A file for the form field `image`."""
    secrets: tuple[str, ...] = field(default=(), repr=False)
    """What must not be quoted, besides the keys in the body."""


@dataclass(frozen=True, slots=True)
class Wire:
    """The way to Simli."""

    http: httpx.AsyncClient = field(repr=False)
    url: str
    key: str = field(repr=False)
    timeout: float
    """Seconds for one answer."""
    patience: float
    """Seconds for all tries."""

    async def ask(self, operation: Operation, form: Form, request: Request = Request()) -> Answer:
        """The answer of an operation, its status and words found good. Raises SimliError."""
        return await patiently(lambda: self.once(operation, form, request), operation.again, self.patience)

    async def once(self, operation: Operation, form: Form, request: Request) -> Try:
        """Send it once."""
        try:
            answer = await self._sent(operation, form, request)
        except httpx.TimeoutException as error:
            return Try(None, self._late(operation), unsent=isinstance(error, _UNSENT))
        except TimeoutError:
            return Try(None, self._late(operation))
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return Try(None, self._lost(operation, error), unsent=isinstance(error, _UNSENT))
        except SimliError as error:  # an answer without an end
            return Try(None, error)
        return Try(answer, refusal(answer))

    async def _sent(self, operation: Operation, form: Form, request: Request) -> Answer:
        body = _bodied(form, request, self.key)
        headers = {name: self.key for name in form.keys if name in HEADERS} | dict(request.headers)
        sent = self.http.build_request(
            form.method,
            self.url + form.at(*request.parts),
            params={**form.query, **request.query} or None,
            headers=headers,
            json=body,
            files={"image": (_named(request.image), request.image)} if request.image else None,
            timeout=httpx.Timeout(
                None, connect=min(CONNECT, self.timeout / 2)
            ),  # the rest is limited as a whole, below
        )
        upload = int(sent.headers.get("content-length", 0)) / UPLOAD
        async with asyncio.timeout(self.timeout * operation.patience + upload):
            answer = await self.http.send(sent, stream=True)
            try:
                content = bytearray()
                async for piece in answer.aiter_bytes():
                    content += piece
                    if len(content) > LARGEST:
                        problem = f"Simli did not {operation.deed}: its answer is larger than {LARGEST >> 20} MiB."
                        raise SimliProtocolError(problem, simli_status=answer.status_code)
            finally:
                await answer.aclose()
        named = tuple(str(value) for name, value in _leaves(body or {}) if name in SECRETS and value)
        redact = redacting((self.key, *request.secrets, *named))
        return Answer(answer.status_code, answer.headers, bytes(content), operation.deed, redact, bool(form.keys))

    def _late(self, operation: Operation) -> SimliError:
        return SimliTimeout(f"Simli did not {operation.deed} within {self.timeout * operation.patience:g} s.")

    def _lost(self, operation: Operation, error: Exception) -> SimliError:
        """What went wrong on the way, in words that name no address with a token in it."""
        kind: type[SimliError] = SimliUnavailable
        if isinstance(error, httpx.ConnectError):
            reason = "cannot be reached: TLS failed" if "SSL" in str(error) else "cannot be reached"
        elif isinstance(error, httpx.DecodingError) or (
            isinstance(error, httpx.RemoteProtocolError) and not re.search("closed|disconnected", str(error))
        ):
            kind, reason = SimliProtocolError, "does not answer in HTTP"
        elif isinstance(error, httpx.InvalidURL | httpx.UnsupportedProtocol | httpx.LocalProtocolError):
            kind, reason = SimliError, "cannot be asked that: it makes no valid HTTP request"
        else:
            reason = "broke off the connection"
        parts = urlsplit(self.url)
        sandbox = isinstance(error, httpx.ConnectError) and loopback(parts.hostname or "")
        advice = " Is `gateway sandbox` running?" if sandbox else ""
        return kind(f"Simli did not {operation.deed}: {parts.netloc} {reason}.{advice}")


def _bodied(form: Form, request: Request, key: str) -> dict[str, Any] | None:
    """The body with the key where the dialect wants it; None where there is none."""
    places = [name for name in form.keys if name not in HEADERS]
    if request.body is None and not places:
        return None
    return {**(request.body or {}), **dict.fromkeys(places, key)}


def _named(image: bytes) -> str:
    """A file's name that says what it is."""
    return "image.png" if image.startswith(b"\x89PNG") else "image.jpg"


def _leaves(body: Mapping[str, Any]) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for name, value in body.items():
        found += _leaves(value) if isinstance(value, Mapping) else [(name, value)]
    return found
