"""The connection to the store: bounded in number and in time, and whether the store is there at all.

While it is not, every operation says so at once and touches no socket; one task looks whether it is back.
"""

import asyncio
import hashlib
import logging
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import redis.asyncio
from redis.asyncio.client import PubSub
from redis.maint_notifications import MaintNotificationsConfig

from gateway.errors import ConfigurationError, Fault, StoreUnavailable
from gateway.store.foreign import FOREIGN, code, meaning, told
from gateway.store.line import Command, Line
from gateway.store.patience import Patience
from gateway.store.upkeep import happened, kept_up

logger = logging.getLogger("gateway.store")

State: TypeAlias = Literal["there", "reads", "away"]
PATIENCE = 2.0
"""Seconds for what no caller of a turn waits for: opening a connection, an admin's write, reading all keys."""
STEADY = 5.0
"""Seconds between two looks at a store that is there and that nobody asks anything."""
FIRST, LONGEST = 0.05, 0.5
"""Seconds until a store that is away is looked for, doubled up to the half."""
SAID: Mapping[State, str] = {
    "there": "The store refused what it was asked; the log says why.",
    "reads": "The store takes no writes; the log says why. Try again when it does.",
    "away": "The store is away; try again when it is back.",
}
"""What whoever asked in vain is told."""
PATIENT = 2
"""Operations at once that no turn waits for."""
CONNECTIONS = PATIENT + 4
"""Those; two to listen on (signals, turns as they end), and one in the place of each while it still closes. One more,
in a pool of its own, serves all turns."""


@dataclass(frozen=True, slots=True)
class Script:
    """A Lua program that runs in the store as one step."""

    text: str

    @property
    def sha(self) -> str:
        """Its name in the store."""
        return hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()


