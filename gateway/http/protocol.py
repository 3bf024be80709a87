"""The wire: uvicorn's HTTP/1.1 protocol on httptools, with the limits and refusals that it leaves to others.

httptools (llhttp, strict) refuses by itself what makes two servers read two requests: Content-Length beside
Transfer-Encoding, either of them twice, `+5`, a bare LF, folded lines, a blank before the colon. uvicorn adds no limit
of size or time, answers in plain text, and takes a request without Host. Here every refusal is the one envelope of
`gateway.errors`, and none shows or logs a byte of the peer's.
"""

import asyncio
import re
import secrets
import socket
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from gateway.errors import GatewayError, HeadersTooLarge, RequestError, RequestTimeout
from gateway.http.errors import rendered
from gateway.settings import Settings

HOST = re.compile(rb"[A-Za-z0-9._~%:\[\]-]{1,255}")
LINGER = 2.0
"""Seconds in which what still comes of a refused request is read and thrown away. To close at once would reset the
connection, and the answer with it (RFC 9112, 9.6)."""
LINGER_BYTES = 24 * 1024 * 1024
"""So much of it at most: an image that is too large to be taken is told so."""
IDLE, INTERVAL, PROBES = 15, 5, 3
"""Seconds and a count: a peer that vanished without a word is noticed after half a minute, when nothing is sent too."""
UNACKNOWLEDGED = 10_000
"""Milliseconds that written bytes may stay unacknowledged: for a peer that vanished in the middle of an answer."""
SEND_BUFFER = 128 * 1024
"""Bytes, which Linux doubles. Left alone it grows to 4 MB of the kernel's memory for each caller that does not read; an
answer that is spoken needs a hundredth of it."""
_OPTIONS = (
    ("SOL_SOCKET", "SO_SNDBUF", SEND_BUFFER),
    ("IPPROTO_TCP", "TCP_NODELAY", 1),
    ("SOL_SOCKET", "SO_KEEPALIVE", 1),
    ("IPPROTO_TCP", "TCP_KEEPIDLE", IDLE),
    ("IPPROTO_TCP", "TCP_KEEPINTVL", INTERVAL),
    ("IPPROTO_TCP", "TCP_KEEPCNT", PROBES),
    ("IPPROTO_TCP", "TCP_USER_TIMEOUT", UNACKNOWLEDGED),
)


def listening(family: socket.AddressFamily = socket.AF_INET) -> socket.socket:
    """A socket to listen with, whose accepted ones inherit that they write at once and notice half-open peers.

    asyncio itself sets TCP_NODELAY only where the protocol is named, and without it the second write of an answer waits
    40 ms for the peer's acknowledgement of the first.
    """
    made = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    for level, name, value in _OPTIONS:
        if hasattr(socket, name):  # Linux has all of them, others some
            made.setsockopt(getattr(socket, level), getattr(socket, name), value)
    return made


