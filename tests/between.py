"""What may stand between Simli and the gateway: a proxy for HTTP that does with answers what it is told to.

    async with between(gateway_url, buffering) as url:      the whole answer, and then all of it at once

A way is an ASGI application, made from the URL that it leads to.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

import aiohttp

from tests.serving import serve

Way: TypeAlias = Callable[[str], Any]


@asynccontextmanager
async def between(target: str, way: Way) -> AsyncIterator[str]:
    """The URL of a proxy in front of `target`, without a slash at the end."""
    async with serve(way(target)) as url:
        yield url


def _passing(target: str, *, whole: bool = False, held: bool = False, without: bytes = b"", kind: str = "") -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        headers = [(name.decode(), value.decode()) for name, value in scope["headers"] if name != b"host"]
        url = target + scope["path"]
        async with (
            aiohttp.ClientSession(auto_decompress=False) as session,
            session.request(scope["method"], url, data=body or None, headers=headers) as answer,
        ):
            told = [(name.lower().encode(), value.encode()) for name, value in answer.headers.items()]
            told = [
                (name, kind.encode() if kind and name == b"content-type" else value)
                for name, value in told
                if name not in (b"transfer-encoding", b"content-length", b"connection")
            ]
            if whole:
                chunks = [(await answer.read()).replace(without, b"")] if without else [await answer.read()]
                await send({"type": "http.response.start", "status": answer.status, "headers": told})
                await send({"type": "http.response.body", "body": chunks[0]})
                return
            await send({"type": "http.response.start", "status": answer.status, "headers": told})
            async for chunk in answer.content.iter_any():
                if held:
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
                    await send({"type": "http.response.body", "body": await answer.read()})
                    return
                piece = chunk.replace(without, b"") if without else chunk
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b""})

    return app


def plain(target: str) -> Any:
    """As it comes."""
    return _passing(target)


def buffering(target: str) -> Any:
    """The whole answer at once."""
    return _passing(target, whole=True)


def holding(target: str) -> Any:
    """What comes with the headers at once, and all that follows at the end."""
    return _passing(target, held=True)


def cutting(target: str) -> Any:
    """Without `[DONE]`."""
    return _passing(target, without=b"data: [DONE]\n\n")


def page(status: int = 200, headers: tuple[tuple[bytes, bytes], ...] = ()) -> Way:
    """A page of HTML in the place of every answer."""

    def way(_: str) -> Any:
        async def app(scope: Any, _: Any, send: Any) -> None:
            if scope["type"] == "http":
                told = [(b"content-type", b"text/html; charset=utf-8"), *headers]
                await send({"type": "http.response.start", "status": status, "headers": told})
                await send({"type": "http.response.body", "body": b"<html>You are about to visit</html>"})

        return app

    return way


def moved(target: str) -> Any:
    """Sent on to the target, as from http to https."""

    async def app(scope: Any, _: Any, send: Any) -> None:
        if scope["type"] == "http":
            told = [(b"location", (target + scope["path"]).encode())]
            await send({"type": "http.response.start", "status": 307, "headers": told})
            await send({"type": "http.response.body", "body": b""})

    return app
