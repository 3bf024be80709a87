"""Chromium, or Chrome, headless, for as long as somebody looks through it; it leaves neither process nor profile."""

import asyncio
import contextlib
import logging
import os
import re
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field

from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from gateway.peer.devtools import Chromium, Failed
from gateway.processes import Child, ChildError, supervised

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS = (
    "--headless=new",
    "--no-sandbox",  # who runs this in a container is root there
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-breakpad",
    "--disable-component-update",
    "--disable-renderer-backgrounding",
    "--disable-background-timer-throttling",
    "--autoplay-policy=no-user-gesture-required",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
    # Without it host candidates are .local names, which only multicast resolves.
    "--disable-features=WebRtcHideLocalIpsWithMdns",
    "--remote-debugging-port=0",
)
LISTENING = re.compile(r"DevTools listening on (ws://\S+)")
START_S = 30.0
NEVER = 86400.0
"""Seconds until a browser that died would be started again: who looked through it is gone by then."""


class NoChromium(Failed):
    """There is none on this machine."""


@dataclass
class _Address:
    """Where a starting browser says that it listens."""

    text: str = ""
    said: list[str] = field(default_factory=list)

    def hears(self) -> Callable[[str], None]:
        return self._hear

    def _hear(self, line: str) -> None:
        self.said.append(line)
        if found := LISTENING.search(line):
            self.text = found[1]

    async def found(self) -> bool:
        return bool(self.text)


def program(names: Sequence[str] = NAMES) -> str | None:
    """Where the first of them is that PATH has, or None."""
    return next((found for name in names if (found := shutil.which(name))), None)


@contextlib.asynccontextmanager
async def chromium(*flags: str, names: Sequence[str] = NAMES) -> AsyncIterator[Chromium]:
    """A running browser until the block ends. Raises NoChromium; Failed where it does not start."""
    found = program(names)
    if found is None:
        raise NoChromium(
            f"There is no browser here: none of {', '.join(names)} is on PATH. "
            "On Debian `apt-get install chromium` brings one."
        )
    with tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True) as profile:
        address = _Address()
        child = Child(
            "chromium",
            (found, *FLAGS, *flags, f"--user-data-dir={profile}", "about:blank"),
            address.found,
            env={"PATH": os.defpath, "HOME": profile, "TMPDIR": profile},
            start_timeout=START_S,
            backoff=NEVER,
            backoff_limit=NEVER,
            level=logging.DEBUG,
            hears=address.hears,
        )
        try:
            async with supervised(child), _connected(address.text) as browser:
                yield browser
        except ChildError as error:
            raise Failed(f"The browser does not start: {error}") from error


@contextlib.asynccontextmanager
async def _connected(address: str) -> AsyncIterator[Chromium]:
    try:
        socket = await connect(address, max_size=None, compression=None, open_timeout=START_S)
    except (OSError, WebSocketException) as error:
        raise Failed(f"The browser has started and cannot be spoken to: {error}") from None
    async with socket:
        browser = Chromium(socket)
        listening = asyncio.create_task(browser.listen(), name="chromium")
        try:
            yield browser
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
