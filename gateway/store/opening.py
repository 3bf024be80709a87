"""The store, opened: what the rest of the gateway is given of it."""

import hashlib
import socket
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from gateway.settings import Settings
from gateway.store import embedded, limits, secret
from gateway.store.connection import Connection
from gateway.store.errands import Errands
from gateway.store.generations import Generations
from gateway.store.ingests import SIGNAL as INGEST
from gateway.store.ingests import Ingests
from gateway.store.keys import Keys
from gateway.store.limits import Limits
from gateway.store.members import MISSED, Members
from gateway.store.register import SIGNAL, Register
from gateway.store.sessions import SCRIPTS as SESSION_SCRIPTS
from gateway.store.sessions import Sessions
from gateway.store.signals import Payload, Signals, Subscribe
from gateway.store.turns import Turns
from gateway.store.upkeep import kept_up
from gateway.types import Admit

START = 0.3
"""Seconds that a start waits for the store; it goes on without, and the store comes when it comes."""
STORE = "store"
"""The folder of the gateway's own, in `var`."""
DAY = 86_400
"""Seconds."""
LAST = 1.0
"""Seconds for what is still to be told at the end."""


@dataclass(frozen=True, slots=True)
class Store:
    """What several processes share."""

    keys: Keys
    generations: Generations
    sessions: Sessions
    turns: Turns
    ingests: Ingests
    members: Members
    admit: Admit
    publish: Callable[[str, Payload], None]
    """Tell every process something of a kind; it may get lost. Never waits."""
    subscribe: Subscribe
    """Hear what is told of a kind; `own=False`: by others only."""
    on_listening_again: Callable[[Callable[[], None]], None]
    """Be called whenever this process listens again: what was told meanwhile went unheard."""
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
async def opened(settings: Settings, *, lease: float = limits.LEASE, missed: float = MISSED) -> AsyncIterator[Store]:
    """The store of REDIS_URL, or the gateway's own under `var`. `missed`: seconds until a process that was killed is.

    A store that cannot be reached is not waited for: what can be done without it is. Raises ConfigurationError for a
    URL or a secret that cannot be used.
    """
    kept_secret = secret.found(settings)
    async with AsyncExitStack() as stack:
        if not settings.redis_url:
            await stack.enter_async_context(embedded.running(settings.var / STORE))
        connection = _connection(settings)
        errands, departures, words, records = Errands(), Errands(), Errands(), Errands()
        members = Members(connection, missed)
        signals = Signals(connection, errands, members.name)
        register = Register(connection, settings.var / "keys.json", lambda: signals.publish(SIGNAL, {}))
        limiting = Limits(connection, departures, members, lease)
        ingests = Ingests(connection, members, signals.publish, _place(settings))
        signals.subscribe(INGEST, ingests.heard)
        signals.subscribe(SIGNAL, lambda _: register.stale())
        signals.on_listening(register.stale)
        kept = settings.store.kept_days * DAY
        sessions = Sessions(connection, words, kept)
        turns = Turns(connection, records, sessions.alone, settings.store.turns, kept=kept)
        for returned in (members.returned, register.returned, limiting.renew, turns.write, ingests.returned):
            connection.on_return(returned)
        await stack.enter_async_context(connection.opened())
        upkeep = (signals.run(), register.run(), register.sweeping(), limiting.run(), members.run(), ingests.run())
        stack.push_async_callback(register.finish)
        stack.push_async_callback(members.leave)
        stack.push_async_callback(ingests.leave)
        await stack.enter_async_context(_running((departures, errands, words, records), upkeep))
        if not await register.read_once(START):
            connection.missed()
        yield Store(
            Keys(register, connection, errands),
            Generations(register),
            sessions,
            turns,
            ingests,
            members,
            limiting.admit,
            signals.publish,
            signals.subscribe,
            signals.on_listening_again,
            kept_secret,
            connection,
        )


@asynccontextmanager
async def _running(errands: Sequence[Errands], upkeep: Sequence[Coroutine[None, None, None]]) -> AsyncIterator[None]:
    """All upkeep, for the length of the block."""
    async with kept_up(*upkeep, *(each.run() for each in errands)):
        try:
            yield
        finally:
            for each in errands:
                await each.finished(LAST)


def _connection(settings: Settings) -> Connection:
    """To the store of the settings; nothing is connected yet."""
    return Connection(
        lambda: settings.redis_url or embedded.address(settings.var / STORE),
        settings.store.timeout,
        settings.store.prefix,
        (*limits.SCRIPTS, *SESSION_SCRIPTS),
    )


def _place(settings: Settings) -> str:
    """Whose knowledge is meant by a collection's name: the Chroma server's, or that of one folder on one machine."""
    whole = settings.chroma_url or f"{socket.gethostname()} {settings.var.resolve()}"
    return hashlib.sha256(whole.encode()).hexdigest()[:16]
