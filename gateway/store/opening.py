"""The store, opened: what the rest of the gateway is given of it."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from gateway.settings import Settings
from gateway.store import embedded, limits, secret
from gateway.store.connection import Connection
from gateway.store.errands import Errands
from gateway.store.generations import Generations
from gateway.store.keys import Keys
from gateway.store.limits import Limits
from gateway.store.register import SIGNAL, Register
from gateway.store.sessions import SCRIPTS as SESSION_SCRIPTS
from gateway.store.sessions import Sessions
from gateway.store.signals import Hear, Payload, Signals
from gateway.store.turns import Turns
from gateway.store.upkeep import kept_up
from gateway.types import Admit

START = 0.3
"""Seconds that a start waits for the store; it goes on without, and the store comes when it comes."""
LAST = 1.0
"""Seconds for what is still to be told at the end."""


@dataclass(frozen=True, slots=True)
class Store:
    """What several processes share."""

    keys: Keys
    generations: Generations
    sessions: Sessions
    turns: Turns
    admit: Admit
    publish: Callable[[str, Payload], None]
    """Tell every process something of a kind; it may get lost. Never waits."""
    subscribe: Callable[[str, Hear], None]
    """Hear what is told of a kind, by this process too."""
    secret: str
    """What capabilities are made with."""
    connection: Connection

    @property
    def missing(self) -> Sequence[str]:
        """`["store"]` while it takes no writes."""
        return [] if self.connection.writable else ["store"]

    async def reached(self, within: float) -> bool:
        """Wait for it, so many seconds at most; whether it is there."""
        return await self.connection.reached(within)


@asynccontextmanager
async def opened(settings: Settings, *, lease: float = limits.LEASE) -> AsyncIterator[Store]:
    """The store of REDIS_URL, or the gateway's own under `var`.

    A store that cannot be reached is not waited for: what can be done without it is. Raises ConfigurationError for a
    URL or a secret that cannot be used.
    """
    kept_secret = secret.found(settings)
    directory = settings.var / "store"
    async with AsyncExitStack() as stack:
        if not settings.redis_url:
            await stack.enter_async_context(embedded.running(directory))
        connection = Connection(
            lambda: settings.redis_url or embedded.address(directory),
            settings.store.timeout,
            settings.store.prefix,
            (*limits.SCRIPTS, *SESSION_SCRIPTS),
        )
        errands, departures, words, records = Errands(), Errands(), Errands(), Errands()
        signals = Signals(connection, errands)
        register = Register(connection, settings.var / "keys.json", lambda: signals.publish(SIGNAL, {}))
        limiting = Limits(connection, departures, lease)
        signals.subscribe(SIGNAL, lambda _: register.stale())
        signals.on_listening(register.stale)
        connection.on_return(register.returned)
        connection.on_return(limiting.renew)
        sessions = Sessions(connection, words)
        turns = Turns(connection, records, sessions.alone, settings.store.turns)
        connection.on_return(turns.write)
        await stack.enter_async_context(connection.opened())
        await stack.enter_async_context(_running((departures, errands, words, records), signals, register, limiting))
        if not await register.read_once(START):
            connection.missed()
        yield Store(
            Keys(register, connection, errands),
            Generations(register),
            sessions,
            turns,
            limiting.admit,
            signals.publish,
            signals.subscribe,
            kept_secret,
            connection,
        )


@asynccontextmanager
async def _running(
    errands: Sequence[Errands], signals: Signals, register: Register, limiting: Limits
) -> AsyncIterator[None]:
    """Their upkeep, for the length of the block."""
    async with kept_up(signals.run(), register.run(), limiting.run(), *(each.run() for each in errands)):
        try:
            yield
        finally:
            for each in errands:
                await each.finished(LAST)
