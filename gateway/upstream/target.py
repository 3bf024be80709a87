"""One OpenAI-compatible server, asked over aiohttp: the per-chunk path, so nothing is done twice here.

aiohttp and not the openai client: a typed SDK chunk costs about 175 µs and httpx's pool queues silently at 100
connections (README, "What it costs"; `make bench` has the row of each).
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import aclosing, contextmanager, suppress
from contextvars import ContextVar
from functools import partial
from typing import Any

import aiohttp
import orjson
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection

from gateway.errors import (
    GatewayError,
    UpstreamAuthFailed,
    UpstreamError,
    UpstreamLimited,
    UpstreamProtocolError,
    UpstreamRejected,
    UpstreamTimeout,
    UpstreamTLSError,
    UpstreamTruncated,
    UpstreamUnavailable,
)
from gateway.settings import Target
from gateway.types import Ask, Chunk, Chunks, Prompt
from gateway.upstream import mending, reading
from gateway.upstream.events import LIMIT, Events
from gateway.upstream.silence import Running, Silence

_FOREIGN: tuple[tuple[type[Exception], type[UpstreamError], str], ...] = (
    (aiohttp.ServerTimeoutError, UpstreamTimeout, "The upstream did not accept the connection in time."),
    (
        aiohttp.ClientConnectorCertificateError,
        UpstreamTLSError,
        "The upstream's certificate is not valid.",
    ),
    (aiohttp.ServerFingerprintMismatch, UpstreamTLSError, "The upstream's certificate is not the expected one."),
    (aiohttp.ClientSSLError, UpstreamTLSError, "The upstream does not speak TLS as it should."),
    (aiohttp.ClientPayloadError, UpstreamTruncated, "The upstream's answer broke off."),
    (aiohttp.ClientResponseError, UpstreamProtocolError, "The upstream does not speak HTTP as it should."),
    (aiohttp.InvalidURL, UpstreamUnavailable, "The upstream's URL is not valid."),
    (aiohttp.ClientError, UpstreamUnavailable, "The upstream cannot be reached."),
    (OSError, UpstreamUnavailable, "The upstream cannot be reached."),
)
"""The first that fits. Every aiohttp error is a ClientError, which closes the table."""

_CALLERS_FAULT = frozenset({400, 404, 413, 422})
_GONE = (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError, ConnectionResetError)
"""What a request meets on a connection that the server has closed."""
_MOST_KEPT = 100
"""So many kept connections may turn out to be closed; a new one is made then whatever there is."""
_EOF_WAIT = 0.02
"""Seconds to wait for the end of a body behind `[DONE]`, so that the connection can be used again."""


@contextmanager
def mapped() -> Iterator[None]:
    """Foreign errors as ours, the foreign one as the cause."""
    try:
        yield
    except GatewayError:
        raise
    except Exception as error:
        for foreign, ours, message in _FOREIGN:
            if isinstance(error, foreign):
                # aiohttp's reader keeps the error, and the error's frames would keep the reader and the turn.
                raise ours(message) from error.with_traceback(None)
        raise


_kept: ContextVar[bool] = ContextVar("kept", default=False)
"""Whether the connection of the request that runs had served another one before."""


class _Connector(aiohttp.TCPConnector):
    """Says of each connection whether it was kept. (aiohttp's own tracing says it too, for some 20 µs a turn.)"""

    async def connect(self, *args: Any, **kwargs: Any) -> Connection:
        _kept.set(True)
        return await super().connect(*args, **kwargs)

    async def _create_connection(self, *args: Any, **kwargs: Any) -> ResponseHandler:
        _kept.set(False)
        return await super()._create_connection(*args, **kwargs)


def session() -> aiohttp.ClientSession:
    """The session of all targets.

    No limit of connections: a pool that queues shows up as seconds of silence, never as an error (README).
    """
    connector = _Connector(limit=0, keepalive_timeout=55, ttl_dns_cache=60)
    return aiohttp.ClientSession(connector=connector, skip_auto_headers=("User-Agent",))


def asking(session: aiohttp.ClientSession, target: Target, running: Running) -> Ask:
    """Return the function that asks `target`. `running` knows its streams, for the end of the process."""
    url = target.url.rstrip("/") + "/chat/completions"
    headers = {"Content-Type": "application/json", "Accept": "text/event-stream"}
    if target.key:
        headers["Authorization"] = f"Bearer {target.key}"
    post = partial(
        session.post,
        url,
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=target.connect),
        allow_redirects=False,
    )

    async def ask(prompt: Prompt) -> Chunks:
        body = orjson.dumps(
            {
                **prompt.parameters,
                "model": prompt.model or target.model,
                "messages": prompt.messages,
                "stream": True,
            },
            default=dict,
        )
        with mapped():
            async with await _posted(partial(post, headers={**headers, **prompt.told}), body) as response:
                if response.status != 200:
                    raise await _refused(response, own=not prompt.model)
                if "json" in response.content_type:
                    for chunk in reading.completion(await _whole(response)):
                        yield chunk
                    return
                async with aclosing(_streamed(response, target, running)) as chunks:
                    async for chunk in chunks:
                        yield chunk

    return ask


