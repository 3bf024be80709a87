"""What one process tells all others, at once, and without a promise that it arrives."""

import asyncio
import json
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any, Protocol, TypeAlias

from redis.asyncio.client import PubSub

from gateway.errors import StoreUnavailable
from gateway.store.connection import Connection
from gateway.store.errands import Errands
from gateway.store.foreign import FOREIGN, told

logger = logging.getLogger("gateway.store")

Payload: TypeAlias = Mapping[str, Any]
Hear: TypeAlias = Callable[[Payload], None]

QUIET = 5.0
"""Seconds without a message, after which the store is asked whether the line still stands."""
FIRST, LONGEST = 0.05, 1.0
"""Seconds between two tries to listen, doubled up to the second."""


class Subscribe(Protocol):
    """`Signals.subscribe`."""

    def __call__(self, kind: str, callback: Hear, own: bool = True) -> None:
        """Hear signals of a kind."""


class Signals:
    """One connection to listen on, for all kinds. `name` is the process's: it hears its own signals too, unless it
    wants those of others only."""

    def __init__(self, connection: Connection, errands: Errands, name: str) -> None:
        self._connection = connection
        self._name = name
        self._errands = errands
        self._channel = connection.key("signals")
        self._heard_by: dict[str, list[tuple[Hear, bool]]] = {}
        self._listening: list[Callable[[], None]] = []
        self._again: list[Callable[[], None]] = []
        self._stood = False

    def publish(self, kind: str, payload: Payload) -> None:
        """Tell every process. Never waits, never raises; while the store is away nobody hears it.

        `payload` holds what JSON can say.
        """
        text = json.dumps({"kind": kind, "from": self._name, "payload": dict(payload)})
        self._errands.add(partial(self._connection.ask, "PUBLISH", self._channel, text))

    def subscribe(self, kind: str, callback: Hear, own: bool = True) -> None:
        """Call this with the payload of every signal of this kind; `own`: of this process's too. It must not block."""
        self._heard_by.setdefault(kind, []).append((callback, own))

    def on_listening(self, callback: Callable[[], None]) -> None:
        """Call this whenever listening begins: what was told before went unheard."""
        self._listening.append(callback)

    def on_listening_again(self, callback: Callable[[], None]) -> None:
        """The same, but for the first time."""
        self._again.append(callback)

    async def run(self) -> None:
        """Listen, until cancelled; again and again where the connection is lost."""
        pause = FIRST
        while True:
            if not await self._connection.reached(LONGEST):
                continue
            stood = False
            with suppress(StoreUnavailable):
                stood = await self._listened()
            self._connection.doubted()
            pause = FIRST if stood else min(pause * 2, LONGEST)
            await asyncio.sleep(pause)

    async def _listened(self) -> bool:
        """Listen on one connection until it breaks; whether it ever stood. Raises StoreUnavailable."""
        pubsub = self._connection.listener()
        stood = False
        try:
            await pubsub.subscribe(self._channel)
            while (message := await _next(pubsub)) is not None:
                if message["type"] == "subscribe":
                    stood = True
                    for callback in (*self._listening, *(self._again if self._stood else ())):
                        callback()
                    self._stood = True
                elif message["type"] == "message":
                    self._hear(message["data"])
        except FOREIGN as error:
            logger.debug("the line for signals broke: %s", told(error))
        finally:
            with suppress(*FOREIGN):
                await pubsub.aclose()  # type: ignore[no-untyped-call]
        return stood

    def _hear(self, text: str) -> None:
        try:
            told_ = json.loads(text)
            kind, payload = str(told_["kind"]), dict(told_["payload"])
            mine = told_.get("from") == self._name
        except (AttributeError, KeyError, TypeError, ValueError, RecursionError):
            logger.warning("a signal that cannot be read: %.100r", text)
            return
        for callback, own in self._heard_by.get(kind, ()):
            if own or not mine:
                # Not called from here: what it raises must not end the line that everybody listens on.
                asyncio.get_running_loop().call_soon(callback, payload)


async def _next(pubsub: PubSub) -> Any:
    """The next message; None where the line is dead: nothing came, and no answer to a question either."""
    message = await pubsub.get_message(timeout=QUIET)
    if message is None:
        await pubsub.ping()
        message = await pubsub.get_message(timeout=QUIET)
    return message
