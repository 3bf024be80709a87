"""Fetching a video: Simli names its address before the file is there, and has no HEAD, so it is polled by GET."""

import asyncio
import contextlib
import random
import re
import time
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from gateway.errors import SimliError, SimliProtocolError, SimliTimeout, SimliUnavailable
from gateway.settings.values import loopback

LARGEST = 2 * 1024**3
"""Bytes of a video."""
FIRST, LONGEST = 0.25, 5.0
"""Seconds between two looks."""
_PENDING = (202, 204, 404, 408, 425, 429, 500, 502, 503, 504)


async def fetched(http: httpx.AsyncClient, url: str, into: Path, within: float, *, plain: bool) -> int:
    """Write what is at `url` into the file, which appears whole or not at all; its size in bytes.

    An http address is asked as https, unless Simli itself is spoken to in plain http (`plain`): a sandbox.
    """
    address = _secured(url, plain=plain)
    deadline = time.monotonic() + within
    pause = FIRST
    part = into.with_name(f".{into.name}.part")
    try:
        while True:
            size, state = await _tried(http, address, part, deadline)
            if size is not None:
                await asyncio.to_thread(part.replace, into)
                return size
            wait = pause * random.uniform(0.5, 1.0)  # noqa: S311 no secret
            if time.monotonic() + wait > deadline:
                raise SimliTimeout(f"Simli did not give the video within {within:g} s: {state}.")
            await asyncio.sleep(wait)
            pause = min(pause * 1.5, LONGEST)
    finally:
        await asyncio.to_thread(part.unlink, missing_ok=True)


async def _tried(http: httpx.AsyncClient, url: str, part: Path, deadline: float) -> tuple[int | None, str]:
    """The size of what was written, or None and why not yet."""
    try:
        async with asyncio.timeout(max(deadline - time.monotonic(), 0.001)), http.stream("GET", url) as answer:
            if answer.status_code == 200:
                size = await _written(answer, part)
                return (size, "") if size else (None, "the file is empty")
            if answer.status_code in _PENDING:
                return None, f"it last answered {answer.status_code}"
            raise SimliError(
                f"Simli did not give the video: {urlsplit(url).netloc} answers {answer.status_code}.",
                simli_status=answer.status_code,
            )
    except TimeoutError:
        return None, "it was not through in time"
    except httpx.TimeoutException:
        return None, "it did not answer"
    except (httpx.ConnectError, httpx.ReadError, httpx.RemoteProtocolError):
        return None, f"{urlsplit(url).netloc} cannot be reached, or broke off"
    except httpx.HTTPError:
        raise SimliUnavailable(f"Simli did not give the video: {urlsplit(url).netloc} cannot be asked.") from None


async def _written(answer: httpx.Response, part: Path) -> int:
    size = 0
    with contextlib.ExitStack() as stack:
        file = stack.enter_context(await asyncio.to_thread(part.open, "wb"))
        async for piece in answer.aiter_bytes():
            size += len(piece)
            if size > LARGEST:
                raise SimliProtocolError(f"Simli did not give the video: it is larger than {LARGEST >> 30} GiB.")
            await asyncio.to_thread(file.write, piece)
    return size


def _secured(url: str, *, plain: bool) -> str:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or parts.scheme not in ("http", "https"):
        raise SimliProtocolError("Simli did not give the video: its address is no URL.")
    if plain:
        return url
    if loopback(host):
        raise SimliProtocolError("Simli did not give the video: its address is on this machine.")
    return re.sub("^http:", "https:", url)
