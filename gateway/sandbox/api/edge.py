"""What stands before every path: CORS, the first letter, the list of calls, and faults.

Plain ASGI, and outside of Starlette's own error handling, so that an answer that is an error has its CORS headers, too.
"""

import asyncio
import logging
import time
from collections.abc import Sequence
from functools import partial

from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Match, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.sandbox import calls, faults
from gateway.sandbox.accounts import Accounts
from gateway.sandbox.calls import Call

logger = logging.getLogger("gateway.sandbox")

OWN = ("/", "/sandbox", "/room", "/favicon.ico")
"""The sandbox's own paths: they are no calls of Simli's. Pages of other origins have business in rooms alone."""
CURRENT = ("/auto", "/compose", "/static", "/faces", "/integrations", "/assets", "/history", "/ratelimiter")
"""First segments of today's paths; all others are the seed's, agents and `/ping` both."""
BOTH = ("/agent", "/agents", "/ping")
ALLOWED = {
    "access-control-allow-origin": "*",
    "access-control-allow-methods": "GET, POST, PUT, DELETE, OPTIONS",
    "access-control-allow-headers": "content-type, x-simli-api-key, api-key, session-token, authorization, accept",
    "access-control-max-age": "600",
    "access-control-allow-private-network": "true",
}


def guarded(app: Starlette, accounts: Accounts) -> ASGIApp:
    """The application behind all of it."""

    async def called(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in {"http", "websocket"}:
            await app(scope, receive, send)
            return
        scope = {**scope, "path": lowered(scope["path"])}
        if within(scope["path"], ("/sandbox",)):
            await (foreign if strange(Headers(scope=scope)) else app)(scope, receive, send)
            return
        send = partial(_allowed, send) if scope["type"] == "http" else send
        if scope["type"] == "http" and scope["method"] == "OPTIONS":
            await Response(status_code=200)(scope, receive, send)
        elif within(scope["path"], OWN):
            await app(scope, receive, send)
        else:
            await _noted(app, accounts, scope, receive, send)

    return called


def lowered(path: str) -> str:
    """A path's first letter is of either case: `/StartWebRTCSession`."""
    return path[:1] + path[1:2].lower() + path[2:]


def within(path: str, places: Sequence[str]) -> bool:
    """Whether a path's first segment is one of these."""
    return f"/{path[1:].partition('/')[0]}" in places


def strange(headers: Headers) -> bool:
    """Whether a page of another origin asks: what is the sandbox's own, such pages cannot set."""
    origin = headers.get("origin", "")
    return bool(origin) and origin.partition("://")[2] != headers.get("host", "")


async def foreign(scope: Scope, receive: Receive, send: Send) -> None:
    """Refuse a page of another origin."""
    await JSONResponse({"detail": "Not from another page"}, 403)(scope, receive, send)


async def _allowed(send: Send, message: Message) -> None:
    if message["type"] == "http.response.start":
        headers = MutableHeaders(raw=[*message.get("headers", [])])
        headers.update(ALLOWED)
        message = {**message, "headers": headers.raw}
    await send(message)


async def _noted(app: Starlette, accounts: Accounts, scope: Scope, receive: Receive, send: Send) -> None:
    """Write the call down, and do it, or what a fault says instead."""
    method = scope.get("method", "WS")
    headers = Headers(scope=scope)
    query = scope.get("query_string", b"").decode("latin-1")
    shown = calls.address(scope["path"] + (f"?{query}" if query else ""))
    call = accounts.calls.add(method, shown, calls.where(headers))
    call.operation = operation(app.routes, scope)
    scope["sandbox.call"] = call
    began = time.perf_counter()

    async def answered(message: Message) -> None:
        if message["type"] == "http.response.start":
            call.status = message["status"]
        elif message["type"] == "websocket.accept":
            call.status = 101
        elif message["type"] == "websocket.http.response.start":
            call.status = message["status"]
        await send(message)

    try:
        if absent(accounts.behaviour.serves, scope["path"]):
            await _absent(scope, receive, answered)
        elif method == "HEAD":  # Starlette would do what GET does: start a session, for one
            await JSONResponse({"detail": "Method Not Allowed"}, 405)(scope, receive, answered)
        else:
            await _faulty(app, accounts, scope, receive, answered)
    except Exception:  # a bug of ours is answered as Simli answers its own
        logger.exception("%s %s", call.method, call.operation)
        if call.status is None and scope["type"] == "http":
            await JSONResponse({"detail": "Internal Server Error"}, 500)(scope, receive, answered)
    finally:
        call.ms = round(1000 * (time.perf_counter() - began), 1)


def absent(serves: str, path: str) -> bool:
    """Whether a path is of the generation that is not served."""
    if serves == "both" or within(path, BOTH):
        return False
    return within(path, CURRENT) is (serves == "legacy")


async def _absent(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close"})  # before it is accepted: the handshake is refused
    else:
        await JSONResponse({"detail": "Not Found"}, 404)(scope, receive, send)


async def _faulty(app: Starlette, accounts: Accounts, scope: Scope, receive: Receive, send: Send) -> None:
    call: Call = scope["sandbox.call"]
    fault = accounts.faults.meet(call.operation, call.method, scope["path"])
    if fault is None or scope["type"] != "http":
        await app(scope, receive, send)
        return
    call.fault = fault.says
    kept: list[Message] = []

    async def keep(message: Message) -> None:
        kept.append(message)

    if fault.after:
        await app(scope, receive, keep)
    await asyncio.sleep(fault.delay)
    if fault.answers:
        await faults.answer(fault, receive, send)
    elif fault.after:
        for message in kept:
            await send(message)
    else:
        await app(scope, receive, send)


def operation(routes: Sequence[BaseRoute], scope: Scope) -> str:
    """The name of what was asked for; empty: there is no such path."""
    for route in routes:
        matched, _ = route.matches(scope)
        if matched is Match.FULL:
            return str(getattr(route, "name", ""))
    return ""


def names(routes: Sequence[BaseRoute]) -> list[str]:
    """Every operation that a fault can be made for."""
    found = {route.name for route in routes if isinstance(route, Route) and not within(route.path, OWN)}
    return sorted(found)
