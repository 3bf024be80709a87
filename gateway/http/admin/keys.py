"""`/admin/keys`: made, listed, revoked. A key is shown once; its digest never."""

import logging
import time
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field, with_config
from starlette.requests import Request
from starlette.responses import Response

from gateway.errors import InvalidValue, NotFound
from gateway.http.admin.bodies import BODY, answered
from gateway.http.admin.operation import Nothing
from gateway.http.state import State
from gateway.settings.build import NAME
from gateway.types import Key, Rate, Scope
from gateway.types.administration import WantedKey

logger = logging.getLogger("gateway.admin")


@with_config(BODY)
@dataclass(frozen=True, slots=True)
class RateAsked:
    """How much may be asked with a key. 0: as much as one likes."""

    requests: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    """A minute."""
    streams: Annotated[int, Field(ge=0, le=100_000)] = 0
    """At once."""


@with_config(BODY)
@dataclass(frozen=True, slots=True)
class KeyAsked:
    """A key to be made."""

    scope: Scope = "chat"
    """`chat`: answers; `admin`: this API and /metrics; `metrics`: /metrics alone."""
    agent: Annotated[str, Field(pattern=f"^({NAME})?$", max_length=200)] = ""
    """The only agent that it may ask; empty: every agent and every route."""
    name: Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f]*$", max_length=100)] = ""
    """What you call it."""
    rate: RateAsked = RateAsked()
    expires_in: Annotated[int, Field(ge=60, le=315_360_000)] | None = None
    """Seconds from now; null: never."""


@dataclass(frozen=True, slots=True)
class KeyShown:
    """What is known of a key. The key itself is known to its holder only."""

    id: str
    scope: Scope
    name: str
    agent: str
    """The only agent that it may ask; empty: every agent and every route."""
    rate: Rate
    created: float
    """Seconds since the epoch, like the next two."""
    expires: float | None
    revoked: float | None


@dataclass(frozen=True, slots=True)
class KeyListed:
    """A key, and when it was last used."""

    key: KeyShown
    used: float | None
    """Seconds since the epoch, to the minute; null: never, or not known."""


@dataclass(frozen=True, slots=True)
class KeyMade:
    """A new key, and its secret text."""

    key: KeyShown
    secret: str
    """The key itself, as callers present it. It is shown this once: only its hash is kept."""


@dataclass(frozen=True, slots=True)
class KeysListed:
    """Every key, revoked and expired ones too."""

    keys: list[KeyListed]
    """Oldest first."""


def _shown(key: Key) -> KeyShown:
    return KeyShown(key.id, key.scope, key.name, key.agent, key.rate, key.created, key.expires, key.revoked)


async def listed(request: Request[State], _: Nothing) -> Response:
    """List what is known of the keys."""
    keys = await request.state["administration"].keys.listed()
    return answered(KeysListed([KeyListed(_shown(key), used) for key, used in keys]))


async def made(request: Request[State], asked: KeyAsked) -> Response:
    """Make one; the only answer that holds it."""
    if asked.agent and asked.scope != "chat":
        raise InvalidValue("`agent` is for keys of scope chat: another one is bound to no agent.", param="agent")
    agents = request.state["brain"]().agents
    if asked.agent and asked.agent not in agents:
        known = ", ".join(sorted(agents)) or "none"
        raise InvalidValue(f"`agent` must be the name of an agent that is served: {known}.", param="agent")
    rate = Rate(asked.rate.requests, asked.rate.streams)
    expires = None if asked.expires_in is None else time.time() + asked.expires_in
    wanted = WantedKey(asked.scope, asked.agent, asked.name.strip(), rate, expires)
    key, secret = await request.state["administration"].keys.create(wanted)
    logger.info("request %s: key %s of scope %s is made", request.state["request_id"], key.id, key.scope)
    return answered(KeyMade(_shown(key), secret), 201)


async def revoked(request: Request[State], _: Nothing) -> Response:
    """Revoke one, at once on every worker."""
    asked = request.path_params["key"]
    key = await request.state["administration"].keys.revoke(asked)
    if key is None:
        raise NotFound(f"There is no key {asked!r}.")
    logger.info("request %s: key %s is revoked", request.state["request_id"], key.id)
    return answered(_shown(key))