class Connection:
    """Operations on the store. Each raises StoreUnavailable where it cannot be done, and nothing else."""

    def __init__(self, address: Callable[[], str], timeout: float, prefix: str, scripts: Sequence[Script]) -> None:
        self.state: State = "away"
        self._address = address
        self._timeout = timeout
        self._prefix = prefix
        self._scripts = scripts
        self._url = ""
        self._quick: redis.asyncio.Redis | None = None
        self._patient: redis.asyncio.Redis | None = None
        self._line = Line(lambda commands: self._sent(self._quick, commands, timeout))
        self._places = asyncio.Semaphore(PATIENT)
        self._lost = asyncio.Event()
        self._reached = asyncio.Event()
        self._since = time.monotonic()
        self._returned: list[Callable[[], None]] = []
        self._complained: dict[str, float] = {}
        self._missed = False
        self._why = ""

    @property
    def writable(self) -> bool:
        """Whether it is there, and takes writes."""
        return self.state == "there"

    def key(self, *parts: str) -> str:
        """The name of a key or channel of ours. The parts are ours, or went through `names.safe`."""
        return ":".join((self._prefix, *parts))

    def missed(self) -> None:
        """Somebody wanted it and goes on without: its return will be news."""
        if not self.writable and not self._missed:
            self._missed = True
            why = f" ({self._why})" if self._why else ""
            logger.warning("the store is not there%s; what it keeps is done without until it is", why)

    def doubted(self) -> None:
        """Somebody has a reason to believe that it is gone: look now."""
        self._lost.set()

    def on_return(self, callback: Callable[[], None]) -> None:
        """Call this whenever the store takes writes, after it did not."""
        self._returned.append(callback)

    async def reached(self, within: float) -> bool:
        """Wait until the store takes writes, so many seconds at most; whether it does."""
        await happened(self._reached, within)
        return self.writable

    async def ask(self, *command: str | int | float) -> Any:
        """One write on a turn's path, within the setting's timeout. At once where the store takes no writes."""
        if not self.writable:
            raise self._refusal()
        answer = await self._line.ask(command)
        if isinstance(answer, Exception):
            raise self._failed(answer)
        return answer

    async def run(self, script: Script, keys: Sequence[str], arguments: Sequence[str | int | float]) -> Any:
        """A script, like `ask`. The store knows it by its name, except where it was restarted under us."""
        if not self.writable:
            raise self._refusal()
        rest = (len(keys), *keys, *arguments)
        answer = await self._line.ask(("EVALSHA", script.sha, *rest))
        if isinstance(answer, Exception) and code(answer) == "NOSCRIPT":
            answer = await self._line.ask(("EVAL", script.text, *rest))
        if isinstance(answer, Exception):
            raise self._failed(answer)
        return answer

    async def take(self, *commands: Command, writing: bool = False, together: bool = False) -> list[Any]:
        """Commands that no turn waits for, in one write (`together`: as one step); their answers."""
        if self.state == "away" or (writing and not self.writable):
            raise self._refusal()
        async with self._places:
            answers = await self._sent(self._patient, commands, PATIENCE, together=together)
        for answer in answers:
            if isinstance(answer, Exception):
                raise self._failed(answer)
        return answers

    def listener(self) -> PubSub:
        """A connection to listen on, to be closed by the caller. What it raises is in `foreign.FOREIGN`."""
        if self._patient is None or self.state == "away":
            raise self._refusal()
        listening: PubSub = self._patient.pubsub()
        return listening

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Keep looking for the store for the length of the block. Raises ConfigurationError for a URL it cannot use."""
        await self._open()
        try:
            async with kept_up(self._line.run(), self._watch()):
                try:
                    yield
                finally:
                    self.state = "away"
        finally:
            await self._close()

    async def _open(self) -> None:
        """Make the clients for the address of now; nothing is connected yet."""
        url = self._address()
        if url == self._url:
            return
        await self._close()
        try:
            self._quick, self._patient = (_client(url, connections) for connections in (1, CONNECTIONS))
        except FOREIGN as error:
            problem = f"cannot be used: {type(error).__name__} in its parts"  # never shows the URL
            raise ConfigurationError([Fault("REDIS_URL", 0, "", problem)]) from None
        self._url = url

    async def _close(self) -> None:
        clients = (self._quick, self._patient)
        self._quick = self._patient = None
        self._url = ""
        for client in clients:
            if client is not None:
                await asyncio.shield(_closed(client))  # whoever is cancelled meanwhile leaves no socket open

    async def _watch(self) -> None:
        """Look for the store: seldom while it is there, soon and then twice a second while it is not."""
        pause = 0.0
        while True:
            with suppress(StoreUnavailable):
                await self._look()
            if self.writable:
                pause = FIRST
                await happened(self._lost, STEADY)
            else:
                pause = min(max(FIRST, pause * 2), LONGEST)
            self._lost.clear()
            if not self.writable:
                await asyncio.sleep(pause)

    async def _look(self) -> None:
        """Whether a write succeeds in time: a ping would not tell a full store from a good one."""
        probe: Command = ("SET", self.key("probe"), "1", "EX", 60)
        if self.writable:
            await self.ask(*probe)
            return
        await self._open()
        await self._sent(self._quick, [("PING",)], PATIENCE)
        answers = await self._sent(self._quick, [probe], self._timeout)
        loads = [("SCRIPT LOAD", script.text) for script in self._scripts]
        answers += await self._sent(self._quick, loads, PATIENCE)
        for answer in answers:
            if isinstance(answer, Exception):
                raise self._failed(answer)
        self._become("there")

    async def _sent(
        self,
        client: "redis.asyncio.Redis | None",
        commands: Sequence[Command],
        within: float,
        *,
        together: bool = False,
    ) -> list[Any]:
        if client is None:
            raise self._refusal()
        try:
            async with Patience(within):
                pipeline = client.pipeline(transaction=together)
                for command in commands:
                    pipeline.execute_command(*command)  # noted; sent by execute
                answers: list[Any] = await pipeline.execute(raise_on_error=False)
                return answers
        except FOREIGN as error:
            raise self._failed(error) from error
        finally:
            if client is not self._quick and client is not self._patient:
                await asyncio.shield(_closed(client))  # it was closed meanwhile, and may have connected again

    def _failed(self, error: Exception) -> StoreUnavailable:
        """Draw the consequences of an error; what the caller is told."""
        means, self._why = meaning(error), told(error)
        if means != "refused":
            self._become(means)
        elif time.monotonic() - self._complained.get(code(error), -60.0) >= 60.0:
            self._complained[code(error)] = time.monotonic()
            logger.warning("the store refused a command: %s", told(error))
        return self._refusal()

    def _refusal(self) -> StoreUnavailable:
        return StoreUnavailable(SAID[self.state])

    def _become(self, state: State) -> None:
        if state == self.state:
            return
        before, self.state = self.state, state
        lasted = time.monotonic() - self._since
        self._since = time.monotonic()
        if state != "there":
            self._lost.set()
            self._reached.clear()
            if before == "there":
                self._missed = True
                logger.warning("the store %s: %s", "takes no writes" if state == "reads" else "is away", self._why)
            return
        self._reached.set()
        if self._missed:
            self._missed = False
            logger.info("the store is there, after %.1f s", lasted)
        for callback in self._returned:
            callback()


async def _closed(client: "redis.asyncio.Redis") -> None:
    """Close it, and all its connections."""
    with suppress(*FOREIGN):
        await client.aclose(close_connection_pool=True)


def _client(url: str, connections: int) -> "redis.asyncio.Redis":
    """A client that gives up at once. Its connections are made when they are needed."""
    pool = redis.asyncio.ConnectionPool.from_url(
        url,
        max_connections=connections,
        protocol=3,
        socket_timeout=PATIENCE,
        socket_connect_timeout=PATIENCE,
        decode_responses=True,
        encoding_errors="replace",
        driver_info=None,
        maint_notifications_config=MaintNotificationsConfig(enabled=False),
    )
    pool.make_connection()  # type: ignore[no-untyped-call]  # an option in the URL that no connection has is told now
    return redis.asyncio.Redis(connection_pool=pool)
