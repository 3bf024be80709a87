"""API keys: made, recognised, revoked. `gw_{id}_{secret}`; the secret is shown once and kept nowhere.

Kept is the SHA-256 of the whole key. A slow hash and a pepper protect passwords, which can be guessed; 256 random bits
cannot, and a pepper would make every key depend on GATEWAY_SECRET. Letters and digits only, so that a double click
selects the whole key.
"""

import hashlib
import hmac
import math
import re
import secrets
import string
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import NamedTuple

from gateway.errors import InvalidValue
from gateway.settings.build import NAME, NAME_SAYS
from gateway.store.connection import Connection
from gateway.store.errands import Errands
from gateway.store.known import ID
from gateway.store.register import Register
from gateway.types import Key, Rate, Scope

FORM = re.compile(r"gw_([a-z0-9]{12})_([A-Za-z0-9]{43})")
"""43 characters out of 62 are 256 bits."""
UNLIMITED = Rate()
_LETTERS = string.ascii_letters + string.digits
_SMALL = string.ascii_lowercase + string.digits
_NOBODY = "0" * 64
"""What an unknown key's digest is compared with, so that it takes as long as a known one's."""
USED_EVERY = 60.0
"""Seconds between two notes of when a key was last used."""


class Created(NamedTuple):
    """A new key, and the only copy of its text."""

    key: Key
    text: str


class Listed(NamedTuple):
    """A key, and when it was last used (seconds since the epoch, to the minute); None: never, or not known."""

    key: Key
    used: float | None


class Keys:
    """The keys of a store."""

    def __init__(
        self, register: Register, connection: Connection, errands: Errands, clock: Callable[[], float] = time.time
    ) -> None:
        self._register = register
        self._connection = connection
        self._errands = errands
        self._clock = clock
        self._noted: dict[str, float] = {}

    def recognise(self, presented: str) -> Key | None:
        """The key that somebody presents, revoked and expired ones too; None for an unknown one."""
        form = FORM.fullmatch(presented) if len(presented) <= 64 else None
        known = self._register.known.keys.get(form[1]) if form else None
        digest = _digest(presented[:64])
        if not hmac.compare_digest(digest, known.digest if known else _NOBODY) or known is None:
            return None
        self._use(known.id)
        return known

    async def create(
        self,
        *,
        scope: Scope = "chat",
        name: str = "",
        agent: str = "",
        rate: Rate = UNLIMITED,
        expires: float | None = None,
        session: Callable[[str], str] | None = None,
    ) -> Created:
        """Make a key; `expires` in seconds since the epoch. Raises InvalidValue, StoreUnavailable.

        `session` names the session that it is for, from the key's id.
        """
        if len(name) > 100 or not name.isprintable():
            raise InvalidValue("A key's name is one line of 100 characters at most.", param="name")
        if agent and (not re.fullmatch(NAME, agent) or len(agent) > 100):
            raise InvalidValue(f"An agent's name is made of {NAME_SAYS}.", param="agent")
        if min(rate.requests, rate.streams) < 0:
            raise InvalidValue("A rate is 0, for none, or more.", param="rate")
        if expires is not None and not self._clock() < expires < math.inf:
            raise InvalidValue("The key would expire before it is made, or never.", param="expires")
        while True:
            id_ = _drawn(_SMALL, 12)
            text = f"gw_{id_}_{_drawn(_LETTERS, 43)}"
            key = Key(id_, _digest(text), scope, name, agent, rate, created=self._clock(), expires=expires)
            if session is not None:
                key = replace(key, session=session(id_))
            if await self._register.add(key):
                return Created(key, text)

    async def revoke(self, id_: str) -> Key | None:
        """Take a key's rights away, everywhere within a second; None where there is no such key.

        Raises StoreUnavailable where that could not be kept: nothing is then revoked anywhere.
        """
        if not ID.fullmatch(id_):
            return None
        await self._register.refresh()
        key = self._register.known.keys.get(id_)
        if key is None or key.revoked:
            return key
        revoked = replace(key, revoked=self._clock())
        await self._register.add(revoked)
        return revoked

    async def listed(self) -> list[Listed]:
        """Every key but those of sessions, which are listed there; oldest first. Raises StoreUnavailable."""
        await self._register.refresh()
        (told,) = await self._connection.take(("HGETALL", self._connection.key("used")))
        used = {id_: float(when) for id_, when in told.items() if when.isdecimal()}
        keys = sorted(
            (key for key in self._register.known.keys.values() if not key.session), key=lambda key: key.created
        )
        return [Listed(key, used.get(key.id)) for key in keys]

    def _use(self, id_: str) -> None:
        now = self._clock()
        if now - self._noted.get(id_, 0.0) >= USED_EVERY:
            self._noted[id_] = now
            self._errands.add(partial(self._connection.ask, "HSET", self._connection.key("used"), id_, int(now)))


def _drawn(letters: str, count: int) -> str:
    return "".join(secrets.choice(letters) for _ in range(count))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