class Wire(HttpToolsProtocol):
    """One connection. Its limits are those of the settings in the lifespan's state."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        settings: Settings = app_state.get("settings") or Settings()
        self.limits = settings.limits
        self.write_timeout = settings.server.write_timeout
        self.refusal: GatewayError | None = None
        """Why the request that is being read is refused, where it is not its form."""
        self.reading = False
        """Between the first byte of a request and the end of its headers."""
        self.unread = 0
        """Bytes that came for headers which have not ended."""
        self.size = 0
        """Of the headers and trailers of this request so far."""
        self.hosts = 0
        self.deaf = False
        """Nothing that comes is parsed any more."""
        self.discarded = 0
        self.head_timer: asyncio.TimerHandle | None = None
        self.write_timer: asyncio.TimerHandle | None = None
        self.linger_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A connection that sends nothing is closed, after `limits.header_timeout` too."""
        super().connection_made(transport)
        self.head_timer = self.loop.call_later(self.limits.header_timeout, self._head_late)

    def connection_lost(self, exc: Exception | None) -> None:
        """Leave no timer behind."""
        for timer in (self.head_timer, self.write_timer, self.linger_timer):
            if timer is not None:
                timer.cancel()
        self.head_timer = self.write_timer = self.linger_timer = None
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what came; see that headers end, in time and size."""
        if self.deaf:
            self._discard(len(data))
            return
        super().data_received(data)
        if self.deaf:
            return
        if self.reading:
            self.unread += len(data)
            if self.unread > self.limits.header_bytes + len(data):
                self.refusal = self._too_large()
                self.send_400_response("")
                return
            if self.head_timer is None:
                self.head_timer = self.loop.call_later(self.limits.header_timeout, self._head_late)
        elif self.timeout_keep_alive_task is None and not self._answering():
            # Line ends, or the end of a body that nobody waited for: the connection is idle again.
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def on_message_begin(self) -> None:
        """Count from here."""
        super().on_message_begin()
        self.reading = True
        self.unread = self.size = self.hosts = 0

    def on_header(self, name: bytes, value: bytes) -> None:
        """Note a header, or a trailer: those are counted, and nobody sees them."""
        self.size += len(name) + len(value) + 4
        if self.size > self.limits.header_bytes:
            self._refused(self._too_large())
        name = name.lower()
        if name == b"host":
            self.hosts += 1
            if not HOST.fullmatch(value):
                self._refused(RequestError("The Host header is no host."))
        elif name == b"transfer-encoding" and value.lower() != b"chunked":
            self._refused(RequestError("No transfer encoding but chunked is read here."))
        elif name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Begin the answer, if the request is one of HTTP/1.1 that names its host, or of HTTP/1.0."""
        version = self.parser.get_http_version()
        if self.size + len(self.url) > self.limits.header_bytes:
            self._refused(self._too_large())
        if self.hosts > 1 or (not self.hosts and version != "1.0"):
            self._refused(RequestError("A request has exactly one Host header."))
        if version not in {"1.1", "1.0"}:
            self._refused(RequestError("HTTP/1.1 is spoken here."))
        self.reading = False
        if self.head_timer is not None:
            self.head_timer.cancel()
            self.head_timer = None
        super().on_headers_complete()
        self.headers = []  # trailers come into this one, not into the scope of a request that is being answered

    def on_body(self, body: bytes) -> None:
        """Pass on, or throw away what nobody waits for any more."""
        if self.cycle.response_complete:
            self._discard(len(body))
        else:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """What was thrown away has ended: the connection may go on."""
        if self.linger_timer is not None:
            self.linger_timer.cancel()
            self.linger_timer = None
        self.cycle.more_body = False
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Close a refused connection; wait for the rest of an unread body, or of an unwritten answer, with a limit."""
        super().on_response_complete()
        if self.transport.get_write_buffer_size() and self.write_timer is None:
            self.write_timer = self.loop.call_later(self.write_timeout, self._write_late)
        if self.deaf:
            self.transport.close()
        elif self.cycle.response_complete and self.cycle.more_body and not self.transport.is_closing():
            self._linger()

    def pause_writing(self) -> None:
        """The peer does not read. After `server.write_timeout` seconds without a change the connection is dropped.

        Dropped, not closed: closing waits for the peer to take what is buffered, so that one who never reads would hold
        its memory and its descriptor for ever.
        """
        super().pause_writing()
        if self.write_timer is None:
            self.write_timer = self.loop.call_later(self.write_timeout, self._write_late)

    def resume_writing(self) -> None:
        """It reads again."""
        super().resume_writing()
        if self.write_timer is not None:
            self.write_timer.cancel()
            self.write_timer = None

    def send_400_response(self, msg: str) -> None:
        """Refuse what cannot be parsed, or what `refusal` says: an envelope, once, then the end of the connection."""
        if self.deaf:
            return
        self.deaf = True
        if self._answering():
            self.cycle.keep_alive = False  # an answer is being written: it is not written into, and it is the last one
            return
        error = self.refusal or RequestError("This is no HTTP request that could be read.")
        self.refusal = None
        request_id = f"req_{secrets.token_hex(16)}"
        response = rendered(error, request_id, {"connection": "close", "x-request-id": request_id})
        headers = b"".join(b"%b: %b\r\n" % pair for pair in response.raw_headers)
        self.transport.write(b"".join([STATUS_LINE[error.status], headers, b"\r\n", bytes(response.body)]))
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._linger()

    def timeout_keep_alive_handler(self) -> None:
        """Close an idle connection; one whose last answer was never read is dropped."""
        if self.transport.get_write_buffer_size():
            self.transport.abort()
        super().timeout_keep_alive_handler()

    def leave(self, seconds: float) -> None:
        """Be closed so many seconds after the answer that runs, or from now on: who asks once more is answered."""
        self.timeout_keep_alive = seconds  # type: ignore[assignment]  # uvicorn names whole ones, and takes any
        if self._answering() or self.reading:
            return
        if self.timeout_keep_alive_task is not None:
            self.timeout_keep_alive_task.cancel()
        self.timeout_keep_alive_task = self.loop.call_later(seconds, self.timeout_keep_alive_handler)

    def _answering(self) -> bool:
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is not None and not cycle.response_complete

    def _too_large(self) -> GatewayError:
        return HeadersTooLarge(f"The request's headers are larger than {self.limits.header_bytes} bytes.")

    def _refused(self, error: GatewayError) -> None:
        """Stop the parser: what a callback raises reaches `send_400_response`."""
        self.refusal = error
        raise error

    def _head_late(self) -> None:
        self.head_timer = None
        if self._answering():  # the beginning of a next request can wait for the end of this answer
            self.head_timer = self.loop.call_later(self.limits.header_timeout, self._head_late)
        elif self.reading:
            self.refusal = RequestTimeout(f"The headers did not arrive within {self.limits.header_timeout:g} seconds.")
            self.send_400_response("")
        else:  # nobody has asked anything, so there is nobody to answer
            self.transport.close()

    def _write_late(self) -> None:
        self.write_timer = None
        if self.flow.write_paused or self.transport.get_write_buffer_size():
            self.transport.abort()

    def _linger(self) -> None:
        if self.linger_timer is None:
            self.linger_timer = self.loop.call_later(LINGER, self.transport.abort)

    def _discard(self, size: int) -> None:
        self.discarded += size
        if self.discarded > LINGER_BYTES:
            self.transport.abort()
