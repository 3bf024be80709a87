"""The tunnel while the gateway runs: started and restarted, looked through, a changed URL told."""

import asyncio
import logging
import os
import shlex
import signal
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from gateway import public
from gateway.errors import ConfigurationError, Fault, GatewayError
from gateway.processes import Child, Process, supervised
from gateway.tunnel.address import address
from gateway.tunnel.looking import MISSING, USUAL, Looking, Pace

logger = logging.getLogger("gateway.tunnel")


class Tunnel:
    """A tunnel to this gateway. `kept` runs it; what it is at the moment is known at any time."""

    def __init__(
        self, command: str, var: Path, environ: Mapping[str, str], *, known: str = "", pace: Pace = USUAL
    ) -> None:
        """`known` is the URL of a tunnel that gives none: it is the public one as soon as a gateway answers there."""
        self._command = command
        self._var = var
        self._environ = dict(environ)
        self._known = known
        self._pace = pace
        self._process: Process | None = None
        self._origin = ""
        self._news = asyncio.Event()
        self._given = False
        """Whether this life of it has given a URL."""
        self._asking = 0.0
        self._looking = Looking(pace=pace, hopeless=self._again)

    @property
    def url(self) -> str:
        """The last one that it gave."""
        return self._looking.url

    def missing(self) -> Sequence[str]:
        """`["public URL"]` while callers cannot come through it, as far as is known; nothing before there was a URL."""
        down = self._process is not None and not self._process.ready
        return [MISSING] if down else self._looking.missing()

    async def kept(self, origin: str, said: Callable[[str], None], followed: Callable[[str], Awaitable[None]]) -> None:
        """Have it lead to `origin`; never returns. `said` and `followed` are called with each new URL, `followed` again
        where it raises GatewayError.

        Raises ConfigurationError for a command that is none, ChildError where the tunnel gives no URL at the start.
        """
        self._origin = origin
        child = Child(
            "tunnel",
            argv(self._command, origin),
            self._leads,
            env=self._environ or None,
            start_timeout=self._pace.start,
            backoff=self._pace.backoff,
            backoff_limit=self._pace.longest,
            log=logger,
            level=logging.DEBUG,
            hears=self._begun,
        )

        with public.kept(self._var) as write:

            def noted(url: str) -> None:
                try:
                    write(url)
                except OSError as error:
                    logger.warning("commands beside this gateway will not know %s: %s", url, error.strerror)
                said(url)

            async with supervised(child) as self._process, asyncio.TaskGroup() as group:
                group.create_task(self._telling(noted, followed))
                group.create_task(self._looking.run())

    def _begun(self) -> Callable[[str], None]:
        self._given = False
        self._asking = time.monotonic() + self._pace.first
        return self._heard

    async def _leads(self) -> bool:
        """Whether it has given its URL, or what is known to be its URL leads to a gateway. Asked again and again."""
        if self._known and not self._given and time.monotonic() >= self._asking:
            self._asking = time.monotonic() + self._pace.backoff
            if not await public.problem(self._known, self._pace.patience) and not self._given:
                self._found(self._known)
        return self._given

    def _heard(self, line: str) -> None:
        found = address(line)
        if found and found != self._origin:
            self._found(found)

    def _found(self, url: str) -> None:
        if self._given and url == self.url.replace("https://", "http://", 1):
            return  # pinggy gives both, and the other one is the better
        self._given = True
        if url != self.url:
            self._looking.at(url)
            self._news.set()

    async def _telling(self, said: Callable[[str], None], followed: Callable[[str], Awaitable[None]]) -> None:
        while True:
            await self._news.wait()
            await asyncio.sleep(self._pace.quiet)
            self._news.clear()
            url, delay = self.url, self._pace.backoff
            said(url)
            while not await self._done(followed, url, delay):
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._news.wait(), delay)
                    break
                delay = min(delay * 2, self._pace.longest)

    async def _done(self, followed: Callable[[str], Awaitable[None]], url: str, delay: float) -> bool:
        try:
            await followed(url)
        except GatewayError as error:
            logger.warning("what is to follow %s does not yet: %s; next try in %g s", url, error.message, delay)
            return False
        except Exception:  # a bug of ours is no reason to close the tunnel
            logger.exception("what is to follow %s does not", url)
        return True

    def _again(self) -> None:
        """End its program, which is started again then."""
        if self._process is not None and self._process.ready:
            logger.warning("the tunnel is started again: nothing comes through it")
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.group, signal.SIGTERM)


def argv(command: str, origin: str) -> list[str]:
    """The command's words; `{url}` and `{port}` are where the gateway listens. There is no shell.

    Raises ConfigurationError where it cannot be read.
    """
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise ConfigurationError([Fault("--tunnel", 0, "", f"cannot be read: {error}")]) from None
    if not words:
        raise ConfigurationError([Fault("--tunnel", 0, "", "is empty; cloudflared tunnel --url {url} is one")])
    port = origin.rpartition(":")[2]
    return [word.replace("{url}", origin).replace("{port}", port) for word in words]
