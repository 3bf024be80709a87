"""The tunnel of a server: opened beside it, said where people and scripts look, and followed by the agents at Simli."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial

from gateway.orchestration.publicity import refusal
from gateway.settings import Settings
from gateway.tunnel import Tunnel

logger = logging.getLogger("gateway")

KEPT_FROM_IT = ("OPENAI_API_KEY", "SIMLI_API_KEY", "GATEWAY_ADMIN_KEY", "GATEWAY_SECRET", "REDIS_URL")
"""Variables that are nothing to a tunnel's program, besides those of the targets' keys."""


def made(settings: Settings) -> Tunnel | None:
    """The tunnel that the settings want; None where they want none."""
    if not settings.tunnel:
        return None
    kept = {*KEPT_FROM_IT, *(target.key_env for route in settings.routes.values() for target in route.targets)}
    environ = {name: value for name, value in settings.environ.items() if name not in kept}
    return Tunnel(settings.tunnel, settings.var, environ, known=settings.public_url)


@asynccontextmanager
async def opened(tunnel: Tunnel | None, settings: Settings, port: int) -> AsyncIterator[asyncio.Future[None]]:
    """Keep the tunnel for the length of the block. What it yields is done where the tunnel cannot be opened.

    Leaving raises what kept it from opening: ChildError, ConfigurationError.
    """
    keeping: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    if tunnel is not None:
        keeping = asyncio.create_task(tunnel.kept(origin(settings.server.host, port), partial(followed, settings)))
    try:
        yield keeping
    finally:
        keeping.cancel()
        with suppress(asyncio.CancelledError):
            await keeping


def origin(host: str, port: int) -> str:
    """Where a program on this machine reaches the gateway."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host.strip("[]"), host.strip("[]"))  # noqa: S104 compared, not bound
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


async def followed(settings: Settings, url: str) -> None:
    """Say the public URL, and bring it to the agents that are ours at Simli."""
    print(f"reached at {url}", flush=True)
    if settings.public_url and settings.public_url != url:
        logger.warning("the tunnel's URL goes before GATEWAY_PUBLIC_URL: %s", url)
    if problem := refusal(url, local=settings.simli_is_local):
        logger.warning("Simli cannot be given the tunnel's URL: %s", problem)
