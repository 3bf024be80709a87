"""A closed connection is the barge-in signal, the normal case: whoever waits for an upstream notices it at once."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive

from gateway.errors import CallerGone, RequestTimeout, TooLarge
from gateway.settings import Limits


async def body(request: Request[Any], limits: Limits) -> bytes:
    """Read the body. Raises TooLarge as soon as it is, declared or not; RequestTimeout; CallerGone."""
    too_large = TooLarge(f"The body is larger than {limits.body_bytes} bytes.")
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > limits.body_bytes:
        raise too_large
    parts = bytearray()
    try:
        async with asyncio.timeout(limits.body_timeout):
            async for part in request.stream():
                parts += part
                if len(parts) > limits.body_bytes:
                    raise too_large
    except TimeoutError as error:
        late = f"The body did not arrive within {limits.body_timeout:g} seconds."
        raise RequestTimeout(late, headers={"Connection": "close"}) from error
    except ClientDisconnect as error:
        raise CallerGone("The caller hung up while it was still sending.") from error
    return bytes(parts)


@asynccontextmanager
async def cancelled_on_hangup(receive: Receive, noticed: Callable[[], None]) -> AsyncIterator[None]:
    """Cancel what runs inside as soon as the caller hangs up, and raise CallerGone in its place; `noticed` is told.

    The body has to be read before, so that the next message is the disconnect.
    """
    inside = asyncio.current_task()
    assert inside is not None
    gone = False

    async def watch() -> None:
        nonlocal gone
        while (await receive())["type"] != "http.disconnect":
            pass
        gone = True
        noticed()
        inside.cancel()

    watcher = asyncio.create_task(watch())
    try:
        yield
        if gone:  # a cancellation that met its end just then
            inside.uncancel()
            raise CallerGone("The caller hung up.")
    except asyncio.CancelledError:
        if gone and not inside.uncancel():
            raise CallerGone("The caller hung up.") from None
        raise
    finally:
        watcher.cancel()
