"""Who calls: a key in a header or in the path, a capability in the path, or nobody in particular where that is allowed.

Whatever is wrong with a key, its holder is told the same; which it was goes to the log, with the key's id.
"""

import hmac
import logging
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from functools import wraps
from typing import Any, NamedTuple

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from gateway.chat.answer import Brain
from gateway.errors import AuthenticationError, InsufficientScope, MissingKey, NotFound, RateLimited
from gateway.http.address import Headers, caller, counted, here
from gateway.http.state import State
from gateway.types import Key, Scope

Endpoint = Callable[[Request[Any]], Awaitable[Response | ASGIApp]]

logger = logging.getLogger("gateway.auth")

CHALLENGE = {"WWW-Authenticate": "Bearer"}
_NAMES = (b"authorization", b"x-api-key", b"api-key")
"""In this order: what an SDK sends by itself goes before what somebody adds."""
_SANE = re.compile(r"[\x21-\x7e]{1,512}")


class Caller(NamedTuple):
    """Who asks for a turn."""

    key: Key | None = None
    agent: str = ""
    """The only agent that it may ask; empty: every agent and every route."""

    @property
    def owner(self) -> str:
        """By what its turns are counted: its key, or the agent that its capability opens; empty for nobody known."""
        return f"key:{self.key.id}" if self.key else self.agent and f"agent:{self.agent}"

    def sees(self, brain: Brain) -> Brain:
        """The brain as this caller may know it: for one that is bound to an agent nothing else exists."""
        if not self.agent:
            return brain
        own = brain.agents.get(self.agent)
        return replace(brain, agents={self.agent: own} if own else {}, routes={}, default_agent="")


class _Presented(NamedTuple):
    """What a request shows of a key."""

    text: str = ""
    odd: bool = False
    """It is there and cannot be a key: another scheme, an empty one, two of them."""


def chatting(request: Request[State]) -> Caller:
    """Who asks for a turn or for the models.

    Raises AuthenticationError, InsufficientScope, RateLimited; NotFound on the address that is /admin's alone.
    """
    state = request.state
    settings = state["settings"]
    if settings.admin.listen and arrived_at(settings.admin.listen, request.scope):
        raise NotFound(f"Not Found: {request.method} {request.url.path}.")
    presented = _presented(request.scope["headers"])
    if "path_key" in state or "capability" in state:
        return _by_path(presented, request)
    anonymous = settings.auth.anonymous
    if not presented.text and not presented.odd:
        if anonymous:
            return Caller()
        raise MissingKey("A key is needed: Authorization: Bearer KEY, or x-api-key.", headers=CHALLENGE)
    key = _recognised(presented, state)
    if key is None and _is_admin_key(presented, state):
        raise InsufficientScope("The admin key opens /admin; `gateway keys create` makes one that may chat.")
    if key is None and anonymous:
        return Caller()
    key = _chats(_sound(key, request), state)
    return Caller(key, key.agent)


def shown(request: Request[State]) -> Key | None:
    """The key of ours that the request shows, whatever it is worth: for the record of what was refused."""
    state = request.state
    if "path_key" in state:
        key: Key = state["path_key"]
        return key
    return _recognised(_presented(request.scope["headers"]), state)


def _by_path(presented: _Presented, request: Request[State]) -> Caller:
    """Who asks by a key or a capability in the path. What comes in a header beside it opens nothing more.

    Simli sends what it likes there, so a key that is none of ours is passed over. One of ours that is revoked or has
    expired is refused: whoever took it away meant its holder. A good one says whose turn a capability's is.
    """
    state = request.state
    beside = _recognised(presented, state)
    if "path_key" in state:
        key = _chats(_sound(state["path_key"], request), state)
        if beside is not None:
            _sound(beside, request)
        return Caller(key, key.agent)
    agent = state["capability"]
    if beside is None:
        return Caller(agent=agent)
    beside = _sound(beside, request)
    ours = beside.scope == "chat" and beside.agent in {"", agent}
    return Caller(beside if ours else None, agent)


