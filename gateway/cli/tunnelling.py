"""The way from outside to a server: looked through; where it is a tunnel, opened, and followed by agents at Simli."""

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial

from gateway import administration, desk, running
from gateway import store as stores
from gateway.errors import (
    SimliAuthFailed,
    SimliBilling,
    SimliError,
    SimliRejected,
    SimliUnavailable,
    StoreUnavailable,
)
from gateway.orchestration.publicity import refusal
from gateway.settings import Settings
from gateway.tunnel import Looking, Tunnel
from gateway.types.orchestration import Change

logger = logging.getLogger("gateway")

KEPT_FROM_IT = re.compile(r"(KEY|SECRET|PASSWORD)$|^REDIS_URL$")
"""Variables that are nothing to a tunnel's program. Tokens stay: ngrok and cloudflared take theirs from there."""
FINAL = (SimliAuthFailed, SimliBilling, SimliRejected)
"""What asking again does not mend."""
WAIT = 5.0
"""Seconds for a store that has yet to start."""


def made(settings: Settings) -> Tunnel | Looking:
    """The tunnel that the settings want; where they want none, what looks through the public URL that they name."""
    if not settings.tunnel:
        return Looking(settings.public_url)
    environ = {name: value for name, value in settings.environ.items() if not KEPT_FROM_IT.search(name)}
    return Tunnel(settings.tunnel, settings.var, environ, known=settings.public_url)


@asynccontextmanager
async def opened(way: Tunnel | Looking, settings: Settings, port: int) -> AsyncIterator[asyncio.Future[None]]:
    """Keep the tunnel, or look through the public URL, for the length of the block.

    What it yields is done where the tunnel cannot be opened. Leaving raises why: ChildError, ConfigurationError.
    """
    keeping: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    if isinstance(way, Tunnel):
        here = running.address(settings.server.host, port)
        keeping = asyncio.create_task(way.kept(here, partial(said, settings), partial(followed, settings)))
    elif way.url:
        keeping = asyncio.create_task(way.run())
    try:
        yield keeping
    finally:
        keeping.cancel()
        with suppress(asyncio.CancelledError):
            await keeping


def said(settings: Settings, url: str) -> None:
    """Say the public URL where people and scripts look, and what is wrong with it."""
    print(f"reached at {url}", flush=True)
    if settings.public_url and settings.public_url != url:
        logger.warning("the tunnel's URL goes before GATEWAY_PUBLIC_URL: %s", url)
    if problem := refusal(url, local=settings.simli_is_local):
        logger.warning("Simli cannot be given the tunnel's URL: %s", problem)


async def followed(settings: Settings, url: str) -> None:
    """Bring the public URL to the agents that are ours at Simli. Raises GatewayError where it cannot.

    Only agents that are there already are changed: whether one is to be there is said by `gateway agents apply`.
    """
    if refusal(url, local=settings.simli_is_local):
        return
    try:
        changes = await refreshed(settings)
    except SimliUnavailable as error:
        if settings.simli_is_local and not error.simli_status:
            return  # no sandbox runs: there is nobody to tell
        raise
    except FINAL as error:
        logger.error("agents at Simli do not follow to %s: %s; then gateway agents apply", url, error.message)  # noqa: TRY400
        return
    if changes:
        names = ", ".join(change.agent for change in changes)
        logger.info("%s: %d at Simli changed to %s", names, len(changes), url)


async def refreshed(settings: Settings) -> Sequence[Change]:
    """Bring what differs to our agents at Simli; what was changed. Raises SimliError, StoreUnavailable."""
    async with stores.opened(settings) as store:
        if not await store.reached(WAIT):
            raise StoreUnavailable("The store cannot be reached, so nobody knows which capabilities are current.")
        files = partial(asyncio.to_thread, administration.read, settings)
        applied = await desk.agency(settings, store, files).refresh()
    if applied.error:
        kinds = {kind.code: kind for kind in FINAL}
        raise kinds.get(applied.code, SimliError)(applied.error)
    return applied.changes
