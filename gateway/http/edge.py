"""The outermost rings, as plain ASGI: a request's id and its canonical path; and the last resort, an envelope."""

import logging
import re
import secrets
import time
from urllib.parse import quote

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.errors import GatewayError, NotFound
from gateway.http.address import caller, counted
from gateway.http.capability import PREFIX
from gateway.http.errors import rendered
from gateway.observe.trace import continued
from gateway.types import Key, Turn

logger = logging.getLogger("gateway.http")

_CALLERS_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_OPENED = re.compile(r"(?:/agents/(?P<agent>[^/]+))?(?:/v1)?(?P<path>/chat/completions|/models(?:/.+)?)")
"""What a capability, or a key in its place, opens."""
KEY = "gw_"
"""How a key begins. In a path it stands where a capability does: a caller may send another key than it was given, or
none, but it asks the URL."""
NOWHERE = "/k/…"
"""The path of every capability or key that opens nothing there: no route has it, so all get the same 404."""
_CHAT = re.compile(r"(?P<agent>/agents/[^/]+)?(?:(?:/v1)*/chat/completions)+")


def canonical(path: str) -> str:
    """The path that a caller meant.

    Where a base URL is expected and a full one was given, or the reverse, `/v1` or `/chat/completions` is doubled; some
    clients add slashes. A redirect loses the body of a POST in some of them, so all of these are answered directly.
    """
    path = re.sub("/{2,}", "/", path)
    path = path.rstrip("/") or "/"
    if found := _CHAT.fullmatch(path):
        return f"{found['agent'] or ''}/chat/completions"
    return path


class Identified:
    """Give every request an id, the caller's own where it has a sane one, and every response `x-request-id`."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._warned: set[str] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on with `request_id`, and with the server's own `send` for those who write often, in the state."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = _id(scope)
        scope.setdefault("state", {})["request_id"] = request_id
        self._meant(scope)
        header = (b"x-request-id", request_id.encode())

        async def stamped(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), header]
            await send(message)

        scope["state"]["send"] = send
        try:
            await self.app(scope, receive, stamped)
        finally:
            # It leads back to the scope: left there, all that the request made waits for the garbage collector.
            del scope["state"]["send"]

    def _meant(self, scope: Scope) -> None:
        """Put the path that was meant into the scope, without a capability: nothing behind here sees one."""
        path = re.sub("/{2,}", "/", scope["path"])
        if not path.startswith(PREFIX):
            scope["path"] = self._path(path)
            return
        presented, _, rest = path.removeprefix(PREFIX).partition("/")
        scope["raw_path"] = b""
        scope["path"] = NOWHERE
        state = scope["state"]
        key = state["access"].recognise(presented) if presented.startswith(KEY) else None
        agent = key.agent if key else state["access"].agent_of(presented)
        found = _OPENED.fullmatch(self._path(f"/{rest}"))
        if agent is None or found is None or (agent and found["agent"] not in {None, agent}):
            address = counted(caller(scope, state["settings"].server.trusted_proxies))
            if not state["wrong_keys"].spent(address):
                logger.warning("request %s from %s: a capability that opens nothing", state["request_id"], address)
                if found is not None and scope["method"] == "POST":
                    _refused(scope, key, found["agent"] or "")
            return
        if key is not None:
            state["path_key"] = key  # whether it is revoked or expired is looked at where every key is
        else:
            state["capability"] = agent
        name = agent or found["agent"]
        scope["path"] = f"/agents/{name}{found['path']}" if name else found["path"]

    def _path(self, path: str) -> str:
        meant = canonical(path)
        doubled = (path.count("/chat/completions") > 1 or "/v1/v1" in path) and _CHAT.fullmatch(meant) is not None
        if doubled and meant not in self._warned and len(self._warned) < 100:
            self._warned.add(meant)
            asked, wanted = quote(path[:200]), quote(meant[:200])
            logger.warning("a caller asks %s; the URL that it wants is the one that ends in %s", asked, wanted)
        return meant


class Caught:
    """Whatever nobody caught becomes an envelope: no stack, no path, no version; those go to the log."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on; once a response has begun there is nothing left to say, so the connection is closed."""
        begun = False

        async def noted(message: Message) -> None:
            nonlocal begun
            begun = begun or message["type"] == "http.response.start"
            await send(message)

        try:
            await self.app(scope, receive, noted)
        except Exception:
            if scope["type"] != "http":
                raise
            request_id = scope["state"]["request_id"]
            logger.exception("request %s failed", request_id)
            if begun:
                raise
            await rendered(GatewayError("Something went wrong in the gateway."), request_id)(scope, receive, send)


def _refused(scope: Scope, key: Key | None, asked: str) -> None:
    """Write the record of a turn that never was one: whoever looks why an agent is silent finds it there."""
    state = scope["state"]
    brain = state["brain"]()
    turn = Turn(state["request_id"], time.time(), brain.clock(), continued(scope["headers"]))
    turn.status, turn.outcome, turn.code = NotFound.status, "refused", NotFound.code
    turn.agent = asked if asked in brain.agents else ""
    if key is not None:
        turn.key, turn.session = key.id, key.session
    turn.timings["total"] = 0.0
    state["ended"](turn)


def _id(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _CALLERS_ID.fullmatch(text := value.decode("latin-1")):
            return str(text)
    return f"req_{secrets.token_hex(16)}"