def _chats(key: Key, state: State) -> Key:
    if key.scope != "chat":
        logger.warning("request %s: key %s of scope %s asks to chat", state["request_id"], key.id, key.scope)
        raise InsufficientScope(f"This key is of scope {key.scope}; `gateway keys create` makes one that may chat.")
    return key


def admin(endpoint: Endpoint, *, opens: frozenset[Scope] = frozenset({"admin"})) -> Endpoint:
    """The endpoint for administrators only; where `[admin] listen` moves it, for callers of that address only.

    `opens` are the scopes of the keys that open it.
    """

    @wraps(endpoint)
    async def guarded(request: Request[Any]) -> Response | ASGIApp:
        settings = request.state["settings"]
        if settings.admin.listen and not arrived_at(settings.admin.listen, request.scope):
            raise NotFound(f"Not Found: {request.method} {request.url.path}.")
        _administrating(request, opens)
        return await endpoint(request)

    return guarded


def arrived_at(listen: str, scope: Mapping[str, Any]) -> bool:
    """Whether the connection was made to this `HOST:PORT`."""
    host, _, port = listen.rpartition(":")
    server = scope.get("server")
    if server is None or str(server[1]) != port:
        return False
    host = host.strip("[]")
    return host in {"0.0.0.0", "::", server[0]} or (host == "localhost" and server[0] in {"127.0.0.1", "::1"})  # noqa: S104 compared, not bound


def _administrating(request: Request[State], opens: frozenset[Scope]) -> None:
    """Raise unless the caller is an administrator: by key, or by being on this machine where no key is set.

    Where a tunnel or a public URL leads here, being on this machine proves nothing: a tunnel that passes bytes on calls
    from here as well, with whatever headers a stranger wrote.
    """
    state = request.state
    presented = _presented(request.scope["headers"])
    if presented.text or presented.odd:
        if _is_admin_key(presented, state):
            return
        key = _sound(_recognised(presented, state), request)
        if key.scope in opens:
            return
        logger.warning("request %s: key %s of scope %s asks for administration", state["request_id"], key.id, key.scope)
        raise InsufficientScope(
            f"This key is of scope {key.scope}; one of scope {' or '.join(sorted(opens))} is needed."
        )
    if state["settings"].admin_key or state["settings"].exposed or not here(request.scope):
        raise MissingKey("An admin key is needed: Authorization: Bearer KEY.", headers=CHALLENGE)


def _presented(headers: Headers) -> _Presented:
    """The key that the headers hold."""
    found: dict[bytes, list[str]] = {}
    for name, value in headers:
        if name in _NAMES:
            found.setdefault(name, []).append(value.decode("latin-1").strip())
    for name in _NAMES:
        if texts := found.get(name):
            text = texts[0]
            if name == b"authorization":
                scheme, _, text = text.partition(" ")
                text = text.strip() if scheme.lower() == "bearer" else ""
            if len(texts) > 1 or not _SANE.fullmatch(text):
                return _Presented(odd=True)
            return _Presented(text)
    return _Presented()


def _recognised(presented: _Presented, state: State) -> Key | None:
    return state["access"].recognise(presented.text) if presented.text else None


def _is_admin_key(presented: _Presented, state: State) -> bool:
    admin_key = state["settings"].admin_key
    return bool(admin_key) and hmac.compare_digest(admin_key.encode(), presented.text.encode())


def _sound(key: Key | None, request: Request[State]) -> Key:
    """The key, if it opens anything. What is wrong with it is for the log, and is said once for all of them here."""
    state = request.state
    if key is None:
        reason = "unknown key"
    elif key.revoked is not None:
        reason = f"key {key.id} is revoked"
    elif key.expires is not None and key.expires <= time.time():
        reason = f"key {key.id} has expired"
    else:
        return key
    address = counted(caller(request.scope, state["settings"].server.trusted_proxies))
    wait = state["wrong_keys"].spent(address)
    if wait:
        raise RateLimited("Too many wrong keys came from this address.", retry_after=wait)
    logger.warning("request %s from %s: %s", state["request_id"], address, reason)
    raise AuthenticationError("The key is wrong, revoked or expired.", headers=CHALLENGE)
