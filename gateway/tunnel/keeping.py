"""The tunnel while the gateway runs: started and restarted, looked through from outside, a changed URL told."""

import asyncio
import logging
import os
import shlex
import signal
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from gateway import public
from gateway.errors import ConfigurationError, Fault, GatewayError
from gateway.processes import Child, Process, supervised
from gateway.tunnel.address import address

logger = logging.getLogger("gateway.tunnel")

MISSING = "public URL"
"""What readiness calls it."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How long everything takes. Seconds."""

    start: float = 30.0
    """Until the tunnel gives its URL."""
    first: float = 5.0
    """From a new URL to the first look through it: a name that is asked for too early stays unknown for minutes."""
    quiet: float = 0.3
    """From a new URL until it is told: some tunnels give two at once."""
    beat: float = 15.0
    """Between two looks."""
    patience: float = 5.0
    """For one."""
    failures: int = 2
    """Looks in a row that fail until the public URL is missing."""
    hopeless: int = 8
    """Looks in a row that fail until the tunnel is started again: it may live and lead nowhere, as after a sleep."""
    backoff: float = 1.0
    """Before somebody who could not be told is told again, and before a tunnel that died is started again; doubled."""
    longest: float = 60.0


class Tunnel:
    """A tunnel to this gateway. `kept` runs it; what it is at the moment is known at any time."""

    def __init__(
        self, command: str, var: Path, environ: Mapping[str, str], *, known: str = "", pace: Pace = Pace()
    ) -> None:
        """`known` is the URL of a tunnel that gives none: it is the public one as soon as a gateway answers there."""
        self.url = ""
        """The last one that it gave."""
        self._command = command
        self._var = var
        self._environ = dict(environ)
        self._known = known
        self._pace = pace
        self._process: Process | None = None
        self._origin = ""
        self._news = asyncio.Event()
        self._failed = 0
        self._given = False
        """Whether this life of it has given a URL."""
        self._asking = 0.0

    def missing(self) -> Sequence[str]:
        """`["public URL"]` while callers cannot come through it, as far as is known; nothing before there was a URL."""
        down = self._process is not None and not self._process.ready
        return [MISSING] if down or self._failed >= self._pace.failures else []

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
                write(url)
                said(url)

            async with supervised(child) as self._process, asyncio.TaskGroup() as group:
                group.create_task(self._telling(noted, followed))
                group.create_task(self._looking())

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
            self.url = url
            self._failed = 0
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

    async def _looking(self) -> None:
        """A call of one's own through the public URL, again and again."""
        seen = ""
        while True:
            await asyncio.sleep(self._pace.beat if seen == self.url else self._pace.first)
            seen = self.url
            problem = await public.problem(seen, self._pace.patience)
            if seen == self.url:
                self._looked(problem)

    def _looked(self, problem: str) -> None:
        if not problem:
            if self._failed >= self._pace.failures:
                logger.info("%s can be reached again", self.url)
            self._failed = 0
            return
        self._failed += 1
        if self._failed == self._pace.failures:
            logger.warning("the public URL: %s/livez %s", self.url, problem)
        if self._failed % self._pace.hopeless == 0 and self._process is not None and self._process.ready:
            logger.warning("the tunnel is started again: nothing has come through it for %d looks", self._failed)
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
