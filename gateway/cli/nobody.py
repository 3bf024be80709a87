"""Whether anybody is where a command is about to ask: a sandbox that nobody has started need not be waited for."""

import asyncio
from urllib.parse import urlsplit

from gateway.errors import SimliUnavailable
from gateway.settings import Settings

WAIT = 2.0
"""Seconds."""


async def sandbox_there(settings: Settings) -> None:
    """Return at once where Simli is no sandbox on this machine. Raises SimliUnavailable where none runs."""
    if not settings.simli_is_local:
        return
    parts = urlsplit(settings.simli_url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        _, writer = await asyncio.wait_for(asyncio.open_connection(parts.hostname, port), WAIT)
    except (OSError, TimeoutError):
        raise SimliUnavailable(
            f"No sandbox runs at {settings.simli_url}: `gateway sandbox` starts one; SIMLI_API_KEY leads to Simli."
        ) from None
    writer.close()
