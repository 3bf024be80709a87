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

LEGACY = "/startWebRTCSession"
"""Also with a capital: the first letter is of either case before it comes here."""
CURRENT = ("/compose/webrtc/p2p", "/compose/webrtc/peer_to_peer")
LIVEKIT = ("/startWebRTCSessionLivekit", "/compose/webrtc/livekit")


def routes(accounts: Accounts, rest: Rest, patience: Patience | None = None) -> list[BaseRoute]:
    """The routes of one sandbox; whoever serves them closes `rest`."""
    waits = patience or Patience()
    return [
        WebSocketRoute(LEGACY, _bound(legacy, accounts, waits), name="webrtc"),
        *(WebSocketRoute(path, _bound(current, accounts, waits), name="webrtc") for path in CURRENT),
        *(WebSocketRoute(path, _no_livekit, name="livekit") for path in LIVEKIT),
        Route(LEGACY, rest.offered, methods=["POST"], name="webrtc"),
    ]


def _bound(dialect: Dialect, accounts: Accounts, patience: Patience) -> Callable[[WebSocket], Awaitable[None]]:
    async def endpoint(socket: WebSocket) -> None:
        await dialect(socket, accounts, patience)

    return endpoint


async def _no_livekit(socket: WebSocket) -> None:
    """There is no LiveKit server here; a client that falls back to it is told so at once."""
    await socket.accept()
    await refused(SocketLine(socket), "LIVEKIT_NOT_CONFIGURED")