async def warmed(session: aiohttp.ClientSession, url: str, key: str, seconds: float = 2.0) -> None:
    """Have a kept connection to this server, for the turns to come. Never raises: what is wrong, a turn will say."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    with suppress(aiohttp.ClientError, OSError, TimeoutError):
        async with asyncio.timeout(seconds), session.get(url + "/models", headers=headers) as response:
            await response.read()


async def _posted(post: Callable[..., Awaitable[aiohttp.ClientResponse]], body: bytes) -> aiohttp.ClientResponse:
    """POST. A kept connection that the server had closed meanwhile costs a new one and no turn."""
    for _ in range(_MOST_KEPT):
        _kept.set(False)
        try:
            return await post(data=body)
        except _GONE:
            if not _kept.get():
                raise
    return await post(data=body)


async def _streamed(response: aiohttp.ClientResponse, target: Target, running: Running) -> Chunks:
    """Yield the chunks of an event stream; raise UpstreamTruncated where it ends without having said that it does."""
    silence = Silence(target.between_chunks, target.total, response.close)
    running.begun(silence)
    events, read = Events(), b" "
    ended = done = False
    try:
        while read and not done:
            silence.waiting = True
            read = await response.content.readany()  # empty at the end
            silence.waiting = False
            whole = events.feed(read) if read else events.end()
            for chunk in reading.chunks(whole):
                ended = ended or chunk.finish_reason is not None
                if chunk.text or chunk.delta:
                    silence.heard()
                yield chunk
            done = reading.DONE in whole
    except aiohttp.ClientError as error:
        if not ended:  # behind the finish there is nothing to lose
            silence.explain(error)
            raise
    finally:
        silence.stop()
        running.over(silence)
    if done:
        await _drained(response)
    elif not ended:
        raise UpstreamTruncated("The upstream's answer ended without a finish reason.")
    if not ended:
        yield Chunk(finish_reason="stop")


async def _drained(response: aiohttp.ClientResponse) -> None:
    """Read the end of the body behind `[DONE]`: a connection with an unread body cannot be used again."""
    if response.content.at_eof():
        return
    with suppress(TimeoutError, aiohttp.ClientError):
        async with asyncio.timeout(_EOF_WAIT):
            await response.content.readany()


async def _whole(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for read in response.content.iter_any():
        body += read
        if len(body) > LIMIT:
            raise UpstreamProtocolError(f"The upstream sent a body of more than {LIMIT} bytes.")
    return bytes(body)


async def _refused(response: aiohttp.ClientResponse, *, own: bool) -> GatewayError:
    """What an upstream's status means for the caller. Its own words stay out, except about the caller's own fault.

    `own`: the model is the target's, so that a 404 is a mistake in the settings and not the caller's.
    """
    status = response.status
    if status in {401, 403}:
        return UpstreamAuthFailed("The upstream refused this gateway's key.")
    if status == 429:
        return UpstreamLimited("The upstream is at its rate limit.", retry_after=_retry_after(response))
    unavailable = UpstreamUnavailable(
        f"The upstream answered with status {status}.", retry_after=_retry_after(response) if status == 503 else None
    )
    if status not in _CALLERS_FAULT or (status == 404 and own):
        return unavailable
    with suppress(orjson.JSONDecodeError, UpstreamProtocolError):
        message, code, param = mending.told(orjson.loads(await _whole(response)))
        if message:
            return UpstreamRejected(message[:500], code=code, param=param)
    return unavailable


def _retry_after(response: aiohttp.ClientResponse) -> float | None:
    """Seconds, 60 at most; the HTTP-date form is left out, as OpenAI sends numbers."""
    for name, unit in (("retry-after-ms", 1000.0), ("Retry-After", 1.0)):
        with suppress(ValueError):
            seconds = float(response.headers.get(name, "")) / unit
            if seconds >= 0:  # neither negative nor not a number
                return min(60.0, seconds)
    return None
