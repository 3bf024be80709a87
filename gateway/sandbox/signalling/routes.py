"""Where the avatar is met: every path that a client of either generation opens."""

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket

from gateway.sandbox.accounts import Accounts
from gateway.sandbox.signalling.held import refused
from gateway.sandbox.signalling.lines import SocketLine
from gateway.sandbox.signalling.patience import Patience
from gateway.sandbox.signalling.rest import Rest
from gateway.sandbox.signalling.socket import current, legacy

Dialect: TypeAlias = Callable[[WebSocket, Accounts, Patience], Awaitable[None]]

LEGACY = ("/StartWebRTCSession", "/startWebRTCSession")
CURRENT = ("/compose/webrtc/p2p", "/compose/webrtc/peer_to_peer")
LIVEKIT = ("/StartWebRTCSessionLivekit", "/startWebRTCSessionLivekit", "/compose/webrtc/livekit")
LARGEST_MESSAGE = 1024 * 1024
"""Bytes that a WebSocket message may have; the JavaScript client sends a whole answer's audio in one."""


def routes(accounts: Accounts, rest: Rest | None = None, patience: Patience | None = None) -> list[BaseRoute]:
    """The routes of one sandbox."""
    waits = patience or Patience()
    rest = rest or Rest(accounts, waits)
    sockets: list[BaseRoute] = [
        *(WebSocketRoute(path, _bound(legacy, accounts, waits)) for path in LEGACY),
        *(WebSocketRoute(path, _bound(current, accounts, waits)) for path in CURRENT),
        *(WebSocketRoute(path, _no_livekit) for path in LIVEKIT),
    ]
    return [*sockets, *(Route(path, rest.offered, methods=["POST"]) for path in LEGACY)]


def _bound(dialect: Dialect, accounts: Accounts, patience: Patience) -> Callable[[WebSocket], Awaitable[None]]:
    async def endpoint(socket: WebSocket) -> None:
        await dialect(socket, accounts, patience)

    return endpoint


async def _no_livekit(socket: WebSocket) -> None:
    """There is no LiveKit server here; a client that falls back to it is told so at once."""
    await socket.accept()
    await refused(SocketLine(socket), "LIVEKIT_NOT_CONFIGURED")
